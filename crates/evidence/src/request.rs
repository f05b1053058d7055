//! The authentication line of an HTTP request, signed by the sender's own key:
//! `Authorization: Tatau <address> <timestamp ms> <nonce> <server> <signature> [<on behalf of>]`.
//!
//! It binds the server, method, path with query, body, time and nonce; the body by its BLAKE3, because bodies are chunks of
//! files, and Keccak-256 takes fourteen times as long. The server is named as the sender dialled it, such
//! as `http://127.0.0.1:7117`: whoever was dialled cannot send the request on to another server. It is not an identity
//! that a server tells, because a dishonest one could tell another's. Whoever checks also remembers nonces for twice the
//! time window and refuses a repeated one; this crate keeps no state.

use crate::key::SigningKey;
use crate::signature::{Signature, SignatureError, verify};
use crate::typed::{Domain, RequestClaim};
use tatau_model::{Address, Digest, Millis};

/// The scheme's name in the header.
pub const SCHEME: &str = "Tatau";

/// Longer headers are refused unread.
const MAX_HEADER: usize = 1_024;

/// A request as it is sent, to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent<'a> {
    /// Scheme, host and port that are dialled, without a slash at the end; the port only where it is not the scheme's own.
    pub server: &'a str,
    /// Upper-case method.
    pub method: &'a str,
    /// Exactly what is sent, for example `/v1/jobs?limit=10`.
    pub path_and_query: &'a str,
    /// The body; empty where there is none.
    pub body: &'a [u8],
}

/// Who sent a request, as its signature shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whose key signed.
    pub signer: Address,
    /// To be refused when it is seen again.
    pub nonce: Digest,
    /// The sender's clock.
    pub timestamp: Millis,
    /// The account that the signer says it acts for; whether it may is the reader's question.
    pub on_behalf: Option<Address>,
}

/// Why a request was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The header cannot be read.
    #[error(
        "the Authorization header is malformed; send 'Tatau <address> <timestamp ms> <nonce> <server> <signature>'"
    )]
    Malformed,
    /// Signed too long ago.
    #[error(
        "the request was signed {seconds} s ago, more than the {window} s allowed; set your clock and sign again"
    )]
    TooOld {
        /// Age, seconds.
        seconds: u64,
        /// The most allowed, seconds.
        window: u64,
    },
    /// Signed by a clock that is ahead.
    #[error(
        "the request was signed {seconds} s in the future, more than the {window} s allowed; set your clock"
    )]
    FromFuture {
        /// How far ahead, seconds.
        seconds: u64,
        /// The most allowed, seconds.
        window: u64,
    },
    /// Signed for another server, or for this one under a name that it does not know.
    #[error(
        "the request was signed for {0}, which is no address of this server; if it should be one, its operator names it with `tatau serve --public-url`"
    )]
    OtherServer(String),
    /// Another key, or another request.
    #[error(
        "the signature does not fit this request and {0}; sign server, method, path, query and body exactly as sent"
    )]
    WrongSignature(Address),
}

/// The header's value for this request, signed at `now` by `key` for itself. `nonce` is 32 random bytes.
pub fn sign_request(key: &SigningKey, sent: &Sent<'_>, now: Millis, nonce: Digest) -> String {
    header(key, &claim(sent, now, nonce, None))
}

/// As [`sign_request`], by a key that acts for the account `on_behalf`.
pub fn sign_request_for(
    key: &SigningKey,
    on_behalf: Address,
    sent: &Sent<'_>,
    now: Millis,
    nonce: Digest,
) -> String {
    format!("{} {on_behalf}", header(key, &claim(sent, now, nonce, Some(on_behalf))))
}

/// Checks the header's value against the request that it came with. `is_own` knows the names of the server that
/// checks; `window_ms` is how far the sender's clock may be off, either way.
pub fn check_request(
    header: &str,
    is_own: impl FnOnce(&str) -> bool,
    method: &str,
    path_and_query: &str,
    body: &[u8],
    now: Millis,
    window_ms: u64,
) -> Result<Verified, AuthError> {
    let (verified, server, signature) = parse(header)?;
    if !is_own(server) {
        return Err(AuthError::OtherServer(server.to_owned()));
    }
    refuse_wrong_time(verified.timestamp, now, window_ms)?;
    let sent = Sent { server, method, path_and_query, body };
    let claim = claim(&sent, verified.timestamp, verified.nonce, verified.on_behalf);
    match verify(&claim.digest(&Domain::default()), &signature, verified.signer) {
        Ok(()) => Ok(verified),
        Err(SignatureError::Malformed) => Err(AuthError::Malformed),
        Err(SignatureError::WrongSigner { expected, .. }) => Err(AuthError::WrongSignature(expected)),
    }
}

fn claim<'a>(
    sent: &Sent<'a>,
    timestamp: Millis,
    nonce: Digest,
    on_behalf: Option<Address>,
) -> RequestClaim<'a> {
    let on_behalf = on_behalf.unwrap_or(Address([0; 20]));
    let Sent { server, method, path_and_query: path, body } = *sent;
    let body = Digest(*blake3::hash(body).as_bytes());
    RequestClaim { server, method, path, body, timestamp, nonce, on_behalf }
}

fn header(key: &SigningKey, claim: &RequestClaim<'_>) -> String {
    let signature = key.sign(&claim.digest(&Domain::default()));
    let RequestClaim { server, timestamp, nonce, .. } = claim;
    format!("{SCHEME} {} {} {nonce} {server} {signature}", key.address(), timestamp.0)
}

fn parse(header: &str) -> Result<(Verified, &str, Signature), AuthError> {
    if header.len() > MAX_HEADER {
        return Err(AuthError::Malformed);
    }
    let words: Vec<&str> = header.split(' ').collect();
    let (signer, timestamp, nonce, server, signature, on_behalf) = match words[..] {
        [SCHEME, signer, timestamp, nonce, server, signature] => {
            (signer, timestamp, nonce, server, signature, None)
        }
        [SCHEME, signer, timestamp, nonce, server, signature, other] => {
            (signer, timestamp, nonce, server, signature, Some(other))
        }
        _ => return Err(AuthError::Malformed),
    };
    let on_behalf = on_behalf.map(str::parse::<Address>).transpose().map_err(|_| AuthError::Malformed)?;
    // The zero address means "for itself" and is never written.
    if on_behalf == Some(Address([0; 20])) || !timestamp.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AuthError::Malformed);
    }
    let verified = Verified {
        signer: signer.parse().map_err(|_| AuthError::Malformed)?,
        nonce: nonce.parse().map_err(|_| AuthError::Malformed)?,
        timestamp: Millis(timestamp.parse().map_err(|_| AuthError::Malformed)?),
        on_behalf,
    };
    Ok((verified, server, signature.parse().map_err(|_| AuthError::Malformed)?))
}

fn refuse_wrong_time(signed: Millis, now: Millis, window_ms: u64) -> Result<(), AuthError> {
    let window = window_ms / 1000;
    let (age, ahead) = (now.since(signed), signed.since(now));
    if age > window_ms {
        return Err(AuthError::TooOld { seconds: age / 1000, window });
    }
    if ahead > window_ms {
        return Err(AuthError::FromFuture { seconds: ahead / 1000, window });
    }
    Ok(())
}
