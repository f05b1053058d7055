//! `tatau render`.

use crate::{
    context::Context,
    deliver::{Wish, deliver, typed},
    exit::Ended,
    out,
    told::Told,
};
use std::path::{Path, PathBuf};
use tatau_api::EditJob;
use tatau_model::{Amount, Device, Machines, Millis, Strategy, Who, card};
use tatau_submit::{AssetSet, BundleFolder, Scene, Tiles};
use tatau_workload::runtime;

/// Renders a scene: inspects it, shows the price, pays, and brings the frames into a folder.
///
/// The scene is opened on a provider's machine, inside a sandbox: you need no Blender. Files that it refers to are found and
/// uploaded; what is missing is listed before anything but the inspection is paid. Frames arrive as frames/frame_0001.exr (raw) and
/// frames/frame_0001.png (pictures), at the end video.mp4. Asked again with the same scene, frames and folder, the command goes on where
/// it was, and pays once.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau render scene.blend --frames 1-24 --out frames
  tatau render scene.blend --frames 1-100:2,200 --out frames --yes --max-price 5
  tatau render scene.blend --class rtx-3090 --strategy fastest --no-video --out frames
  tatau render scene.blend --device optix --out frames    on graphics cards
  tatau render scene.blend --own-first 30 --out frames    the market gets what your machines have not begun in 30 minutes
  tatau render poster.blend --frames 1 --tiles 6x4 --out poster   one large frame on 24 machines
  tatau render secret.blend --who own --out frames
  tatau render scene.blend --frames 12 --fresh --out again   frame 12 once more, whatever was rendered before
  tatau render scene.blend --frames 1 --out still --yes --json | jq .")]
pub struct Render {
    /// The .blend file.
    scene: PathBuf,
    /// Frames, such as 1-24 or 1-10:2,20; without it the scene's own range.
    #[arg(long, value_name = "FRAMES", allow_hyphen_values = true)]
    frames: Option<String>,
    /// Folder for the results; made if it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    terms: Terms,
    /// Make no video at the end.
    #[arg(long)]
    no_video: bool,
    /// Pauses after the first, middle and last frame; `tatau resume` approves them and renders the rest.
    #[arg(long)]
    preview: bool,
    /// Writes the job as a bundle folder (Open Job Description) after inspecting, and pays nothing.
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
}

/// How to buy.
#[derive(Debug, clap::Args)]
pub struct Terms {
    /// Pay without asking.
    #[arg(long)]
    pub yes: bool,
    /// The job never costs more, TATAU.
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    pub max_price: Option<Amount>,
    /// Only cards of this class, such as rtx-3090 or cpu.
    #[arg(long, value_parser = class)]
    pub class: Option<String>,
    /// What renders: cpu (the processor; default), or a graphics card by cuda, optix or hip. All frames of an order are made, and
    /// checked, by the same; --class alone means what such cards usually render on.
    #[arg(long, value_parser = device, value_name = "cpu|cuda|optix|hip")]
    pub device: Option<Device>,
    /// Which offers: near the lowest price, up to the middle, or all with the fast ones first.
    #[arg(long, value_parser = strategy)]
    pub strategy: Option<Strategy>,
    /// Who may see the scene: any, trusted (your machines, accounts you trust, those with a long record and much stake), own.
    #[arg(long, value_parser = who, default_value = "any", value_name = "WHO")]
    pub who: Who,
    /// Your own machines come first, for nothing; the market gets what they have not begun after so many minutes.
    #[arg(long, value_name = "MINUTES", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10_080))]
    pub own_first: u64,
    /// In how long it is wanted, such as 90m, 6h or 2d: a job that would be late takes every machine that its money pays.
    #[arg(long, value_name = "TIME", value_parser = crate::edit::deadline)]
    pub deadline: Option<Millis>,
    /// Among your jobs, -128 to 127: the higher, the sooner.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub priority: Option<i8>,
    /// Render all anew, also frames that an earlier job of yours has of the same scene and files.
    #[arg(long)]
    pub fresh: bool,
    /// Cuts each frame into tiles for several machines: auto (frames that take longer than ten minutes), off, or columns and rows.
    #[arg(long, value_name = "auto|off|4x2", default_value = "auto")]
    pub tiles: Tiles,
    /// The Blender that renders: blender-5.0 or blender-4.5; without it, the one that is nearest to the Blender that saved the scene.
    #[arg(long, value_parser = environment)]
    pub environment: Option<&'static str>,
    /// A folder where files of the scene may lie too (may be given several times).
    #[arg(long, value_name = "DIR")]
    pub assets: Vec<PathBuf>,
}

impl Render {
    /// What can be told without the scene.
    pub fn check(&self) -> Result<(), Ended> {
        if let Some(frames) = &self.frames {
            tatau_submit::check_frames(frames).map_err(|e| Ended::usage(e.to_string()))?;
        }
        self.terms.check()
    }

    /// Does it say what it may cost at most?
    pub fn is_capped(&self) -> bool {
        self.terms.max_price.is_some()
    }
}

impl Terms {
    /// Whose machines, and when.
    pub fn machines(&self) -> Machines {
        Machines { who: self.who, own_first_ms: self.own_first * 60_000 }
    }

    /// The scene, opened in the environment that is asked for.
    pub fn scene(&self, path: &Path) -> anyhow::Result<Scene> {
        let mut scene = Scene::open(path)?;
        scene.environment = self.environment.unwrap_or(scene.environment);
        Ok(scene)
    }

    /// What is not said with the order itself.
    pub fn later(&self) -> EditJob {
        EditJob { cap: None, priority: self.priority, deadline: self.deadline }
    }

    /// What cannot be told from one argument alone.
    pub fn check(&self) -> Result<(), Ended> {
        if self.max_price.is_some_and(|most| !most.is_positive()) {
            return Err(Ended::usage("--max-price must be more than zero"));
        }
        rendered_on(self.device, self.class.as_deref()).map(drop)
    }
}

/// What renders: as it is said, else as the class usually does, else the processor.
pub fn rendered_on(device: Option<Device>, class: Option<&str>) -> Result<Device, Ended> {
    let Some(class) = class.and_then(card::class) else { return Ok(device.unwrap_or_default()) };
    match device {
        None => Ok(class.devices.first().copied().unwrap_or_default()),
        Some(device) if class.devices.contains(&device) => Ok(device),
        Some(device) => {
            let names: Vec<&str> = class.devices.iter().map(|device| device.name()).collect();
            Err(Ended::usage(format!(
                "cards of the class {} render on {}, not on {}; leave --class or --device out",
                class.name,
                names.join(" or "),
                device.name()
            )))
        }
    }
}

/// A name of a device, or the names that there are.
fn device(name: &str) -> Result<Device, String> {
    Device::named(name).ok_or_else(|| "use one of: cpu, cuda, optix, hip".into())
}

/// A name of a class of cards, or the names that there are.
pub fn class(name: &str) -> Result<String, String> {
    let names: Vec<&str> = card::CLASSES.iter().map(|class| class.name).collect();
    if names.contains(&name) {
        Ok(name.to_owned())
    } else {
        Err(format!("there is no such class; use one of: {}", names.join(", ")))
    }
}

/// A name of an environment, or the names that there are.
pub fn environment(name: &str) -> Result<&'static str, String> {
    let names = runtime::ENVIRONMENTS.iter().map(|environment| environment.name);
    names.clone().find(|known| *known == name).ok_or_else(|| {
        format!("there is no such environment; use one of: {}", names.collect::<Vec<_>>().join(", "))
    })
}

fn who(name: &str) -> Result<Who, String> {
    Who::named(name).ok_or_else(|| "use one of: any, trusted, own".into())
}

fn strategy(name: &str) -> Result<Strategy, String> {
    match name {
        "cheapest" => Ok(Strategy::Cheapest),
        "balanced" => Ok(Strategy::Balanced),
        "fastest" => Ok(Strategy::Fastest),
        _ => Err("use one of: cheapest, balanced, fastest".into()),
    }
}

pub async fn run(options: Render, context: &Context) -> anyhow::Result<()> {
    let scene = options.terms.scene(&options.scene)?;
    let frames = options.frames.as_deref().map(tatau_submit::check_frames).transpose()?;
    let terms = options.terms;
    terms.check()?;
    let (machines, later) = (terms.machines(), terms.later());
    let wish = Wish {
        name: scene.stem().to_owned(),
        scene,
        frames,
        out: options.out,
        yes: terms.yes,
        max_price: terms.max_price,
        device: rendered_on(terms.device, terms.class.as_deref())?,
        class: terms.class,
        strategy: terms.strategy.unwrap_or_default(),
        machines,
        video: !options.no_video,
        preview: options.preview,
        later,
        fresh: terms.fresh,
        tiles: terms.tiles,
        assets: terms.assets,
    };
    match options.bundle {
        Some(dir) => bundle(&dir, wish, context).await,
        None => deliver(wish, context).await,
    }
}

async fn bundle(dir: &std::path::Path, wish: Wish, context: &Context) -> anyhow::Result<()> {
    // The folders first: one that cannot be used is found before anything is sent.
    AssetSet::alone(&wish.scene, &wish.assets)?;
    tatau_submit::make_folder(dir)?;
    let client = context.account().await?;
    let mut told = Told::new(context.json());
    let closed =
        tatau_submit::close(&client, &wish.scene, &wish.assets, wish.machines.who, &mut told).await?;
    told.done();
    let bundle = BundleFolder {
        name: wish.name,
        scene: wish.scene.file,
        frames: wish.frames.unwrap_or_else(|| closed.report.frames()),
        video: wish.video,
        class: wish.class,
        device: Some(wish.device).filter(|device| !device.is_cpu()),
        strategy: wish.strategy,
        cap: wish.max_price,
    };
    tatau_submit::write_bundle(dir, &bundle, &closed.scene, &closed.placed, closed.environment, &wish.out)?;
    if context.json() {
        out::json(&serde_json::json!({"event": "bundle", "dir": dir, "inspection": closed.inspection}));
    }
    out::say(&format!(
        "wrote the bundle {}; `tatau submit {} --out DIR` renders it",
        dir.display(),
        typed(dir)
    ));
    Ok(())
}
