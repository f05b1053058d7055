//! `GET /`: what this is, and the first step for each kind of person.

use super::{Area, PageError, Visitor, frame, html};
use crate::app::App;
use askama::Template;
use axum::{
    extract::State,
    response::{Html, IntoResponse, Response},
};
use std::sync::Arc;
use tatau_ui::Frame;

#[derive(Template)]
#[template(path = "pages/home.html")]
struct Home {
    frame: Frame,
}

pub(crate) async fn home(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, PageError> {
    let frame = frame(&app, visitor.session.as_ref(), Area::Elsewhere).await?;
    let page: Html<String> = html(&Home { frame })?;
    Ok(page.into_response())
}
