//! `GET` and `POST /v1/account/notify`.

use crate::{app::App, auth::Call, error::ApiError, notices::settings};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::Notify;

pub(crate) async fn show(State(app): State<Arc<App>>, call: Call) -> Result<Json<Notify>, ApiError> {
    let owner = call.account(&app).await?;
    settings::show(&app, owner).await.map(Json)
}

pub(crate) async fn set(State(app): State<Arc<App>>, call: Call) -> Result<Json<Notify>, ApiError> {
    let owner = call.account(&app).await?;
    settings::set(&app, owner, call.json()?).await.map(Json)
}
