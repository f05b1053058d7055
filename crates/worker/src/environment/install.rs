//! Makes the folder: an interpreter that a sandbox can see, and the wheels of the lock file.

use super::{EnvironmentError, Manifest, Recipe, Stage, io_at, open_folder};
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::Command,
};

/// Where a sandbox sees interpreters of the system.
const VISIBLE: [&str; 2] = ["/usr/bin", "/usr/local/bin"];
/// Longest time of one step on a slow line.
const STEP_LIMIT: Duration = Duration::from_hours(1);
/// Folder of an interpreter that comes with the environment.
const OWN_PYTHON: &str = "python";

pub(super) async fn install(
    recipe: &Recipe<'_>,
    manifest: &Manifest,
    draft: &Path,
    on: &mut (dyn FnMut(Stage) + Send),
) -> Result<(), EnvironmentError> {
    let parent = draft.parent().unwrap_or(draft);
    enough_disk(recipe.name, manifest.disk_bytes, parent)?;
    open_folder(draft)?;
    let steps = Steps { name: recipe.name };
    let uv = find_uv().await;
    let python = match visible_python(&manifest.python) {
        Some(python) => python,
        None => match &uv {
            Some(uv) => own_python(&steps, uv, &manifest.python, draft, on).await?,
            None => return Err(EnvironmentError::Python(manifest.python.clone())),
        },
    };
    let inside = draft.join("bin/python");
    let lock = draft.join("requirements.lock");
    if let Some(uv) = &uv {
        let mut venv = Command::new(uv);
        venv.args(["venv", "--quiet", "--allow-existing", "--no-project", "--python"])
            .arg(&python)
            .arg(draft);
        steps.run("making its folder", &mut venv, on).await?;
        fs::write(&lock, recipe.lock).map_err(io_at(&lock, "written"))?;
        let mut sync = Command::new(uv);
        sync.args([
            "pip",
            "install",
            "--no-progress",
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
        ]);
        sync.args(["--compile-bytecode", "--python"]).arg(&inside).arg("-r").arg(&lock);
        steps.run("fetching its wheels", &mut sync, on).await?;
    } else {
        let mut venv = Command::new(&python);
        venv.args(["-m", "venv"]).arg(draft);
        steps.run("making its folder (python3-venv must be installed)", &mut venv, on).await?;
        fs::write(&lock, recipe.lock).map_err(io_at(&lock, "written"))?;
        let mut pip = Command::new(&inside);
        pip.args([
            "-m",
            "pip",
            "install",
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar",
            "off",
        ]);
        pip.args(["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r"]).arg(&lock);
        steps.run("fetching its wheels", &mut pip, on).await?;
    }
    point_inside(draft, &python)?;
    readable(draft)?;
    on(Stage::Checking);
    check(&steps, manifest, draft, on).await
}

/// Runs the manifest's check the way a session would: an empty environment and the finished folder.
async fn check(
    steps: &Steps<'_>,
    manifest: &Manifest,
    draft: &Path,
    on: &mut (dyn FnMut(Stage) + Send),
) -> Result<(), EnvironmentError> {
    let Some((program, words)) = manifest.check.split_first() else { return Ok(()) };
    let mut check = Command::new(draft.join(program));
    check.args(words).env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").current_dir(draft);
    steps.run("starting it once", &mut check, on).await
}

/// uv, if there is one that runs.
async fn find_uv() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join("uv")).find(|p| p.is_file())?;
    let told = Command::new(&found).arg("--version").stdin(Stdio::null()).output().await.ok()?;
    told.status.success().then_some(found)
}

/// The system's own interpreter, where the sandbox shows it.
fn visible_python(version: &str) -> Option<PathBuf> {
    VISIBLE
        .iter()
        .map(|dir| Path::new(dir).join(format!("python{version}")))
        .find(|p| p.canonicalize().is_ok_and(|real| real.starts_with("/usr") && real.is_file()))
}

/// Lets uv put a relocatable interpreter into the environment's own folder.
async fn own_python(
    steps: &Steps<'_>,
    uv: &Path,
    version: &str,
    draft: &Path,
    on: &mut (dyn FnMut(Stage) + Send),
) -> Result<PathBuf, EnvironmentError> {
    let home = draft.join(OWN_PYTHON);
    let mut fetch = Command::new(uv);
    fetch.args(["python", "install", "--no-bin", "--no-progress", "--install-dir"]).arg(&home).arg(version);
    steps.run("fetching its Python", &mut fetch, on).await?;
    let wanted = OsStr::new("bin").to_owned();
    let program = format!("python{version}");
    for entry in fs::read_dir(&home).map_err(io_at(&home, "read"))? {
        let path = entry.map_err(io_at(&home, "read"))?.path().join(&wanted).join(&program);
        if path.is_file() {
            return path.canonicalize().map_err(io_at(&path, "read"));
        }
    }
    Err(EnvironmentError::Python(version.to_owned()))
}

/// An interpreter inside the folder is named relative to it, so that the folder can be renamed and mounted elsewhere.
fn point_inside(draft: &Path, python: &Path) -> Result<(), EnvironmentError> {
    let real = draft.canonicalize().map_err(io_at(draft, "read"))?;
    let Ok(within) = python.strip_prefix(&real) else { return Ok(()) };
    let link = draft.join("bin/python");
    fs::remove_file(&link).map_err(io_at(&link, "replaced"))?;
    symlink(Path::new("..").join(within), &link).map_err(io_at(&link, "made"))?;
    let config = draft.join("pyvenv.cfg");
    let text = fs::read_to_string(&config).map_err(io_at(&config, "read"))?;
    let home = Path::new("/env").join(within.parent().unwrap_or(within));
    let lines = text.lines().map(|line| match line.split_once('=') {
        Some((key, _)) if key.trim() == "home" => format!("home = {}\n", home.display()),
        _ => format!("{line}\n"),
    });
    fs::write(&config, lines.collect::<String>()).map_err(io_at(&config, "written"))
}

/// Sessions run as another user: everything is opened for reading, whatever the umask was.
fn readable(root: &Path) -> Result<(), EnvironmentError> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        open_folder(&folder)?;
        for entry in fs::read_dir(&folder).map_err(io_at(&folder, "read"))? {
            let entry = entry.map_err(io_at(&folder, "read"))?;
            let path = entry.path();
            let seen = entry.metadata().map_err(io_at(&path, "read"))?;
            if seen.is_dir() {
                folders.push(path);
            } else if seen.is_file() {
                let mode = seen.permissions().mode();
                let open = mode | 0o444 | if mode & 0o100 == 0 { 0 } else { 0o111 };
                if open != mode {
                    fs::set_permissions(&path, fs::Permissions::from_mode(open))
                        .map_err(io_at(&path, "opened"))?;
                }
            }
        }
    }
    Ok(())
}

fn enough_disk(name: &str, bytes: u64, folder: &Path) -> Result<(), EnvironmentError> {
    let seen = nix::sys::statvfs::statvfs(folder).map_err(|e| io_at(folder, "measured")(e.into()))?;
    let free = seen.blocks_available() * seen.fragment_size();
    // Packed wheels lie beside the unpacked ones for a while.
    let needs = bytes + bytes / 2;
    if free >= needs {
        return Ok(());
    }
    Err(EnvironmentError::Disk {
        name: name.to_owned(),
        folder: folder.to_owned(),
        needs_mib: needs >> 20,
        free_mib: free >> 20,
    })
}

struct Steps<'a> {
    name: &'a str,
}

impl Steps<'_> {
    /// Runs one step; its last lines are the reason where it fails.
    async fn run(
        &self,
        doing: &'static str,
        command: &mut Command,
        on: &mut (dyn FnMut(Stage) + Send),
    ) -> Result<(), EnvironmentError> {
        let failed = |reason: String| EnvironmentError::Install { name: self.name.to_owned(), doing, reason };
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let mut last = String::new();
        let ended = tokio::time::timeout(STEP_LIMIT, async {
            let (lines, mut heard) = tokio::sync::mpsc::channel(64);
            let reading = [follow(out, lines.clone()), follow(err, lines)];
            while let Some(line) = heard.recv().await {
                on(Stage::Installing(line.clone()));
                last = line;
            }
            for reader in reading {
                reader.await.map_err(io::Error::other)?;
            }
            child.wait().await
        });
        match ended.await {
            Err(_) => Err(failed(format!("it took longer than {} minutes", STEP_LIMIT.as_secs() / 60))),
            Ok(Err(e)) => Err(failed(e.to_string())),
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) if last.is_empty() => Err(failed(status.to_string())),
            Ok(Ok(_)) => Err(failed(last)),
        }
    }
}

/// Sends every line that says something, cut to a sensible length.
fn follow(
    from: Option<impl AsyncRead + Unpin + Send + 'static>,
    to: tokio::sync::mpsc::Sender<String>,
) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let Some(from) = from else { return };
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let line: String = line.trim().chars().filter(|c| !c.is_control()).take(400).collect();
            if !line.is_empty() && to.send(line).await.is_err() {
                return;
            }
        }
    })
}
