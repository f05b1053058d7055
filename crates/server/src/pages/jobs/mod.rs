//! A buyer's jobs: the list, one job live, its frames and files, its buttons.

mod board;
mod change;
mod energy;
mod files;
mod frame;
mod hub;
mod list;
mod live;
mod parts;
mod piece;
mod show;
mod thumb;
mod zip;

pub(crate) use hub::Boards;
pub(crate) use thumb::Thumbs;

use crate::app::App;
use axum::{
    Router,
    routing::{get, post},
};
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/jobs", get(list::list))
        .route("/jobs/{id}", get(show::show))
        .route("/jobs/{id}/live", get(live::live))
        .route("/jobs/{id}/pause", post(change::pause))
        .route("/jobs/{id}/resume", post(change::resume))
        .route("/jobs/{id}/edit", post(change::edit))
        .route("/jobs/{id}/cancel", post(change::cancel))
        .route("/jobs/{id}/forget", post(change::forget))
        .route("/jobs/{id}/frames/{frame}", get(frame::frame))
        .route("/jobs/{id}/tasks/{task}/log", get(frame::log))
        .route("/jobs/{id}/files/{name}", get(files::file))
        .route("/jobs/{id}/thumbs/{frame}", get(files::thumb))
        .route("/jobs/{id}/pictures.zip", get(zip::pictures))
        .route("/jobs/{id}/raw.zip", get(zip::raw))
        .route("/jobs/{id}/results.zip", get(zip::results))
}
