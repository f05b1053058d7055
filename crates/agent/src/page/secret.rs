//! The page's secret: made once, kept for its owner's eyes, part of the link that is printed and opened.

use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const FILE: &str = "page.json";
/// Hex digits of a secret.
const LENGTH: usize = 64;

/// The secret cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[error("the page's link in {} could not be {doing}: {source}; check the disk and the folder's permissions", .path.display())]
pub struct PageSecretError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

/// `page.json`: where the page of this node is, or was last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageLink {
    secret: String,
    /// What to open in a browser.
    pub link: String,
}

impl PageLink {
    /// What was written for the node in this folder; `None` where it never had a page.
    pub fn read(folder: &Path) -> Result<Option<Self>, PageSecretError> {
        let path = folder.join(FILE);
        let failed = |source| PageSecretError { path: path.clone(), doing: "read", source };
        match fs::read(&path) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text).map_err(|e| failed(e.into()))?)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(e)),
        }
    }
}

/// The secret itself is in the link; the cookie and the forms' word are made from it, so that neither gives it away.
pub(super) struct Secret {
    hex: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// The one that is kept, so that an open page outlives a restart; a new one where there is none.
    pub fn open(folder: &Path) -> Result<Self, PageSecretError> {
        let kept = PageLink::read(folder)?.map(|link| link.secret);
        let good = |hex: &String| hex.len() == LENGTH && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let hex = kept.filter(good).unwrap_or_else(|| {
            let bytes: [u8; LENGTH / 2] = rand::rng().random();
            blake3::Hash::from_bytes(bytes).to_hex().to_string()
        });
        Ok(Self { hex })
    }

    /// Writes down where the page is.
    pub fn publish(&self, folder: &Path, address: SocketAddr) -> Result<PageLink, PageSecretError> {
        let link =
            PageLink { secret: self.hex.clone(), link: format!("http://{address}/open?key={}", self.hex) };
        let path = folder.join(FILE);
        let put = || {
            fs::create_dir_all(folder)?;
            let draft = path.with_extension("json.draft");
            let _ = fs::remove_file(&draft);
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            file.write_all(&serde_json::to_vec_pretty(&link)?)?;
            file.sync_all()?;
            fs::rename(&draft, &path)
        };
        put().map_err(|source| PageSecretError { path: path.clone(), doing: "written", source })?;
        Ok(link)
    }

    /// Is it the link's? Compared by digests: that takes the same time for every wrong one.
    pub fn is(&self, given: &str) -> bool {
        given.len() <= LENGTH && blake3::hash(given.as_bytes()) == blake3::hash(self.hex.as_bytes())
    }

    fn derived(&self, what: &str) -> blake3::Hash {
        blake3::hash(format!("tatau provider page: {what}: {}", self.hex).as_bytes())
    }

    /// The cookie's value.
    pub fn cookie(&self) -> String {
        self.derived("cookie").to_hex().to_string()
    }

    /// Is that it?
    pub fn is_cookie(&self, given: &str) -> bool {
        blake3::Hash::from_hex(given).is_ok_and(|given| given == self.derived("cookie"))
    }

    /// What every changing request sends back.
    pub fn word(&self) -> String {
        self.derived("csrf").to_hex()[..32].to_owned()
    }

    /// Is that it?
    pub fn is_word(&self, given: &str) -> bool {
        given.len() == 32 && blake3::hash(given.as_bytes()) == blake3::hash(self.word().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_and_kept_from_others() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(PageLink::read(dir.path()).unwrap(), None);
        let secret = Secret::open(dir.path()).unwrap();
        let link = secret.publish(dir.path(), "127.0.0.1:9".parse().unwrap()).unwrap();
        assert_eq!(PageLink::read(dir.path()).unwrap().as_ref(), Some(&link));
        let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(dir.path().join(FILE)).unwrap());
        assert_eq!(mode & 0o777, 0o600);
        let again = Secret::open(dir.path()).unwrap();
        assert_eq!(again.hex, secret.hex);
        assert!(secret.is(&again.hex) && secret.is_cookie(&again.cookie()) && secret.is_word(&again.word()));
        assert!(!secret.is("") && !secret.is_cookie(&secret.hex) && !secret.is_word(""));
        let other = Secret::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(
            !secret.is(&other.hex) && !secret.is_cookie(&other.cookie()) && !secret.is_word(&other.word())
        );
        assert!(!link.link.contains(&secret.cookie()) && !link.link.contains(&secret.word()));
    }
}
