//! From files to a paid job: what was dropped, what an inspection found, what is missing, prices, payment.

mod add;
mod inspect;
mod live;
mod new;
mod pay;
mod place;
mod quote;
mod show;
mod state;
mod words;

pub(crate) use inspect::name_of;
pub(crate) use quote::rounded;
pub(crate) use words::class;

use crate::app::App;
use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use std::sync::Arc;

/// Lists of the files that were dropped, bytes of JSON.
const FILES_JSON: usize = 8 << 20;
/// Most files of one drop.
const MOST_FILES: usize = 20_000;

pub(super) fn router() -> Router<Arc<App>> {
    let files = DefaultBodyLimit::max(FILES_JSON);
    Router::new()
        .route("/new", get(new::show).merge(post(new::make).layer(files)))
        .route("/orders/{id}", get(show::show))
        .route("/orders/{id}/live", get(live::live))
        .route("/orders/{id}/state", get(state::state))
        .route("/orders/{id}/quote", get(quote::show))
        .route("/orders/{id}/files", post(add::add).layer(files))
        .route("/orders/{id}/pay", post(pay::pay))
}
