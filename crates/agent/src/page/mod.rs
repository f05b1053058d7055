//! The provider's page: served on the loopback address alone, for the person at this machine.
//!
//! Shows the cockpit's board and changes its settings; decides nothing. Who may: whoever holds the secret of the link that was
//! printed, from this page and no other (`guard`). Pictures are strangers' bytes: they are handed to the browser, never decoded here.

mod act;
mod cards;
mod forms;
mod guard;
mod live;
mod mining;
mod overview;
mod parts;
mod secret;
mod settings;
mod show;

pub use secret::{PageLink, PageSecretError};

use crate::Cockpit;
use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use secret::Secret;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path as FilePath,
    sync::Arc,
};
use tatau_ui::headers::{KEPT, SECURITY};
use tokio::{net::TcpListener, sync::Semaphore};

/// Where it is looked for first.
pub const PORT: u16 = 7_118;
/// Ports tried after that.
const MORE_PORTS: u16 = 100;
/// Largest form, bytes.
const FORM_BYTES: usize = 64 << 10;
/// Live connections at once.
const LIVE: usize = 16;

/// Why the page cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Not this machine's own address.
    #[error("the page is for this machine alone; {0} is not a loopback address: take 127.0.0.1:{PORT}")]
    NotLoopback(SocketAddr),
    /// Nothing to listen on.
    #[error(
        "the page cannot listen on {address}: {source}; name another with --page, or leave it out with --headless"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// Its secret.
    #[error(transparent)]
    Secret(#[from] PageSecretError),
}

/// A page that is ready to be served.
#[derive(Debug)]
pub struct Page {
    listener: TcpListener,
    shared: Arc<Shared>,
    /// What to open in a browser; whoever has it can steer this provider.
    pub link: String,
}

/// What every handler reaches.
#[derive(Debug)]
pub(crate) struct Shared {
    cockpit: Arc<Cockpit>,
    secret: Secret,
    address: SocketAddr,
    /// The platform's address, for words.
    server: String,
    live: Arc<Semaphore>,
}

impl Page {
    /// Takes the address; without one the first free port from [`PORT`] on. `folder` is the node's, where the secret is kept.
    pub async fn bind(
        cockpit: Arc<Cockpit>,
        folder: &FilePath,
        server: &str,
        address: Option<SocketAddr>,
    ) -> Result<Self, PageError> {
        let listener = match address {
            Some(address) if !address.ip().is_loopback() => return Err(PageError::NotLoopback(address)),
            Some(address) => listen(address).await?,
            None => first_free().await?,
        };
        let address = listener.local_addr().map_err(|source| PageError::Listen {
            address: address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))),
            source,
        })?;
        let secret = Secret::open(folder)?;
        let link = secret.publish(folder, address)?.link;
        let live = Arc::new(Semaphore::new(LIVE));
        let shared = Arc::new(Shared { cockpit, secret, address, server: server.to_owned(), live });
        Ok(Self { listener, shared, link })
    }

    /// Serves until the future is dropped.
    pub async fn serve(self) {
        if let Err(error) = axum::serve(self.listener, router(self.shared)).await {
            tracing::warn!(%error, "the page is gone");
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, PageError> {
    TcpListener::bind(address).await.map_err(|source| PageError::Listen { address, source })
}

async fn first_free() -> Result<TcpListener, PageError> {
    let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    for port in PORT..PORT + MORE_PORTS {
        match listen(at(port)).await {
            Err(PageError::Listen { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
    listen(at(0)).await
}

fn router(shared: Arc<Shared>) -> Router {
    let pages = Router::new()
        .route("/", get(overview::show))
        .route("/live", get(live::live))
        .route("/work", post(act::work))
        .route("/cards/{card}", post(act::card))
        .route("/cards/{card}/picture", get(cards::picture))
        .route("/settings", get(settings::show))
        .route("/settings/price", post(forms::price))
        .route("/settings/power", post(forms::power))
        .route("/settings/hours", post(forms::add_hours))
        .route("/settings/hours/{row}/remove", post(forms::remove_hours))
        .route("/settings/idle", post(forms::idle))
        .route("/settings/limits", post(forms::limits))
        .route("/settings/taken", post(forms::taken))
        .route("/settings/command", post(forms::command))
        .route("/settings/money", post(forms::money))
        .route("/settings/mining", post(forms::mining));
    let guarded = pages.layer(middleware::from_fn_with_state(Arc::clone(&shared), guard::member));
    Router::new()
        .merge(guarded)
        .route("/open", get(guard::open))
        .route("/assets/{name}", get(asset))
        .fallback(nothing)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard::host))
        // Outside of the guards: refusals are pages, too.
        .layer(middleware::map_response(secured))
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .with_state(shared)
}

/// The headers of every page; what needs another value sets it itself.
async fn secured(mut response: Response) -> Response {
    for (name, value) in SECURITY {
        let headers = response.headers_mut();
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn asset(State(_): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    match tatau_ui::asset(&name) {
        Some(found) => {
            ([(header::CONTENT_TYPE, found.content_type), (header::CACHE_CONTROL, KEPT)], found.bytes)
                .into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn nothing() -> Response {
    guard::refused(StatusCode::NOT_FOUND, "There is nothing here. The provider's page is at the start.")
}

/// A template as an answer.
fn html(template: &impl askama::Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            guard::refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                "This page could not be written; the log says why.",
            )
        }
    }
}
