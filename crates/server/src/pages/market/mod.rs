//! The market, open to everybody: what is here, what waits, what it costs, what was verified.

pub(super) mod chart;
mod show;

use crate::app::App;
use axum::{Router, routing::get};
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/market", get(show::show)).route("/market/live", get(show::live))
}
