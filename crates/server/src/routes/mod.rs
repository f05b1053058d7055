//! One file a call, thin: who, limits, parse, event, answer.

mod account;
mod admin;
mod attempts;
mod audits;
pub(crate) mod blobs;
mod epochs;
mod grants;
mod install;
pub(crate) mod jobs;
mod metrics;
mod nodes;
pub(crate) mod platform;
mod protocol;
pub(crate) mod quotes;
mod receipts;
mod sessions;
mod tokens;
pub(crate) mod uploads;

use crate::{
    app::App,
    bodies::{self, Bodies},
    error::ApiError,
    limits::{self, BURST, ByPeer, EVERY_US, EVERY_US_LOCAL},
    openapi, pages,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware,
    response::IntoResponse,
    routing::{get, post, put},
};
use std::{sync::Arc, time::Duration};
use tower_governor::{GovernorLayer, governor::GovernorConfigBuilder};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer, trace::TraceLayer};

/// Answers that take longer are cut; long polls end well before.
const ANSWER_TIME: Duration = Duration::from_mins(1);
/// A chunk of an upload may take this long on a slow line.
const CHUNK_TIME: Duration = Duration::from_mins(7);

/// Every call. `None` where the rate limiter cannot be made, which its constants rule out.
pub(crate) fn router(app: Arc<App>) -> Option<Router> {
    let governor = GovernorConfigBuilder::default()
        .period(Duration::from_micros(if app.local { EVERY_US_LOCAL } else { EVERY_US }))
        .burst_size(BURST)
        .key_extractor(ByPeer)
        .finish()?;
    let governor = Arc::new(governor);
    let limiter = Arc::clone(governor.limiter());
    forget_idle_peers(&app, move || limiter.retain_recent());
    let limited = GovernorLayer::new(governor).error_handler(limits::refused);
    let timed = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER_TIME);
    let slow = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, CHUNK_TIME);
    let counted = middleware::from_fn_with_state(Arc::new(Bodies::default()), bodies::count);
    let chunks = Router::new().route("/v1/uploads/{blob}", put(uploads::put::put)).layer((
        slow,
        counted.clone(),
        DefaultBodyLimit::max(limits::CHUNK),
    ));
    let receipts = Router::new().route("/v1/receipts", post(receipts::commit::commit)).layer((
        timed,
        counted,
        DefaultBodyLimit::max(limits::RECEIPTS),
    ));
    // Bytes flow for as long as they take: the reader's silence ends the connection.
    let bytes = Router::new()
        .route("/v1/blobs/{blob}", get(blobs::get::get))
        .route("/download/tatau", get(install::program));
    let all = small()
        .merge(pages::router())
        .layer((timed, DefaultBodyLimit::max(limits::JSON)))
        .merge(large().layer((timed, DefaultBodyLimit::max(limits::LARGE_JSON))))
        .merge(chunks)
        .merge(receipts)
        .merge(bytes)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), protocol::check))
        .layer(limited)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TraceLayer::new_for_http());
    Some(all.with_state(app))
}

fn small() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(platform::show::healthz))
        .route("/openapi.json", get(openapi::serve))
        .route("/metrics", get(metrics::metrics))
        .route("/install.sh", get(install::script))
        .route("/v1/platform", get(platform::show::show))
        .route("/v1/account", get(account::show::show).post(account::open::open))
        .route("/v1/account/statement", get(account::statement::statement))
        .route("/v1/account/password", put(account::password::set))
        .route("/v1/account/notify", get(account::notify::show).post(account::notify::set))
        .route("/v1/account/stake", post(account::stake::stake))
        .route("/v1/account/trust", post(account::trust::trust))
        .route("/v1/account/unstake", post(account::stake::unstake))
        .route("/v1/tokens", post(tokens::open::open))
        .route("/v1/sessions", post(sessions::open))
        .route("/v1/uploads/{blob}", get(uploads::show::show))
        .route("/v1/jobs", get(jobs::list::list))
        .route("/v1/jobs/{id}", get(jobs::show::show))
        .route("/v1/jobs/{id}/tasks/{task}/log", get(jobs::log::log))
        .route("/v1/jobs/{id}/cancel", post(jobs::cancel::cancel))
        .route("/v1/jobs/{id}/pause", post(jobs::pause::pause))
        .route("/v1/jobs/{id}/edit", post(jobs::edit::edit))
        .route("/v1/jobs/{id}/forget", post(jobs::forget::forget))
        .route("/v1/jobs/{id}/resume", post(jobs::resume::resume))
        .route("/v1/quotes", post(quotes::make::make))
        .route("/v1/nodes", post(nodes::register::register))
        .route("/v1/nodes/me", get(nodes::show::show))
        .route("/v1/nodes/me/earnings", get(nodes::earnings::earnings))
        .route("/v1/nodes/me/offer", put(nodes::offer::offer))
        .route("/v1/nodes/me/drain", post(nodes::drain::drain))
        .route("/v1/nodes/me/poll", post(nodes::poll::poll))
        .route("/v1/audits/{id}/commit", post(audits::commit::commit))
        .route("/v1/epochs", get(epochs::list::list))
        .route("/v1/epochs/{id}/receipts", get(epochs::receipts::receipts))
        .route("/v1/admin/books", get(admin::books::books))
}

fn large() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/jobs", post(jobs::submit::submit))
        .route("/v1/quotes/tasks", post(quotes::make::tasks))
        .route("/v1/grants", post(grants::open::open))
        .route("/v1/attempts/{id}/delivered", post(attempts::delivered::delivered))
        .route("/v1/attempts/{id}/failed", post(attempts::failed::failed))
        .route("/v1/audits/{id}/reveal", post(audits::reveal::reveal))
        .route("/v1/audits/{id}/failed", post(audits::failed::failed))
}

/// The limiter remembers every peer; those that were quiet are forgotten now and then.
fn forget_idle_peers(app: &App, forget: impl Fn() + Send + 'static) {
    let mut stopping = app.stopping.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(30)) => forget(),
                _ = stopping.wait_for(|stop| *stop) => return,
            }
        }
    });
}

async fn unknown() -> ApiError {
    ApiError::not_found("there is no such call; /openapi.json lists them all")
}

async fn wrong_method() -> ApiError {
    ApiError {
        status: StatusCode::METHOD_NOT_ALLOWED,
        code: "bad_request",
        sentence: "this call takes another method; /openapi.json lists them all".into(),
    }
}

#[allow(clippy::needless_pass_by_value)] // the shape that the layer calls
fn panicked(panic: Box<dyn std::any::Any + Send>) -> axum::response::Response {
    let said = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no words".into());
    ApiError::internal(&format!("a handler panicked: {said}")).into_response()
}

pub(crate) use tokens::open::make as new_token;

/// An identifier in a path.
pub(crate) fn id<T>(text: &str) -> Result<T, ApiError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| ApiError::bad_request(e.to_string()))
}
