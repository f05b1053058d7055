//! `POST /v1/sessions`: a one-time link that signs a browser in as whoever asks.

use crate::{
    app::App,
    auth::{Call, Who},
    error::ApiError,
};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::SessionLink;

pub(crate) async fn open(State(app): State<Arc<App>>, call: Call) -> Result<Json<SessionLink>, ApiError> {
    let owner = match call.who {
        Who::Operator => None,
        _ => Some(call.account(&app).await?),
    };
    Ok(Json(SessionLink { path: format!("/enter/{}", app.codes.make(owner)) }))
}
