//! `provider.json`: read once, checked, written whole.

use super::{Settings, VERSION};
use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use tokio::sync::watch;

/// Largest file, bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Why settings could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file.
    #[error("{} could not be {doing}: {source}; check the disk and the folder's permissions", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// `read`, `written`.
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// What is in it.
    #[error("{} cannot be understood ({why}); mend it, or remove it to begin with good defaults", .path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Written by a later version of this program.
    #[error("{} was written by a newer Tatau (version {found}, this one knows {VERSION}); install that version", .path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// What was asked for cannot be.
    #[error("{0}")]
    Refused(String),
}

/// The settings of one node: what is kept on disk, and whoever waits for a change.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    current: watch::Sender<Settings>,
    writing: Mutex<()>,
}

impl SettingsFile {
    /// Reads the file; where there is none, good defaults.
    pub fn open(path: PathBuf) -> Result<Self, SettingsError> {
        let settings = read(&path)?.unwrap_or_default();
        Ok(Self { path, current: watch::Sender::new(settings), writing: Mutex::new(()) })
    }

    /// As they are now.
    pub fn now(&self) -> Settings {
        self.current.borrow().clone()
    }

    /// Hears of every change.
    pub fn watch(&self) -> watch::Receiver<Settings> {
        self.current.subscribe()
    }

    /// Changes them: checked, written to disk, then told. On an error nothing is changed. Blocks for a moment.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, SettingsError> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = self.now();
        change(&mut next);
        next.check().map_err(SettingsError::Refused)?;
        if next != *self.current.borrow() || !self.path.exists() {
            write(&self.path, &next)?;
            self.current.send_replace(next.clone());
        }
        Ok(next)
    }
}

fn read(path: &Path) -> Result<Option<Settings>, SettingsError> {
    let io_error = |source| SettingsError::Io { path: path.to_owned(), doing: "read", source };
    let malformed = |why: String| SettingsError::Malformed { path: path.to_owned(), why };
    match fs::metadata(path) {
        Ok(seen) if seen.len() > MOST_BYTES => return Err(malformed("it is too large".into())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        _ => {}
    }
    let text = fs::read(path).map_err(io_error)?;
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|e| malformed(e.to_string()))?;
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    match version {
        Some(version) if version > u64::from(VERSION) => {
            return Err(SettingsError::Newer { path: path.to_owned(), found: version });
        }
        None => return Err(malformed("it names no version".into())),
        Some(_) => {}
    }
    let settings: Settings = serde_json::from_value(value).map_err(|e| malformed(e.to_string()))?;
    settings.check().map_err(malformed)?;
    Ok(Some(settings))
}

fn write(path: &Path, settings: &Settings) -> Result<(), SettingsError> {
    let failed = |source| SettingsError::Io { path: path.to_owned(), doing: "written", source };
    let mut text = serde_json::to_vec_pretty(settings).map_err(|e| failed(e.into()))?;
    text.push(b'\n');
    let draft = path.with_extension("json.draft");
    let put = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    put().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::super::{Day, Hours, Minute, Price};
    use super::*;
    use tatau_model::Amount;

    #[test]
    fn changes_are_kept_told_and_survive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node").join("provider.json");
        let file = SettingsFile::open(path.clone()).unwrap();
        assert_eq!(file.now(), Settings::default());
        let mut heard = file.watch();
        heard.mark_unchanged();
        let weekend = Hours { days: [Day::Sat, Day::Sun].into(), from: Minute(60), to: Minute(0) };
        file.change(|s| {
            s.hours.push(weekend);
            s.price = Price::AtLeast(Amount(9));
            s.cards_off.insert(2);
        })
        .unwrap();
        assert!(heard.has_changed().unwrap());
        let again = SettingsFile::open(path.clone()).unwrap();
        assert_eq!(again.now(), file.now());
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap());
        assert_eq!(mode & 0o777, 0o600);
        // Refused: nothing changes, neither here nor on disk.
        assert!(matches!(file.change(|s| s.cache_gib = 0), Err(SettingsError::Refused(_))));
        assert_eq!(SettingsFile::open(path).unwrap().now(), file.now());
    }

    #[test]
    fn a_file_that_is_not_understood_is_an_error_and_never_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("provider.json");
        let opened = |text: &str| {
            fs::write(&path, text).unwrap();
            SettingsFile::open(path.clone())
        };
        assert!(opened(r#"{"version": 1}"#).is_ok());
        assert!(matches!(opened(r#"{"version": 2, "x": 1}"#), Err(SettingsError::Newer { found: 2, .. })));
        for text in ["", "[]", "{}", r#"{"version": 1, "cash_gib": 3}"#, r#"{"version": 1, "cache_gib": 0}"#]
        {
            assert!(matches!(opened(text), Err(SettingsError::Malformed { .. })), "{text}");
        }
    }
}
