//! `POST /v1/sessions`: a one-time link that signs a browser in as whoever asks.

use crate::{
    app::App,
    auth::{Call, Who},
    error::ApiError,
    session::Guest,
};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::SessionLink;

pub(crate) async fn open(State(app): State<Arc<App>>, call: Call) -> Result<Json<SessionLink>, ApiError> {
    let guest = match call.who {
        Who::Operator => Guest::OPERATOR,
        // What a token opens may do no more than the token.
        Who::Token(owner) => Guest { owner: Some(owner), limited: true },
        Who::Browser { owner, limited } => Guest { owner: Some(owner), limited },
        Who::Key(_) | Who::Nobody => Guest::account(call.account(&app).await?),
    };
    Ok(Json(SessionLink { path: format!("/enter/{}", app.codes.make(guest)) }))
}
