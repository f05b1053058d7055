//! `tatau submit`.

use crate::{
    context::Context,
    deliver::{Wish, deliver},
    exit::Ended,
    render::{Terms, class},
};
use std::path::PathBuf;

/// Submits a bundle folder: Open Job Description files and tatau.yaml, as `tatau render --bundle` writes them.
///
/// The bundle says what is rendered (template.yaml, parameter_values.yaml), with which files (asset_references.yaml), and on which terms
/// (tatau.yaml: class, strategy, cap, video); flags here go before the bundle's terms. For now only bundles with the steps of
/// `tatau render` are taken.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:
  tatau render scene.blend --frames 1-24 --out frames --bundle my-bundle
  tatau submit my-bundle --out frames")]
pub struct Submit {
    /// The bundle's folder.
    bundle: PathBuf,
    /// Folder for the results; made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    terms: Terms,
}

pub async fn run(options: Submit, context: &Context) -> anyhow::Result<()> {
    let bundle = tatau_submit::read_bundle(&options.bundle)?;
    let terms = options.terms;
    let scene = terms.scene(&bundle.scene)?;
    terms.check()?;
    if let Some(Err(words)) = bundle.class.as_deref().map(class) {
        return Err(Ended::usage(format!("the class in the bundle's tatau.yaml is wrong: {words}")).into());
    }
    let (machines, later) = (terms.machines(), terms.later());
    let wish = Wish {
        scene,
        name: bundle.name,
        frames: Some(bundle.frames),
        out: options.out,
        yes: terms.yes,
        max_price: terms.max_price.or(bundle.cap),
        class: terms.class.or(bundle.class),
        strategy: terms.strategy.unwrap_or(bundle.strategy),
        machines,
        video: bundle.video,
        preview: false,
        later,
        fresh: terms.fresh,
        tiles: terms.tiles,
        assets: terms.assets,
    };
    deliver(wish, context).await
}
