//! `GET /enter/{code}`: a one-time link signs the browser in. `POST /sign-out` ends that.

use super::{PageError, Posted};
use crate::{app::App, session::Session};
use axum::{
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use std::sync::Arc;

pub(crate) async fn enter(
    State(app): State<Arc<App>>,
    Path(code): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let guest = app.codes.take(&code)?;
    let (_, cookie) = Session::start(&app, guest, &headers).await?;
    let next = if guest.owner.is_some() { "/jobs" } else { "/operator" };
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response())
}

pub(crate) async fn sign_out(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    let cookie = posted.session.end(&app, &posted.headers).await?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}
