//! `tatau submit`.

use crate::{
    context::Context,
    deliver::{Wish, deliver},
    exit::Ended,
    render::{Terms, class, rendered_on},
};
use std::path::PathBuf;

/// Submits a bundle folder: Open Job Description files and tatau.yaml, as `tatau render --bundle` writes them.
///
/// The bundle says what is rendered (template.yaml, parameter_values.yaml), with which files (asset_references.yaml), and on which terms
/// (tatau.yaml: environment, class, device, strategy, cap, video, task_minutes, reproducible); flags here go before the bundle's terms.
///
/// Bundles for other programs, such as Cinema 4D's or Octane's for other farms, are run unchanged by providers who have the program. It is
/// named by --program, by tatau.yaml, or by the bundle's CondaPackages. Results come as STEP/TASK/file.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau render scene.blend --frames 1-24 --out frames --bundle my-bundle
  tatau submit my-bundle --out frames
  tatau submit c4d-bundle --program cinema4d@2025 --task-minutes 4 --out frames
  tatau submit octane-bundle --not-reproducible --who trusted --out frames")]
pub struct Submit {
    /// The bundle's folder.
    pub bundle: PathBuf,
    /// Folder for the results; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The program that a bundle of another renderer needs, with its version if that matters: cinema4d, cinema4d@2025.
    #[arg(long, value_name = "NAME[@VERSION]")]
    pub program: Option<String>,
    /// Minutes that one task of another program takes on a GTX 1080 Ti's worth of work; it is paid so, whatever it takes. 10 at first.
    #[arg(long, value_name = "MINUTES")]
    pub task_minutes: Option<f64>,
    /// The same task of another program gives other files each time, so that nobody can check it: only for --who trusted and own.
    #[arg(long)]
    pub not_reproducible: bool,
    #[command(flatten)]
    pub terms: Terms,
}

pub async fn run(options: Submit, context: &Context) -> anyhow::Result<()> {
    if !tatau_submit::is_render_bundle(&options.bundle)? {
        options.terms.check()?;
        return crate::submit_program::run(options, context).await;
    }
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
        device: rendered_on(
            // A class on the command line goes before the bundle's device.
            terms.device.or(bundle.device.filter(|_| terms.class.is_none())),
            terms.class.as_deref().or(bundle.class.as_deref()),
        )?,
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
