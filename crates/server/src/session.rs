//! Browsers that are signed in: a cookie whose digest the store keeps, one-time codes that make one, and the word
//! that every changing request of a page must send back.
//!
//! A cookie alone changes nothing: a request that is not GET needs the session's CSRF word too (header `x-csrf` or form
//! field `csrf`), which no other site can read, and must not come from another origin.

use crate::{app::App, error::ApiError, secret};
use axum::http::{HeaderMap, HeaderValue, header};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use tatau_model::{Address, Clock, Millis, SystemClock};
use tatau_store::{SessionRecord, TokenHash};

/// The cookie's name.
const COOKIE: &str = "tatau_session";
/// A session counts so long, ms: 30 days.
const LASTS_MS: u64 = 30 * 24 * 3_600_000;
/// A one-time code counts so long, ms: 10 minutes.
const CODE_LASTS_MS: u64 = 600_000;
/// Codes that wait at once; the oldest make room.
const MOST_CODES: usize = 10_000;
/// Hex digits of a secret.
const SECRET_LEN: usize = 64;

/// Whose page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub hash: TokenHash,
    /// The account; `None` is the operator.
    pub owner: Option<Address>,
    /// A token let it in: it may do what the token may, and no more.
    pub limited: bool,
    /// What changing requests must send back.
    pub csrf: String,
}

/// Whom a browser is signed in as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guest {
    /// The account; `None` is the operator.
    pub owner: Option<Address>,
    /// By a token of the account only.
    pub limited: bool,
}

impl Guest {
    /// An account, by its key or its password.
    pub(crate) fn account(owner: Address) -> Self {
        Self { owner: Some(owner), limited: false }
    }

    /// The operator.
    pub(crate) const OPERATOR: Self = Self { owner: None, limited: false };
}

impl Session {
    /// The session of a request's cookie, if it is a good one.
    pub(crate) async fn of(app: &App, headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some(secret) = cookie(headers) else { return Ok(None) };
        let hash = digest(&secret);
        let Some(record) = app.archive.session(hash).await? else { return Ok(None) };
        if SystemClock.now() >= record.expires {
            return Ok(None);
        }
        Ok(Some(Self { hash, owner: record.owner, limited: record.limited, csrf: csrf(&secret) }))
    }

    /// Signs a browser in; the line is for `Set-Cookie`.
    pub(crate) async fn start(
        app: &App,
        guest: Guest,
        headers: &HeaderMap,
    ) -> Result<(Self, HeaderValue), ApiError> {
        let secret = secret::hex();
        let now = SystemClock.now();
        let Guest { owner, limited } = guest;
        let record = SessionRecord { owner, created: now, expires: now.plus(LASTS_MS), limited };
        let hash = digest(&secret);
        let kept = app.writer.keep(move |store| store.put_session(&hash, &record)).await?;
        kept.map_err(|e| ApiError::internal(&e))?;
        let cookie = set_cookie(&secret, LASTS_MS / 1_000, headers)?;
        Ok((Self { hash, owner, limited, csrf: csrf(&secret) }, cookie))
    }

    /// Signs this browser out; the answer is the line that removes its cookie.
    pub(crate) async fn end(&self, app: &App, headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
        let hash = self.hash;
        let ended = app.writer.keep(move |store| store.end_session(&hash)).await?;
        ended.map_err(|e| ApiError::internal(&e))?;
        set_cookie("", 0, headers)
    }

    /// What a token may not do, a browser that it let in may not either.
    pub(crate) fn whole(&self) -> Result<(), ApiError> {
        if self.limited {
            return Err(ApiError::forbidden(
                "this browser was let in by an API token, which may not do this; sign in with your password, or with `tatau open` beside your owner key",
            ));
        }
        Ok(())
    }

    /// May a changing request with this word and these headers be carried out?
    pub(crate) fn check(&self, word: Option<&str>, headers: &HeaderMap) -> Result<(), ApiError> {
        let same =
            word.is_some_and(|word| blake3::hash(word.as_bytes()) == blake3::hash(self.csrf.as_bytes()));
        if same && from_here(headers) {
            return Ok(());
        }
        Err(ApiError::forbidden(
            "this page is out of date or the request came from elsewhere; reload the page and try again",
        ))
    }
}

fn digest(secret: &str) -> TokenHash {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

/// Follows from the secret, so that it needs no memory; tells nothing about it.
fn csrf(secret: &str) -> String {
    let mut key = blake3::Hasher::new_derive_key("Tatau 1 CSRF word of a session");
    key.update(secret.as_bytes());
    key.finalize().to_hex()[..32].to_owned()
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let found = lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE).then_some(value)
    })?;
    let plain = found.len() == SECRET_LEN && found.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| found.to_owned())
}

fn set_cookie(secret: &str, seconds: u64, headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
    // Behind a TLS proxy the cookie never travels without TLS.
    let secure = if headers.get("x-forwarded-proto").is_some_and(|p| p == "https") { "; Secure" } else { "" };
    let line = format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&line).map_err(|e| ApiError::internal(&e))
}

/// Browsers say where a changing request comes from. One that names another site is refused; programs name none.
pub(crate) fn from_here(headers: &HeaderMap) -> bool {
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let host = headers.get("x-forwarded-host").or_else(|| headers.get(header::HOST));
    let named = origin.to_str().ok().and_then(|o| o.split_once("://")).map(|(_, host)| host);
    named.is_some() && named == host.and_then(|h| h.to_str().ok())
}

/// One-time codes. They live in memory: a restart forgets them, and the next link is a command away.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    waiting: Mutex<HashMap<TokenHash, (Guest, Millis)>>,
}

impl Codes {
    /// A fresh code that signs one browser in.
    pub(crate) fn make(&self, guest: Guest) -> String {
        let code = secret::hex();
        let now = SystemClock.now();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (_, expires)| now < *expires);
        if waiting.len() >= MOST_CODES
            && let Some(oldest) =
                waiting.iter().min_by_key(|(_, (_, expires))| *expires).map(|(hash, _)| *hash)
        {
            waiting.remove(&oldest);
        }
        waiting.insert(digest(&code), (guest, now.plus(CODE_LASTS_MS)));
        code
    }

    /// Whom this code lets in; it is used up.
    pub(crate) fn take(&self, code: &str) -> Result<Guest, ApiError> {
        let found = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(code));
        match found {
            Some((guest, expires)) if SystemClock.now() < expires => Ok(guest),
            _ => Err(ApiError::unauthorized(
                "this link was used or is older than ten minutes; `tatau open` makes a new one",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn codes_count_once() {
        let codes = Codes::default();
        let guest = Guest::account(Address([7; 20]));
        let code = codes.make(guest);
        assert!(codes.take("else").is_err());
        assert_eq!(codes.take(&code).unwrap(), guest);
        assert!(codes.take(&code).is_err());
    }

    #[test]
    fn other_sites_cannot_act_for_a_browser() {
        let session = Session { hash: [0; 32], owner: None, limited: false, csrf: "word".into() };
        let own = headers(&[("origin", "http://a:1"), ("host", "a:1"), ("sec-fetch-site", "same-origin")]);
        assert!(session.check(Some("word"), &own).is_ok());
        assert!(session.check(Some("word"), &HeaderMap::new()).is_ok());
        assert!(session.check(Some("other"), &own).is_err());
        assert!(session.check(None, &own).is_err());
        for foreign in [
            headers(&[("origin", "http://b:1"), ("host", "a:1")]),
            headers(&[("origin", "null"), ("host", "a:1")]),
            headers(&[("sec-fetch-site", "cross-site")]),
        ] {
            assert!(session.check(Some("word"), &foreign).is_err());
        }
    }

    #[test]
    fn only_whole_cookies_are_read() {
        let secret = "a".repeat(64);
        let line = format!("x=1; {COOKIE}={secret}");
        let mut map = HeaderMap::new();
        map.insert(header::COOKIE, line.parse().unwrap());
        assert_eq!(cookie(&map), Some(secret.clone()));
        assert_eq!(cookie(&headers(&[("cookie", "tatau_session=short")])), None);
        assert_ne!(csrf(&secret), csrf(&"b".repeat(64)));
    }
}
