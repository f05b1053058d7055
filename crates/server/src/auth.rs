//! Who a request comes from: signatures, tokens, the operator, signed-in browsers.
//!
//! Every handler takes a [`Call`]: the body was read within its limit, and the `Authorization` line, where there is one,
//! was checked against this server's names and method, path, query and body exactly as sent. A wrong line is refused even on open calls.

use crate::{
    app::App,
    error::ApiError,
    listen::ArrivedAt,
    nonces::{NonceRefusal, WINDOW_MS},
    session::Session,
};
use axum::{
    body::Bytes,
    extract::{ConnectInfo, FromRequest, Request},
    http::{HeaderMap, Method, StatusCode, header},
};
use serde::de::DeserializeOwned;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tatau_evidence::{AuthError, check_request};
use tatau_model::{Address, Clock, Node, SystemClock};

/// Who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// An owner's or a node's key.
    Key(Address),
    /// A token of this account.
    Token(Address),
    /// A browser that is signed in to this account; `limited`: let in by a token.
    Browser { owner: Address, limited: bool },
    /// The operator's token.
    Operator,
    /// Nobody.
    Nobody,
}

/// One request, read and checked.
pub(crate) struct Call {
    pub who: Who,
    pub body: Bytes,
    pub peer: IpAddr,
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let peer = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip())
            .ok_or_else(|| ApiError::internal(&"the peer's address is missing"))?;
        let local = request
            .extensions()
            .get::<ArrivedAt>()
            .map(|at| at.0)
            .ok_or_else(|| ApiError::internal(&"the server's own address is missing"))?;
        let method = request.method().clone();
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let line = match request.headers().get(header::AUTHORIZATION) {
            None => None,
            Some(value) => Some(value.to_str().map_err(|_| unreadable())?.to_owned()),
        };
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, app).await.map_err(|e| {
            if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::too_large("the request's body is larger than this call takes; send less at once")
            } else {
                ApiError::bad_request("the request's body did not arrive whole; send it again")
            }
        })?;
        let who = match line {
            None => browser(app, &method, &headers).await?,
            Some(line) => match line.strip_prefix("Bearer ") {
                Some(token) => bearer(app, token).await?,
                None => Who::Key(signed(app, local, &line, method.as_str(), &path, &body)?),
            },
        };
        Ok(Self { who, body, peer })
    }
}

/// A page's script acts for whoever is signed in; where it changes something, only with the session's word.
async fn browser(app: &App, method: &Method, headers: &HeaderMap) -> Result<Who, ApiError> {
    let Some(session) = Session::of(app, headers).await? else { return Ok(Who::Nobody) };
    if !matches!(*method, Method::GET | Method::HEAD) {
        session.check(headers.get("x-csrf").and_then(|word| word.to_str().ok()), headers)?;
    }
    let Session { owner, limited, .. } = session;
    Ok(owner.map_or(Who::Operator, |owner| Who::Browser { owner, limited }))
}

fn unreadable() -> ApiError {
    ApiError::unauthorized("the Authorization line cannot be read; send `Tatau …` or `Bearer …`")
}

fn signed(
    app: &App,
    local: SocketAddr,
    line: &str,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<Address, ApiError> {
    let now = SystemClock.now();
    let is_own = |named: &str| app.names.is_own(named, local);
    let verified = check_request(line, is_own, method, path, body, now, WINDOW_MS).map_err(|e| match e {
        AuthError::TooOld { .. } | AuthError::FromFuture { .. } => ApiError::other_clock(e.to_string()),
        _ => ApiError::unauthorized(e.to_string()),
    })?;
    if verified.on_behalf.is_some_and(|owner| owner != verified.signer) {
        return Err(ApiError::forbidden(
            "this server takes no requests on behalf of others; sign as yourself",
        ));
    }
    match app.nonces.take(verified.signer, verified.nonce, verified.timestamp) {
        Ok(()) => Ok(verified.signer),
        Err(NonceRefusal::Replay) => {
            Err(ApiError::unauthorized("this signed request was used before; sign every request afresh"))
        }
        Err(NonceRefusal::FullForSigner) => {
            Err(ApiError::too_many("this key signed very many requests in the last minutes; go on slower"))
        }
        Err(NonceRefusal::Full) => Err(ApiError::too_many("the server is busy; try again in a minute")),
        Err(NonceRefusal::BeforeStart) => {
            Err(ApiError::unavailable("this was signed before the server started; sign it again and send it"))
        }
    }
}

async fn bearer(app: &App, token: &str) -> Result<Who, ApiError> {
    if token.len() > 200 {
        return Err(unreadable());
    }
    let hash = blake3::hash(token.as_bytes());
    // Equality of these hashes takes constant time.
    if hash == app.operator {
        return Ok(Who::Operator);
    }
    match app.archive.token_owner(*hash.as_bytes()).await? {
        Some(owner) => Ok(Who::Token(owner)),
        None => Err(ApiError::unauthorized("no account has this token; make one with `tatau token`")),
    }
}

impl Call {
    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body)
            .map_err(|e| ApiError::bad_request(format!("the body is not the JSON this call takes: {e}")))
    }

    /// The key that signed; tokens do not do.
    pub(crate) fn key(&self) -> Result<Address, ApiError> {
        match self.who {
            Who::Key(address) => Ok(address),
            Who::Nobody => Err(nobody()),
            Who::Token(_) | Who::Browser { .. } | Who::Operator => {
                Err(ApiError::forbidden("this call needs a signature by the key itself; a token does not do"))
            }
        }
    }

    /// The account that signed or whose token it is.
    pub(crate) async fn account(&self, app: &App) -> Result<Address, ApiError> {
        let owner = match self.who {
            Who::Token(owner) | Who::Browser { owner, .. } => return Ok(owner),
            Who::Key(owner) => owner,
            Who::Nobody => return Err(nobody()),
            Who::Operator => {
                return Err(ApiError::forbidden(
                    "the operator's token is no account; sign with an owner key",
                ));
            }
        };
        let (account, node) =
            app.writer.read(move |s| (s.account(&owner).is_some(), s.node(&owner).is_some())).await?;
        match (account, node) {
            (true, _) => Ok(owner),
            (false, true) => {
                Err(ApiError::forbidden("a node's key cannot act for its account; sign with the owner key"))
            }
            (false, false) => Err(no_account(&owner)),
        }
    }

    /// The registered node that signed.
    pub(crate) async fn node(&self, app: &App) -> Result<Node, ApiError> {
        let id = self.key()?;
        let node = app.writer.read(move |s| s.node(&id).cloned()).await?;
        node.ok_or_else(|| {
            ApiError::forbidden(format!("{id} is no registered node; register it with POST /v1/nodes"))
        })
    }

    /// An account or a registered node: whoever may bring bytes.
    pub(crate) async fn member(&self, app: &App) -> Result<Address, ApiError> {
        let id = match self.who {
            Who::Token(owner) | Who::Browser { owner, .. } => return Ok(owner),
            Who::Key(id) => id,
            Who::Nobody => return Err(nobody()),
            Who::Operator => return Err(ApiError::forbidden("the operator's token is no account")),
        };
        let known = app.writer.read(move |s| s.account(&id).is_some() || s.node(&id).is_some()).await?;
        if known { Ok(id) } else { Err(no_account(&id)) }
    }

    /// The operator.
    pub(crate) fn operator(&self) -> Result<(), ApiError> {
        match self.who {
            Who::Operator => Ok(()),
            Who::Nobody => Err(nobody()),
            _ => Err(ApiError::forbidden(
                "only the operator may do this; send the token in the file operator.token of the server's data folder",
            )),
        }
    }
}

fn no_account(owner: &Address) -> ApiError {
    ApiError::forbidden(format!(
        "{owner} has no account here yet; `tatau wallet` or POST /v1/account opens one"
    ))
}

fn nobody() -> ApiError {
    ApiError::unauthorized("this call needs an Authorization line: a signature by your key, or a token")
}

/// The network block of an address: IPv4 /24 or IPv6 /48.
pub(crate) fn block_of(peer: IpAddr) -> String {
    match peer.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_networks_and_mapped_addresses_are_ipv4() {
        for (ip, block) in [
            ("10.1.2.3", "10.1.2.0/24"),
            ("::ffff:10.1.2.3", "10.1.2.0/24"),
            ("2001:db8:1:2::9", "2001:db8:1::/48"),
        ] {
            assert_eq!(block_of(ip.parse().unwrap()), block);
        }
    }
}
