//! `POST /v1/nodes/me/drain`.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::Drain;
use tatau_engine::Event;
use tatau_model::Node;

pub(crate) async fn drain(State(app): State<Arc<App>>, call: Call) -> Result<Json<Node>, ApiError> {
    let node = call.node(&app).await?.id;
    let Drain { draining } = call.json()?;
    app.writer.event(Event::Drain { node, draining }).await?;
    call.node(&app).await.map(Json)
}
