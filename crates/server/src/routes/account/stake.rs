//! `POST /v1/account/stake` and `POST /v1/account/unstake`.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::{AccountView, MoveStake};
use tatau_engine::Event;

pub(crate) async fn stake(State(app): State<Arc<App>>, call: Call) -> Result<Json<AccountView>, ApiError> {
    let owner = call.account(&app).await?;
    let MoveStake { amount } = call.json()?;
    app.writer.event(Event::Stake { owner, amount }).await?;
    super::show::view(&app, owner).await.map(Json)
}

pub(crate) async fn unstake(State(app): State<Arc<App>>, call: Call) -> Result<Json<AccountView>, ApiError> {
    let owner = call.account(&app).await?;
    let MoveStake { amount } = call.json()?;
    app.writer.event(Event::Unstake { owner, amount }).await?;
    super::show::view(&app, owner).await.map(Json)
}
