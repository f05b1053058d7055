//! `POST /v1/account`: opens the account of the owner key that signed, or shows it.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::AccountView;
use tatau_engine::Event;

pub(crate) async fn open(State(app): State<Arc<App>>, call: Call) -> Result<Json<AccountView>, ApiError> {
    let owner = call.key()?;
    let is_node = app.writer.read(move |s| s.node(&owner).is_some()).await?;
    if is_node {
        return Err(ApiError::conflict("this is a node's key; an account needs an owner key of its own"));
    }
    app.writer.event(Event::OpenAccount { owner }).await?;
    super::show::view(&app, owner).await.map(Json)
}
