//! Programs that are too old for this server are told so, in words that they show and in a way that they wait out: an old node keeps its
//! finished work until it is updated.

use crate::{app::App, error::ApiError};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use tatau_api::PROTOCOL_HEADER;

/// The oldest version of the protocol that is still understood: since 2 a request's body is signed by its BLAKE3.
const LEAST: u32 = 2;

/// Browsers and other programs name no version: what they cannot do is refused where they do it.
pub(crate) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let named = request.headers().get(PROTOCOL_HEADER).and_then(|value| value.to_str().ok());
    match named.map(str::parse::<u32>) {
        Some(Ok(version)) if version < LEAST => {
            let here = app.names.public().unwrap_or(&app.url);
            ApiError::too_old(format!(
                "this program is too old for this server (it speaks version {version}, {LEAST} is needed): update it with `curl -fsS \
                 {here}/install.sh | sh`; finished work is kept and delivered then"
            ))
            .into_response()
        }
        Some(Err(_)) => ApiError::bad_request("the protocol's version is a number").into_response(),
        _ => next.run(request).await,
    }
}
