//! `tatau provide install` and `uninstall`: a systemd service of this user, that survives a reboot.

use crate::{context::Context, exit::Ended, out, provide::How};
use anyhow::Context as _;
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tatau_agent::settings::{Price, SettingsFile};

const NAME: &str = "tatau-provide.service";
/// A unit that begins with this was written here; others are left alone.
const MARK: &str = "# Written by `tatau provide install`; `tatau provide uninstall` takes it away.";

/// Starts with the machine from now on.
#[derive(Debug, clap::Args)]
pub struct Install {
    #[command(flatten)]
    how: How,
}

pub fn install(install: &Install, context: &Context) -> anyhow::Result<()> {
    let unit = unit_path()?;
    let text = unit_text(&install.how, context)?;
    let before = read(&unit)?;
    if before.as_deref().is_some_and(|before| !before.starts_with(MARK)) {
        return Err(Ended::usage(format!(
            "{} was not written by Tatau; it is left as it is",
            unit.display()
        ))
        .hint("move it away and run `tatau provide install` again")
        .into());
    }
    // Asked before anything is written: without systemd there is nothing to install.
    systemctl(&["daemon-reload"])?;
    if before.is_none() {
        keep_settings(&install.how, context)?;
    }
    if before.as_deref() != Some(text.as_str()) {
        write(&unit, &text).with_context(|| format!("{} cannot be written", unit.display()))?;
        systemctl(&["daemon-reload"])?;
    }
    systemctl(&["enable", NAME])?;
    systemctl(&["restart", NAME])?;
    out::say(&format!("installed {}; it runs now", unit.display()));
    match run("loginctl", &["enable-linger"]) {
        Ok(()) => out::say("it starts with the machine, also before you sign in"),
        Err(why) => out::say(&format!(
            "it starts when you sign in. To start with the machine it needs: loginctl enable-linger ({why})"
        )),
    }
    if !install.how.headless {
        out::say("its page: tatau provide page");
    }
    Ok(())
}

pub fn uninstall(context: &Context) -> anyhow::Result<()> {
    let unit = unit_path()?;
    match read(&unit)? {
        None => {
            out::say("nothing is installed");
            return Ok(());
        }
        Some(text) if !text.starts_with(MARK) => {
            return Err(Ended::usage(format!(
                "{} was not written by Tatau; it is left as it is",
                unit.display()
            ))
            .into());
        }
        Some(_) => {}
    }
    systemctl(&["disable", "--now", NAME])?;
    fs::remove_file(&unit).with_context(|| format!("{} cannot be removed", unit.display()))?;
    systemctl(&["daemon-reload"])?;
    out::say(&format!(
        "removed; keys, settings and finished work stay in {}. Lingering stays as it is (loginctl disable-linger)",
        context.data()?.display()
    ));
    Ok(())
}

/// To install is to want it to work: the button is pressed, and flags are the settings.
fn keep_settings(how: &How, context: &Context) -> anyhow::Result<()> {
    let file = SettingsFile::open(context.data()?.join("node").join("provider.json"))?;
    file.change(|settings| {
        settings.working = Some(true);
        settings.price = how.ask.map_or(settings.price, Price::Fixed);
        settings.cache_gib = how.node.cache_gib.unwrap_or(settings.cache_gib);
    })?;
    Ok(())
}

fn unit_path() -> anyhow::Result<PathBuf> {
    let folder = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))
        .context(
            "neither XDG_CONFIG_HOME nor HOME is set, so there is no place for a service of this user",
        )?;
    Ok(folder.join("systemd").join("user").join(NAME))
}

fn unit_text(how: &How, context: &Context) -> anyhow::Result<String> {
    let program = std::env::current_exe().context("the program's own file cannot be found")?;
    let mut words = vec![program.into_os_string().into_string().ok(), Some("provide".into())];
    let path = |path: PathBuf| path.into_os_string().into_string().ok();
    for (flag, value) in [
        ("--server", Some(context.server().to_owned())),
        ("--data", path(context.data()?)),
        ("--cache", path(context.cache()?)),
    ] {
        words.extend([Some(flag.to_owned()), value]);
    }
    words.extend(how.node.words().into_iter().map(Some));
    // The price is a setting: were it in the unit, every start would undo what was changed on the page.
    words.push(Some(if how.headless { "--headless" } else { "--no-open" }.into()));
    if let Some(page) = how.page {
        words.extend([Some("--page".into()), Some(page.to_string())]);
    }
    let words: Option<Vec<String>> = words.into_iter().collect();
    let words = words.context("a path is not valid UTF-8; systemd cannot be told of it")?;
    let command: Vec<String> = words.iter().map(|word| quoted(word)).collect::<anyhow::Result<_>>()?;
    Ok(format!(
        "{MARK}\n\
         [Unit]\n\
         Description=Tatau: lends this machine's cards\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         ExecStart={}\n\
         Restart=on-failure\n\
         RestartSec=10\n\
         # The first signal finishes what runs; what is finished is delivered at the next start.\n\
         TimeoutStopSec=120\n\
         # Sandboxes limit memory and processes by control groups of their own.\n\
         Delegate=yes\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
        command.join(" ")
    ))
}

/// One word of a unit's command line: quoted, and nothing in it is replaced by systemd.
fn quoted(word: &str) -> anyhow::Result<String> {
    if word.chars().any(char::is_control) {
        return Err(
            Ended::usage("a path or name holds a control character; systemd cannot be told of it").into()
        );
    }
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    Ok(format!("\"{escaped}\""))
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("{} cannot be read", path.display())),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension("draft");
    fs::write(&draft, text)?;
    fs::rename(&draft, path)
}

fn systemctl(arguments: &[&str]) -> anyhow::Result<()> {
    let mut all = vec!["--user"];
    all.extend(arguments);
    run("systemctl", &all).map_err(|why| {
        Ended::usage(format!("systemd does not run services of this user here: {why}"))
            .hint("start `tatau provide` by whatever starts programs on this machine, or from your session's autostart")
            .into()
    })
}

/// Runs a program of the system's; its own words where it fails.
fn run(program: &str, arguments: &[impl AsRef<OsStr>]) -> Result<(), String> {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    match ran {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = out::clean_line(String::from_utf8_lossy(&output.stderr).trim());
            Err(if said.is_empty() { format!("{program} failed ({})", output.status) } else { said })
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(format!("there is no {program}")),
        Err(e) => Err(format!("{program} cannot be started: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_program_as_they_are() {
        assert_eq!(quoted("/home/a b/\"x\"\\%h$HOME").unwrap(), r#""/home/a b/\"x\"\\%%h$$HOME""#);
        assert!(quoted("a\nExecStart=/bin/sh").is_err());
    }
}
