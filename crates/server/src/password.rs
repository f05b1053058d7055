//! Passwords: which are taken, and whether one is right. Argon2id as OWASP advises; the work is done off the async threads, few
//! at a time, and takes as long for a name that nobody has.

use crate::{app::App, archive, error::ApiError, session::Session};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};
use tatau_model::{Address, Clock, SystemClock};
use tatau_store::PasswordRecord;
use tokio::sync::Semaphore;

/// OWASP Password Storage Cheat Sheet: Argon2id, 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Passwords that are worked on at once: each takes 19 MiB and tens of milliseconds of a core.
const AT_ONCE: usize = 2;
/// Passwords that may wait; more are refused as busy.
const MOST_WAITING: usize = 64;
/// Shortest and longest password, bytes.
const LEAST: usize = 10;
const MOST: usize = 200;
/// Shortest and longest name.
const NAME: std::ops::RangeInclusive<usize> = 3..=tatau_store::MAX_SIGN_IN_NAME;

/// The record of a password that nobody has: an unknown name is checked against it.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| hash(&crate::secret::hex()).ok());

/// Works on passwords.
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::default() }
    }
}

struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Passwords {
    /// What is kept of a new password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        self.work(move || hash(&password)).await?.map_err(|e| ApiError::internal(&e))
    }

    /// Is it the right one? `None`: nobody's; it takes as long and is wrong.
    pub(crate) async fn check(&self, record: Option<String>, password: String) -> Result<bool, ApiError> {
        self.work(move || {
            let known = record.is_some();
            let record = record.or_else(|| NOBODY.clone()).unwrap_or_default();
            let right = PasswordHash::new(&record).is_ok_and(|parsed| {
                argon2().is_ok_and(|a| a.verify_password(password.as_bytes(), &parsed).is_ok())
            });
            right && known
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let ahead = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(Arc::clone(&self.waiting));
        if ahead >= MOST_WAITING {
            return Err(ApiError::unavailable("very many people sign in just now; try again in a moment"));
        }
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|e| ApiError::internal(&e))?;
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        working.await.map_err(|e| ApiError::internal(&e))
    }
}

fn argon2() -> Result<Argon2<'static>, String> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| e.to_string())?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, String> {
    argon2()?.hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|e| e.to_string())
}

/// The name as it is kept: lower case letters, digits, `-` and `_`, beginning with a letter.
pub(crate) fn name(given: &str) -> Result<String, ApiError> {
    let name = given.trim().to_ascii_lowercase();
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if NAME.contains(&name.len()) && plain && name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Ok(name);
    }
    Err(ApiError::invalid(format!(
        "a name has {} to {} letters a to z, digits, - or _, and begins with a letter",
        NAME.start(),
        NAME.end()
    )))
}

/// Is this password good enough for that name?
pub(crate) fn acceptable(name: &str, password: &str) -> Result<(), ApiError> {
    if password.len() < LEAST || password.len() > MOST {
        return Err(ApiError::invalid(format!(
            "a password has {LEAST} to {MOST} characters; three or four words that do not belong together are good"
        )));
    }
    let first = password.chars().next();
    let same = password.chars().all(|c| Some(c) == first);
    if same || password.to_ascii_lowercase().contains(name) || name.contains(&password.to_ascii_lowercase()) {
        return Err(ApiError::invalid("this password is too easy to guess; leave your name out of it"));
    }
    Ok(())
}

/// Keeps name and password of an account, and signs its other browsers out.
pub(crate) async fn keep(
    app: &App,
    owner: Address,
    given: &str,
    password: String,
    but: Option<&Session>,
) -> Result<(), ApiError> {
    let name = name(given)?;
    acceptable(&name, &password)?;
    let hash = app.passwords.hash(password).await?;
    let record = PasswordRecord { owner, name, hash, changed: SystemClock.now() };
    let but = but.map(|session| session.hash);
    let kept = app.writer.keep(move |store| store.put_password(&record, but.as_ref())).await?;
    kept.map_err(|e| archive::refused(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_or_wrong_and_nobodys_is_wrong() {
        let passwords = Passwords::default();
        let kept = passwords.hash("correct horse".into()).await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_ne!(kept, passwords.hash("correct horse".into()).await.unwrap(), "each has a salt of its own");
        assert!(passwords.check(Some(kept.clone()), "correct horse".into()).await.unwrap());
        assert!(!passwords.check(Some(kept), "correct house".into()).await.unwrap());
        assert!(!passwords.check(None, "correct horse".into()).await.unwrap());
        assert!(!passwords.check(Some("damaged".into()), "damaged".into()).await.unwrap());
    }

    #[test]
    fn names_are_plain_and_passwords_not_too_easy() {
        assert_eq!(name(" Ana-1 ").unwrap(), "ana-1");
        for wrong in ["ab", "1ana", "ana maria", "ana<b>", "änne", &"a".repeat(33)] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
        assert!(acceptable("ana", "three red boats").is_ok());
        for wrong in ["short", "aaaaaaaaaaaa", "ana-ana-ana", &"x".repeat(201)] {
            assert!(acceptable("ana", wrong).is_err(), "{wrong}");
        }
    }
}
