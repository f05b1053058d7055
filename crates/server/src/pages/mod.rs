//! Pages for people: server-rendered HTML, live by server-sent events. One folder a noun, one file a page.
//!
//! A page shows what the API would answer, in plain words; it decides nothing. Its templates are in `templates/pages`.

mod account;
mod answer;
mod enter;
mod error;
mod fleet;
mod frame;
mod home;
mod jobs;
mod market;
mod operator;
mod orders;
mod sign_in;
mod statement;
mod visitor;

pub(crate) use answer::{capital, go, refused};
pub(crate) use error::PageError;
pub(crate) use frame::{Area, frame};
pub(crate) use jobs::{Boards, Thumbs};
pub(crate) use visitor::{Member, Posted, Visitor};

use crate::app::App;
use askama::Template;
use axum::{
    Router,
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use std::sync::Arc;
use tatau_ui::headers::{KEPT, SECURITY};

/// Every page. What is small is limited like JSON calls, by the caller.
pub(crate) fn router() -> Router<Arc<App>> {
    let pages = Router::new()
        .route("/", get(home::home))
        .route("/enter/{code}", get(enter::enter))
        .route("/sign-out", post(enter::sign_out))
        .merge(jobs::router())
        .merge(orders::router())
        .merge(statement::router())
        .merge(sign_in::router())
        .merge(account::router())
        .merge(fleet::router())
        .merge(market::router())
        .merge(operator::router());
    pages.layer(axum::middleware::map_response(secured)).route("/assets/{name}", get(asset))
}

/// The headers of every page; a page that needs another value sets it itself.
async fn secured(mut response: Response) -> Response {
    for (name, value) in SECURITY {
        let headers = response.headers_mut();
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn asset(Path(name): Path<String>) -> Response {
    match tatau_ui::asset(&name) {
        Some(found) => (
            [
                (header::CONTENT_TYPE, found.content_type),
                (header::CACHE_CONTROL, KEPT),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            found.bytes,
        )
            .into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// A template as an answer.
pub(crate) fn html(template: &impl Template) -> Result<Html<String>, PageError> {
    template.render().map(Html).map_err(|e| crate::error::ApiError::internal(&e).into())
}
