//! One's own machines: what each is doing, what it earned, what its owner wants of it; and how new ones join.

mod join;
mod list;
mod machine;
mod rows;
mod set;
mod zone;

use super::PageError;
use crate::app::App;
use axum::{
    Router,
    routing::{get, post},
};
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/fleet", get(list::show))
        .route("/fleet/machines", get(list::machines))
        .route("/fleet/set", post(set::many))
        .route("/fleet/join", post(join::make))
        .route("/fleet/join/remove", post(join::remove))
        .route("/fleet/machine/{id}", get(machine::show).post(set::one))
        .route("/fleet/machine/{id}/live", get(machine::live))
}
