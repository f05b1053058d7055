//! `GET /sign-in`.

use super::place::own_path;
use crate::{
    app::App,
    error::ApiError,
    pages::{Area, PageError, Visitor, frame, html},
};
use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_ui::{Frame, Notice, Tone};

/// Where a browser goes that asked for nothing.
pub(super) const HOME: &str = "/account";

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "pages/sign_in.html")]
struct SignIn<'a> {
    frame: Frame,
    next: &'a str,
    name: &'a str,
    local: bool,
    /// The operator's part is open: that is what was tried, or where it leads.
    operator: bool,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    visitor: Visitor,
) -> Result<Response, PageError> {
    let next = own_path(&asked.next, HOME);
    if visitor.session.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    let frame = frame(&app, None, Area::Elsewhere).await?;
    let operator = next.starts_with("/operator");
    Ok(html(&SignIn { frame, next, name: "", local: app.local, operator })?.into_response())
}

/// The page again, with the reason.
pub(super) async fn refused(
    app: &App,
    error: ApiError,
    name: &str,
    next: &str,
    operator: bool,
) -> Result<Response, PageError> {
    if error.status.is_server_error() {
        return Err(error.into());
    }
    let mut frame = frame(app, None, Area::Elsewhere).await?;
    frame.notice = Some(Notice { tone: Tone::Bad, text: crate::pages::capital(&error.sentence) });
    let page = SignIn { frame, next: own_path(next, HOME), name, local: app.local, operator };
    Ok((error.status, html(&page)?).into_response())
}

/// On to where they wanted, signed in.
pub(super) fn entered(cookie: HeaderValue, next: &str, home: &str) -> Response {
    ([(header::SET_COOKIE, cookie)], Redirect::to(own_path(next, home))).into_response()
}
