//! The operator's page: whether all is well, and what to do where it is not.

mod bar;
mod books;
mod sections;
mod show;

use crate::{app::App, error::ApiError, pages::PageError, session::Session};
use axum::{
    Router,
    extract::FromRequestParts,
    http::request::Parts,
    routing::{get, post},
};
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/operator", get(show::show))
        .route("/operator/live", get(show::live))
        .route("/operator/books", post(books::audit))
        .route("/operator/bar", post(bar::bar))
}

/// The operator's browser. Others are led to the sign-in page, accounts are told that this is not theirs.
struct Operator {
    session: Session,
}

impl Operator {
    fn of(session: Option<Session>, next: &str) -> Result<Self, PageError> {
        match session {
            None => Err(PageError::SignIn(next.to_owned())),
            Some(session) if session.owner.is_none() => Ok(Self { session }),
            Some(_) => Err(ApiError::forbidden(
                "this page is the operator's; sign out, and come back with `tatau open --operator`",
            )
            .into()),
        }
    }
}

impl FromRequestParts<Arc<App>> for Operator {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageError> {
        Self::of(Session::of(app, &parts.headers).await?, "/operator")
    }
}
