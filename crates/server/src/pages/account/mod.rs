//! One's own account: money in plain words, password, tokens, browsers, stake.

mod browsers;
mod money;
mod notify;
mod password;
mod show;
mod stake;
mod tokens;
mod trust;

use super::PageError;
use crate::{app::App, error::ApiError, session::Session};
use axum::{
    Router,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/account", get(show::show))
        .route("/account/password", post(password::set))
        .route("/account/tokens", post(tokens::make))
        .route("/account/tokens/remove", post(tokens::remove))
        .route("/account/browsers", post(browsers::end))
        .route("/account/stake", post(stake::put_up))
        .route("/account/unstake", post(stake::take_back))
        .route("/account/notify", post(notify::set))
        .route("/account/trust", post(trust::mark))
        .route("/account/trust/remove", post(trust::take_back))
}

/// What was done, as the page's address names it and as the page then says it.
const DONE: &[(&str, &str)] = &[
    ("password", "Your password is set; other browsers were signed out."),
    ("token-removed", "The token counts no more."),
    ("browsers", "All other browsers are signed out."),
    ("stake", "The stake is up."),
    ("notify", "You are told there of your jobs; a mail address counts once its code came back."),
    ("trusted", "Machines of that account may see what you keep for trusted machines."),
    ("untrusted", "Machines of that account get no more scenes that are for trusted machines."),
    ("unstake", "The stake is on its way out; it becomes available when its time is over."),
];

/// Back to the page, with a word.
fn done(what: &str) -> Response {
    Redirect::to(&format!("/account?done={what}")).into_response()
}

/// The page again, with the reason; what is the server's own fault is a page of its own.
async fn refused(app: &App, session: &Session, error: ApiError) -> Result<Response, PageError> {
    if error.status.is_server_error() {
        return Err(error.into());
    }
    show::page(app, session, show::Said::Refusal(error)).await
}
