//! A node's identity: its own hot key, and the delegation by which it works for an owner.

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use tatau_evidence::{Delegation, Domain, KeyFileError, Signature, SigningKey, keyfile};
use tatau_model::{Address, Millis};

/// How long a new delegation counts, ms: 400 days.
const LASTS_MS: u64 = 400 * 24 * 3_600_000;
/// One that ends sooner than this is renewed where the owner's key is at hand, ms: 30 days.
const RENEWED_MS: u64 = 30 * 24 * 3_600_000;

/// Why a node cannot say who it is.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    /// The node's key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// Another process is this node.
    #[error("the data folder {} is in use by another tatau process; stop that one, or name another with --data", .0.display())]
    InUse(PathBuf),
    /// No delegation, and no key to make one.
    #[error("this node has no valid delegation in {}; start it once with the owner's key, or with a join code of the fleet page", .0.display())]
    NoDelegation(PathBuf),
    /// A file could not be read or written.
    #[error("{} could not be {doing}: {source}; check the disk and the folder's permissions", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// `made`, `read`, …
        doing: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

fn io_at<'a>(path: &'a Path, doing: &'static str) -> impl FnOnce(io::Error) -> MembershipError + 'a {
    move |source| MembershipError::Io { path: path.to_owned(), doing, source }
}

/// The node in one data folder; nobody else can be it while this lives.
#[derive(Debug)]
pub struct Membership {
    /// The node's hot key.
    pub key: SigningKey,
    path: PathBuf,
    joined: PathBuf,
    _lock: File,
}

/// `joined.json`: the fleet that this node joined by a code. The platform knows it; nothing here proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// Who is paid.
    pub owner: Address,
}

impl Joined {
    const FILE: &str = "joined.json";

    /// The fleet that the node in `dir` joined, if it did.
    pub fn in_folder(dir: &Path) -> Result<Option<Self>, MembershipError> {
        let path = dir.join(Self::FILE);
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| io_at(&path, "read")(e.into())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io_at(&path, "read")(e)),
        }
    }
}

/// By what right a node registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// The owner's signature.
    Delegated(Delegated),
    /// A code of the owner's fleet page, shown once; afterwards the node is in the fleet.
    Join(String),
    /// It joined before.
    Joined(Joined),
}

/// `delegation.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegated {
    /// Who is paid.
    pub owner: Address,
    /// It counts before this moment.
    pub expires: Millis,
    /// The owner's signature.
    pub signature: String,
}

impl Membership {
    /// Opens the node in `dir`, making its key on first need.
    pub fn open(dir: &Path, rng: &mut impl CryptoRng) -> Result<Self, MembershipError> {
        fs::create_dir_all(dir).map_err(io_at(dir, "made"))?;
        let lock_path = dir.join("node.lock");
        let lock = File::create(&lock_path).map_err(io_at(&lock_path, "made"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(MembershipError::InUse(dir.to_owned())),
            Err(fs::TryLockError::Error(e)) => return Err(io_at(&lock_path, "locked")(e)),
        }
        let key = keyfile::load_or_create(&dir.join("node.key"), rng)?;
        Ok(Self { key, path: dir.join("delegation.json"), joined: dir.join(Joined::FILE), _lock: lock })
    }

    /// By what right this node registers: a code given now, the owner's key given now, a delegation in the folder, the fleet
    /// that it joined before; in this order.
    pub fn right(
        &self,
        owner: Option<&SigningKey>,
        join: Option<&str>,
        domain: &Domain,
        now: Millis,
    ) -> Result<Right, MembershipError> {
        if let Some(code) = join {
            return Ok(Right::Join(code.to_owned()));
        }
        let folder = self.joined.parent().unwrap_or(Path::new("."));
        match (self.delegated(owner, domain, now), Joined::in_folder(folder)?) {
            (Err(MembershipError::NoDelegation(_)), Some(joined)) => Ok(Right::Joined(joined)),
            (delegated, _) => delegated.map(Right::Delegated),
        }
    }

    /// Remembers the fleet that a code let this node into. What it was before does not count any more.
    pub fn join(&self, owner: Address) -> Result<(), MembershipError> {
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_at(&self.path, "removed")(e)),
            _ => {}
        }
        write_json(&self.joined, &Joined { owner })
    }

    /// The delegation in this folder if it is good; with the owner's key a new one where it is missing, ends soon, is of another
    /// owner or of another domain.
    pub fn delegated(
        &self,
        owner: Option<&SigningKey>,
        domain: &Domain,
        now: Millis,
    ) -> Result<Delegated, MembershipError> {
        let kept = self.kept(domain)?;
        match (kept, owner) {
            (Some(kept), None) if now < kept.expires => Ok(kept),
            (Some(kept), Some(owner))
                if kept.owner == owner.address() && now.plus(RENEWED_MS) < kept.expires =>
            {
                Ok(kept)
            }
            (_, None) => Err(MembershipError::NoDelegation(self.path.clone())),
            (_, Some(owner)) => {
                let claim = Delegation {
                    owner: owner.address(),
                    node: self.key.address(),
                    expires: now.plus(LASTS_MS),
                };
                let signature = claim.sign(domain, owner).to_string();
                let made = Delegated { owner: claim.owner, expires: claim.expires, signature };
                self.keep(&made)?;
                Ok(made)
            }
        }
    }

    /// What is on disk, if it was signed for this node and domain.
    fn kept(&self, domain: &Domain) -> Result<Option<Delegated>, MembershipError> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_at(&self.path, "read")(e)),
        };
        let Ok(kept) = serde_json::from_slice::<Delegated>(&text) else { return Ok(None) };
        let claim = Delegation { owner: kept.owner, node: self.key.address(), expires: kept.expires };
        let signed = kept.signature.parse::<Signature>().and_then(|s| claim.check(domain, &s));
        Ok(signed.is_ok().then_some(kept))
    }

    fn keep(&self, made: &Delegated) -> Result<(), MembershipError> {
        write_json(&self.path, made)
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), MembershipError> {
    let text = serde_json::to_vec_pretty(value).map_err(|e| io_at(path, "written")(e.into()))?;
    let draft = path.with_extension("draft");
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, path)).map_err(io_at(path, "written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delegation_is_kept_renewed_and_needed() {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = rand::rng();
        let node = Membership::open(dir.path(), &mut rng).unwrap();
        let (owner, domain) = (SigningKey::generate(&mut rng), Domain::default());
        let now = Millis(1_000_000);
        assert!(matches!(node.delegated(None, &domain, now), Err(MembershipError::NoDelegation(_))));
        let first = node.delegated(Some(&owner), &domain, now).unwrap();
        assert_eq!(node.delegated(None, &domain, now.plus(5)).unwrap(), first);
        assert_eq!(node.delegated(Some(&owner), &domain, now.plus(5)).unwrap(), first);
        let late = now.plus(LASTS_MS - 5);
        assert_ne!(node.delegated(Some(&owner), &domain, late).unwrap(), first);
        let other = SigningKey::generate(&mut rng);
        assert_eq!(node.delegated(Some(&other), &domain, now).unwrap().owner, other.address());
        let chain = Domain::on_chain(5, Address([0; 20]));
        assert!(node.delegated(None, &chain, now).is_err());
    }

    #[test]
    fn a_node_that_joined_remembers_its_fleet() {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = rand::rng();
        let node = Membership::open(dir.path(), &mut rng).unwrap();
        let (own, domain, now) = (SigningKey::generate(&mut rng), Domain::default(), Millis(1_000));
        let right = |owner, join| node.right(owner, join, &domain, now);
        assert!(matches!(right(Some(&own), None).unwrap(), Right::Delegated(_)));
        assert_eq!(right(Some(&own), Some("code")).unwrap(), Right::Join("code".into()));
        let fleet = Address([7; 20]);
        node.join(fleet).unwrap();
        assert_eq!(Joined::in_folder(dir.path()).unwrap(), Some(Joined { owner: fleet }));
        assert_eq!(right(None, None).unwrap(), Right::Joined(Joined { owner: fleet }));
        // With the owner's key at hand it is that owner's again.
        assert!(matches!(right(Some(&own), None).unwrap(), Right::Delegated(_)));
        fs::write(dir.path().join(Joined::FILE), "{").unwrap();
        assert!(Joined::in_folder(dir.path()).is_err(), "a damaged file is not no file");
    }

    #[test]
    fn one_folder_is_one_node() {
        let dir = tempfile::tempdir().unwrap();
        let first = Membership::open(dir.path(), &mut rand::rng()).unwrap();
        assert!(matches!(Membership::open(dir.path(), &mut rand::rng()), Err(MembershipError::InUse(_))));
        let address = first.key.address();
        drop(first);
        assert_eq!(Membership::open(dir.path(), &mut rand::rng()).unwrap().key.address(), address);
    }
}
