//! `PUT /v1/nodes/me/offer`.

use crate::{app::App, auth::Call, error::ApiError};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::SetOffer;
use tatau_engine::Event;
use tatau_model::Node;

pub(crate) async fn offer(State(app): State<Arc<App>>, call: Call) -> Result<Json<Node>, ApiError> {
    let node = call.node(&app).await?.id;
    let SetOffer { offer, cards } = call.json()?;
    app.writer.event(Event::SetOffer { node, offer, cards }).await?;
    call.node(&app).await.map(Json)
}
