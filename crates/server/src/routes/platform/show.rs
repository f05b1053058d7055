//! `GET /healthz` and `GET /v1/platform`.

use crate::{app::App, error::ApiError};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::Platform;
use tatau_model::{Amount, Clock, SystemClock};

/// Cap of an inspection: it is small, shown, and held in an escrow of its own.
pub(crate) const INSPECTION_CAP: Amount = Amount(100_000_000);

/// The writer answers, so the server works.
pub(crate) async fn healthz(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    app.writer.read(|_| ()).await?;
    Ok("ok\n")
}

pub(crate) async fn show(State(app): State<Arc<App>>) -> Result<Json<Platform>, ApiError> {
    Ok(Json(Platform {
        version: env!("CARGO_PKG_VERSION").into(),
        now: SystemClock.now(),
        local: app.local,
        chain_id: 0,
        fee_ppm: app.config.fee_ppm,
        dispute_ms: app.config.dispute_ms,
        environments: crate::work::environments(),
        beacon_anchor: app.anchor,
        inspection_cap: INSPECTION_CAP,
        max_blob_bytes: app.blobs.limits().max_blob_bytes,
        middle_ask: app.asks.middle(&app.writer).await?,
    }))
}
