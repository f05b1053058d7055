//! The button and the cards' switches.

use super::{Shared, guard, parts};
use axum::{
    Form,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use std::sync::Arc;

/// Was it sent by a script of the page, which swaps a part? Else a whole page is wanted.
pub(super) fn is_part(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

#[derive(Deserialize)]
pub(super) struct Work {
    on: bool,
}

/// `POST /work`: the big button. Writing the settings takes a moment of disk, done off the page's own thread.
pub(super) async fn work(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(Work { on }): Form<Work>,
) -> Response {
    let cockpit = Arc::clone(&shared.cockpit);
    let pressed = tokio::task::spawn_blocking(move || cockpit.press(on)).await;
    match pressed {
        Ok(Ok(())) if is_part(&headers) => Html(parts::button(&shared)).into_response(),
        Ok(Ok(())) => Redirect::to("/").into_response(),
        Ok(Err(error)) => guard::refused(StatusCode::CONFLICT, &error.to_string()),
        Err(_) => guard::refused(StatusCode::INTERNAL_SERVER_ERROR, "That did not work; try again."),
    }
}

#[derive(Deserialize)]
pub(super) struct Switch {
    on: Option<String>,
}

/// `POST /cards/{card}`: a card's own switch.
pub(super) async fn card(
    State(shared): State<Arc<Shared>>,
    Path(card): Path<u16>,
    headers: HeaderMap,
    Form(switch): Form<Switch>,
) -> Response {
    if !shared.cockpit.board.look(|s| s.cards.contains_key(&card)) {
        return guard::refused(StatusCode::NOT_FOUND, "This machine has no such card.");
    }
    let (cockpit, on) = (Arc::clone(&shared.cockpit), switch.on.is_some());
    let changed = tokio::task::spawn_blocking(move || {
        cockpit.change(|settings| {
            if on {
                settings.cards_off.remove(&card);
            } else {
                settings.cards_off.insert(card);
            }
        })
    });
    match changed.await {
        Ok(Ok(_)) if is_part(&headers) => StatusCode::NO_CONTENT.into_response(),
        Ok(Ok(_)) => Redirect::to("/").into_response(),
        Ok(Err(error)) => guard::refused(StatusCode::CONFLICT, &error.to_string()),
        Err(_) => guard::refused(StatusCode::INTERNAL_SERVER_ERROR, "That did not work; try again."),
    }
}
