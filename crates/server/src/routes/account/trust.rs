//! `POST /v1/account/trust`.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::{AccountView, SetTrust};
use tatau_engine::Event;

pub(crate) async fn trust(State(app): State<Arc<App>>, call: Call) -> Result<Json<AccountView>, ApiError> {
    let owner = call.account(&app).await?;
    let SetTrust { account, trusted } = call.json()?;
    app.writer.event(Event::Trust { owner, account, trusted }).await?;
    super::show::view(&app, owner).await.map(Json)
}
