//! `tatau watch`: scenes are rendered as they are saved into a folder.
//!
//! Each scene is a `tatau render` of its own: what that does after an interruption (go on, pay once) holds here, too.

use crate::{
    context::Context,
    exit::{Code, Ended},
    out,
    render::Render,
    stop::Stop,
};
use clap::Parser;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    task::JoinSet,
};

/// Between two looks at the folder.
const EVERY: Duration = Duration::from_secs(1);
/// Longest line of a render that is understood.
const LINE_BYTES: usize = 1 << 20;
/// In the folder of a scene that is done.
const DONE: &str = ".tatau-watch-done";

/// Renders every scene that is saved into a folder, and brings its frames home.
///
/// A new or changed .blend file is rendered once nobody wrote to it for a while, into a folder of its own, named after the scene and
/// its contents; the same contents are never rendered twice. Frames that an earlier version has cost nothing where nothing that they
/// are made of changed. What follows `--` goes to `tatau render`: --max-price must be among it, because nobody is asked. Ctrl-C leaves
/// the jobs running; started again, it goes on. Changes of textures alone are not noticed: save the scene again.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau watch farm --out frames -- --max-price 5
  tatau watch farm --out frames --once -- --max-price 5 --frames 1-24 --class rtx-3090 --no-video")]
pub struct Watch {
    /// Folder that is watched; folders in it are not.
    folder: PathBuf,
    /// Folder for the results: in it one folder a version of a scene.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Scenes at once; the others wait.
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    at_once: u8,
    /// A scene is whole when nobody wrote to it for so many seconds.
    #[arg(long, default_value_t = 3, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    settle: u64,
    /// Ends once everything that lies there is done (exit code 1 where a scene failed).
    #[arg(long)]
    once: bool,
    /// For `tatau render`, after `--`.
    #[arg(last = true, value_name = "RENDER OPTIONS")]
    render: Vec<OsString>,
}

/// What of `tatau render` can be said for all scenes.
#[derive(Parser)]
struct Checked {
    #[command(flatten)]
    render: Render,
}

/// How a file looked.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    bytes: u64,
    modified: SystemTime,
}

struct Scene {
    look: Look,
    /// Since when it looks so.
    since: Instant,
    /// It was taken, rendered or not.
    taken: bool,
}

/// How one scene ended.
struct Rendered {
    scene: PathBuf,
    code: i32,
    words: String,
}

pub async fn run(options: Watch, context: &Context) -> anyhow::Result<()> {
    let mut stop = Stop::listen()?;
    check(&options)?;
    fs::create_dir_all(&options.out)
        .map_err(|e| Ended::usage(format!("the folder {} cannot be made: {e}", options.out.display())))?;
    let json = context.json();
    if !json {
        out::say(&format!(
            "watching {}; frames go to {}. Ctrl-C ends it, jobs go on",
            options.folder.display(),
            options.out.display()
        ));
    }
    let mut scenes: HashMap<PathBuf, Scene> = HashMap::new();
    let mut running: JoinSet<Rendered> = JoinSet::new();
    let mut failed = 0u32;
    loop {
        look(&options.folder, &mut scenes)?;
        let settled = Duration::from_secs(options.settle);
        for (path, scene) in &mut scenes {
            if !scene.taken
                && scene.since.elapsed() >= settled
                && running.len() < usize::from(options.at_once)
            {
                scene.taken = true;
                match target(path, &options.out).await? {
                    Ok(None) => {}
                    Ok(Some(target)) => {
                        tell(json, path, "begun", &format!("rendering into {}", target.display()));
                        let house = [context.server().into(), context.data()?.into_os_string()];
                        running.spawn(one(path.clone(), target, options.render.clone(), house, json));
                    }
                    Err(why) => {
                        failed += 1;
                        tell(json, path, "failed", &why);
                    }
                }
            }
        }
        if options.once && running.is_empty() && scenes.values().all(|scene| scene.taken) {
            break;
        }
        tokio::select! {
            () = stop.asked() => return interrupted(running, json).await,
            () = tokio::time::sleep(EVERY) => {}
            Some(ended) = running.join_next() => {
                let ended = ended?;
                let good = ended.code == 0;
                failed += u32::from(!good);
                tell(json, &ended.scene, if good { "done" } else { "failed" }, &ended.words);
                // The server was away: once more, after a while.
                if ended.code == Code::Unreachable as i32
                    && let Some(scene) = scenes.get_mut(&ended.scene)
                {
                    (scene.taken, scene.since) = (false, Instant::now() + Duration::from_mins(1));
                    failed -= 1;
                }
            }
        }
    }
    if failed > 0 {
        let what = crate::deliver::plural(failed as usize, "scene");
        return Err(Ended::new(Code::Failed, format!("{what} failed; see above")).into());
    }
    Ok(())
}

/// The options for `tatau render`, before anything is watched.
fn check(options: &Watch) -> Result<(), Ended> {
    if !options.folder.is_dir() {
        return Err(Ended::usage(format!("there is no folder {}", options.folder.display())));
    }
    let given = ["render", "scene.blend", "--out", "out"].map(OsString::from);
    let checked =
        Checked::try_parse_from(given.into_iter().chain(options.render.iter().cloned())).map_err(|e| {
            Ended::usage(format!("after `--`: {}", e.to_string().lines().next().unwrap_or_default()))
        })?;
    checked.render.check()?;
    if !checked.render.is_capped() {
        return Err(Ended::usage(
            "nobody is asked here, so say what a scene may cost at most: add -- --max-price AMOUNT",
        ));
    }
    Ok(())
}

/// Notes what lies in the folder, and since when it looks so.
fn look(folder: &Path, scenes: &mut HashMap<PathBuf, Scene>) -> Result<(), Ended> {
    let unread = |e: io::Error| Ended::new(Code::Failed, format!("{} cannot be read: {e}", folder.display()));
    let mut seen = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_none_or(|ending| ending != "blend") {
            continue;
        }
        // Gone again, or not to be read: looked at the next time.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let Ok(modified) = metadata.modified() else { continue };
        if !metadata.is_file() {
            continue;
        }
        let look = Look { bytes: metadata.len(), modified };
        let fresh = || Scene { look, since: Instant::now(), taken: false };
        let scene = scenes.entry(path.clone()).or_insert_with(fresh);
        if scene.look != look {
            *scene = fresh();
        }
        seen.push(path);
    }
    scenes.retain(|path, _| seen.contains(path));
    Ok(())
}

/// Where a scene's frames go; `None` where they are there, an error where the scene cannot be read.
async fn target(scene: &Path, out: &Path) -> anyhow::Result<Result<Option<PathBuf>, String>> {
    let path = scene.to_path_buf();
    let (blob, _) = match tokio::task::spawn_blocking(move || tatau_blobs::hash_file(&path)).await? {
        Ok(hashed) => hashed,
        Err(e) => return Ok(Err(format!("it cannot be read ({e})"))),
    };
    let mark: String = blob.to_string().chars().take(8).collect();
    let stem = scene.file_stem().unwrap_or_default().to_string_lossy();
    let target = out.join(format!("{stem}-{mark}"));
    Ok(Ok((!target.join(DONE).exists()).then_some(target)))
}

/// One scene, from its file to its frames.
/// `house`: the server and the data folder with the key, as this command was told them.
async fn one(
    scene: PathBuf,
    target: PathBuf,
    more: Vec<OsString>,
    house: [OsString; 2],
    json: bool,
) -> Rendered {
    let done = render(&scene, &target, &more, &house, json).await;
    let (code, words) = done.unwrap_or_else(|e| (1, format!("it could not be started: {e}")));
    if code == 0 {
        // Without the mark it is only looked at once more.
        let _ = File::create(target.join(DONE));
    }
    Rendered { scene, code, words }
}

/// Exit code and last words.
async fn render(
    scene: &Path,
    target: &Path,
    more: &[OsString],
    [server, data]: &[OsString; 2],
    json: bool,
) -> io::Result<(i32, String)> {
    fs::create_dir_all(target)?;
    let log = File::create(target.with_extension("log"))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("render")
        .arg(scene)
        .arg("--out")
        .arg(target)
        .args(["--yes", "--json", "--server"])
        .arg(server)
        .arg("--data")
        .arg(data)
        .args(more);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
    let mut child = command.spawn()?;
    let mut words = "ended without a word".to_owned();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            let Some(value) = parsed(&line) else { continue };
            if value["event"] == "done" {
                words = format!("{} of {} frames", value["frames_done"], value["frames_total"]);
            } else if let Some(sentence) = value["error"]["sentence"].as_str() {
                sentence.clone_into(&mut words);
            }
            if json {
                out::json(&json!({"scene": scene, "said": value}));
            }
        }
    }
    let code = child.wait().await?.code().unwrap_or(1);
    Ok((code, words))
}

fn parsed(line: &str) -> Option<Value> {
    (line.len() <= LINE_BYTES).then(|| serde_json::from_str(line).ok()).flatten()
}

async fn interrupted(mut running: JoinSet<Rendered>, json: bool) -> anyhow::Result<()> {
    let count = running.len();
    running.shutdown().await;
    if !json {
        out::say("stopping");
    }
    let sentence = match count {
        0 => "interrupted; nothing was under way".to_owned(),
        _ => format!("interrupted; {} go on without you", crate::deliver::plural(count, "job")),
    };
    Err(Ended::new(Code::Interrupted, sentence).hint("the same command goes on with them").into())
}

fn tell(json: bool, scene: &Path, what: &str, words: &str) {
    if json {
        out::json(&json!({"scene": scene, "state": what, "words": words}));
    } else {
        let name = scene.file_name().unwrap_or_default().to_string_lossy();
        out::say(&format!("{}: {what}, {}", out::clean_line(&name), out::clean_line(words)));
    }
}
