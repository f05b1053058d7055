//! Writes what the runner streams as new files in a folder of the agent. The runner's word on names and sizes is checked again.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt;

use crate::session::OutputFile;

/// Folders between the outputs folder and a file.
pub(crate) const DEPTH: usize = 4;
/// Longest name of a file or folder.
const NAME_BYTES: usize = 128;

/// Whether a file or folder may be called so: `[A-Za-z0-9._-]{1,128}`, not `.` or `..`.
pub(crate) fn plain_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(plain) && name != "." && name != ".."
}

fn broken(sentence: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}

/// Receives the outputs of one task.
pub(crate) struct Receiver {
    folder: PathBuf,
    files: Vec<OutputFile>,
    open: Option<(File, u64)>,
    files_left: u32,
    bytes_left: u64,
}

impl Receiver {
    pub(crate) fn new(folder: &Path, files: u32, bytes: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            files: Vec::new(),
            open: None,
            files_left: files,
            bytes_left: bytes,
        }
    }

    /// A file is announced.
    pub(crate) async fn file(&mut self, name: String, bytes: u64) -> io::Result<()> {
        self.finished()?;
        let parts: Vec<&str> = name.split('/').collect();
        if parts.len() > DEPTH + 1 || !parts.iter().all(|p| plain_name(p)) {
            return Err(broken(format!("an output with the name {name:?}")));
        }
        self.files_left = self.files_left.checked_sub(1).ok_or_else(|| broken("too many outputs".into()))?;
        self.bytes_left =
            self.bytes_left.checked_sub(bytes).ok_or_else(|| broken("too large outputs".into()))?;
        let path = self.folder.join(&name);
        if let Some(parent) = path.parent() {
            tokio::fs::create_dir_all(parent).await?;
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await?;
        self.open = (bytes > 0).then_some((file, bytes));
        self.files.push(OutputFile { name, bytes });
        Ok(())
    }

    /// A piece of the last announced file.
    pub(crate) async fn chunk(&mut self, body: &[u8]) -> io::Result<()> {
        let (mut file, left) = self.open.take().ok_or_else(|| broken("a chunk of no file".into()))?;
        let left = left
            .checked_sub(body.len() as u64)
            .filter(|_| !body.is_empty())
            .ok_or_else(|| broken("a chunk of the wrong length".into()))?;
        file.write_all(body).await?;
        if left == 0 {
            file.flush().await?;
        } else {
            self.open = Some((file, left));
        }
        Ok(())
    }

    fn finished(&self) -> io::Result<()> {
        match self.open {
            Some((_, left)) => Err(broken(format!("an output cut short by {left} bytes"))),
            None => Ok(()),
        }
    }

    /// The task succeeded: what it left.
    pub(crate) fn done(self) -> io::Result<Vec<OutputFile>> {
        self.finished()?;
        Ok(self.files)
    }

    /// The task failed: removes what came.
    pub(crate) async fn discard(self) {
        for file in &self.files {
            let path = self.folder.join(&file.name);
            if let Err(error) = tokio::fs::remove_file(&path).await {
                tracing::warn!(path = %path.display(), %error, "a partial output stays behind");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "frame_0001.exr", "-x", "..."] {
            assert!(plain_name(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "a\n", "ä", &"x".repeat(129)] {
            assert!(!plain_name(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_lying_runner_writes_nothing_outside() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["../x", "/etc/x", "a/../../x", "a//b", "a/b/c/d/e/f"] {
            assert!(Receiver::new(dir.path(), 9, 9).file(name.into(), 0).await.is_err(), "{name}");
        }
        let mut receiver = Receiver::new(dir.path(), 2, 10);
        receiver.file("a/b".into(), 3).await.unwrap();
        assert!(receiver.file("c".into(), 1).await.is_err(), "the first is not complete");
        receiver.chunk(b"abc").await.unwrap();
        assert!(receiver.file("d".into(), 8).await.is_err(), "over the bytes");
        assert_eq!(std::fs::read(dir.path().join("a/b")).unwrap(), b"abc");
    }

    #[tokio::test]
    async fn existing_files_and_links_are_not_written() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/null", dir.path().join("link")).unwrap();
        assert!(Receiver::new(dir.path(), 9, 9).file("link".into(), 0).await.is_err());
    }
}
