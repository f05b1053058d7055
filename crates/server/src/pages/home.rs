//! `GET /`: what this is, how it goes, and the first step for each kind of person.

use super::{Area, PageError, Visitor, frame, html};
use crate::app::App;
use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use tatau_ui::{Frame, words};

#[derive(Template)]
#[template(path = "pages/home.html")]
struct Home {
    frame: Frame,
    local: bool,
    member: bool,
    online: u32,
    frames: u64,
    caught: u64,
    paid: String,
    validator_stake: String,
}

pub(crate) async fn home(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, PageError> {
    let snapshot = app.stats.now(&app).await?;
    let page = Home {
        frame: frame(&app, visitor.session.as_ref(), Area::Elsewhere).await?,
        local: app.local,
        member: visitor.session.is_some_and(|s| s.owner.is_some()),
        online: snapshot.census.classes.values().map(|c| c.online).sum(),
        frames: snapshot.all.frames,
        caught: snapshot.all.caught,
        paid: words::money(snapshot.all.paid),
        validator_stake: words::money(app.config.validator_stake),
    };
    Ok(html(&page)?.into_response())
}
