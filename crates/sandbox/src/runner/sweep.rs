//! Takes a task's outputs out of the sandbox: plain files with plain names, counted, measured, streamed, then removed.
//!
//! A process that stays behind may change files until they are read; what was read is out of its reach. Folders and files are
//! opened without following links and reached through the open folder, so that a folder swapped for a link while the sweep runs
//! leads nowhere: the runner may read files of its own under `/proc` that a task may not.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc;

use super::relay::Relay;
use crate::outputs::{DEPTH, plain_name};
use crate::policy::OUT;
use crate::wire::{BODY_BYTES, FromRunner, TaskEnd};

/// Why a sweep stopped.
pub(super) enum Stop {
    /// The task's fault.
    Task(TaskEnd),
    /// The pipe or the scratch broke.
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn refused(sentence: String) -> Stop {
    Stop::Task(TaskEnd::OutputRefused { sentence })
}

fn too_large(sentence: String) -> Stop {
    Stop::Task(TaskEnd::OutputTooLarge { sentence })
}

fn too_many() -> Stop {
    too_large("the task left too many output files".into())
}

fn no_file(name: &str) -> Stop {
    refused(format!("the output {name} is no plain file (links and devices are refused)"))
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags | libc::O_NOFOLLOW).open(path)
}

/// Links in `/work/out` to what earlier tasks left: their names, and where they lead.
#[derive(Default)]
pub(super) struct Links(HashMap<String, PathBuf>);

impl Links {
    /// Links to every file of `folder`, in folders of the same names.
    pub(super) fn lay(folder: &Path) -> io::Result<Self> {
        let mut links = HashMap::new();
        lay(folder, "", &mut links)?;
        Ok(Self(links))
    }

    /// Is `path`, called `name` below `/work/out`, still the link that was laid there?
    fn is_one(&self, path: &Path, name: &str) -> bool {
        self.0.get(name).is_some_and(|to| fs::read_link(path).is_ok_and(|leads| leads == *to))
    }
}

fn lay(folder: &Path, prefix: &str, links: &mut HashMap<String, PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let place = Path::new(OUT).join(&name);
        if entry.file_type()?.is_dir() {
            fs::create_dir(&place)?;
            lay(&entry.path(), &format!("{name}/"), links)?;
        } else {
            std::os::unix::fs::symlink(entry.path(), &place)?;
            links.insert(name, entry.path());
        }
    }
    Ok(())
}

/// What one task may still send.
pub(super) struct Sweep<'a> {
    pub(super) relay: &'a Relay,
    links: &'a Links,
    pub(super) files: u32,
    pub(super) bytes: u64,
    entries: u64,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(relay: &'a Relay, links: &'a Links, files: u32, bytes: u64) -> Self {
        Self { relay, links, files, bytes, entries: u64::from(files) * 2 + 64 + 2 * links.0.len() as u64 }
    }

    /// Streams all of `/work/out`.
    pub(super) fn run(mut self) -> Result<(), Stop> {
        self.folder(Path::new(OUT), "", 0)
    }

    fn folder(&mut self, path: &Path, prefix: &str, depth: usize) -> Result<(), Stop> {
        let shown = if prefix.is_empty() { "outputs folder" } else { prefix };
        let unreadable = |error| refused(format!("the {shown} cannot be read: {error}"));
        let folder = open(path, libc::O_DIRECTORY).map_err(unreadable)?;
        let folder_path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder_path).map_err(unreadable)? {
            self.entries = self.entries.checked_sub(1).ok_or_else(too_many)?;
            let name = entry?.file_name();
            let plain = name.to_str().filter(|n| plain_name(n)).map(str::to_owned);
            names.push(plain.ok_or_else(|| {
                let why = "has a name outside A-Z a-z 0-9 . _ - or longer than 128 characters";
                refused(format!("the output {} {why}", crate::text::clean(&name.to_string_lossy())))
            })?);
        }
        names.sort_unstable();
        for name in names {
            let path = folder_path.join(&name);
            let name = format!("{prefix}{name}");
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() && depth >= DEPTH {
                return Err(refused(format!("the output folder {name} is nested more than {DEPTH} deep")));
            } else if kind.is_dir() {
                self.folder(&path, &format!("{name}/"), depth + 1)?;
            } else if kind.is_file() {
                self.file(&path, &name)?;
            } else if !self.links.is_one(&path, &name) {
                return Err(no_file(&name));
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: &str) -> Result<(), Stop> {
        let file = open(path, libc::O_NONBLOCK | libc::O_NOCTTY)
            .map_err(|error| refused(format!("the output {name} cannot be read: {error}")))?;
        let seen = file.metadata()?;
        if !seen.is_file() {
            return Err(no_file(name));
        }
        self.files = self.files.checked_sub(1).ok_or_else(too_many)?;
        self.bytes = self.bytes.checked_sub(seen.len()).ok_or_else(|| {
            too_large(format!("the output {name} of {} bytes is over what the task may leave", seen.len()))
        })?;
        self.relay.send(&FromRunner::File { name: name.to_owned(), bytes: seen.len() }, &[])?;
        self.stream(file, name, seen.len())
    }

    fn stream(&self, mut file: File, name: &str, bytes: u64) -> Result<(), Stop> {
        let mut left = bytes;
        let mut buffer = vec![0; BODY_BYTES.min(left as usize)];
        while left > 0 {
            let wanted = buffer.len().min(left as usize);
            let got = file.read(&mut buffer[..wanted])?;
            if got == 0 {
                return Err(refused(format!("the output {name} was shortened while it was read")));
            }
            self.relay.send(&FromRunner::Chunk, &buffer[..got])?;
            left -= got as u64;
        }
        Ok(())
    }
}

/// Empties `/work/out` for the next task. A process that keeps writing there can make this fail.
pub(super) fn clear() -> io::Result<()> {
    const TRIES: u32 = 8;
    let mut tries = 0;
    loop {
        match fs::remove_dir_all(OUT) {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) if tries == TRIES => return Err(error),
            Err(_) => tries += 1,
        }
    }
    match fs::create_dir(OUT) {
        // Made by a process that stays behind: its files are what the next sweep would take.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        done => done,
    }
}
