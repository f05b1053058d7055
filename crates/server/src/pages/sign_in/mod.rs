//! Who are you? By name and password, by the operator's token, or as somebody new with a key of their own.

mod operator;
mod password;
mod place;
mod show;
mod up;

use super::PageError;
use crate::{app::App, error::ApiError, session};
use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, FromRequest, Request},
    http::HeaderMap,
    routing::{get, post},
};
use serde::de::DeserializeOwned;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/sign-in", get(show::show).post(password::sign_in))
        .route("/sign-in/operator", post(operator::sign_in))
        .route("/sign-up", get(up::show).post(up::sign_up))
}

/// A form of somebody who is not signed in. Another site cannot send it for them: browsers say where a form comes from.
struct Form {
    body: Bytes,
    headers: HeaderMap,
    peer: IpAddr,
}

impl FromRequest<Arc<App>> for Form {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, PageError> {
        let headers = request.headers().clone();
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let peer = peer.ok_or_else(|| ApiError::internal(&"the peer's address is missing"))?;
        if !session::from_here(&headers) {
            let sentence = "this form came from another site; open this server's own page and try again";
            return Err(ApiError::forbidden(sentence).into());
        }
        let body = Bytes::from_request(request, app).await;
        let body = body.map_err(|_| ApiError::bad_request("the form did not arrive whole; send it again"))?;
        Ok(Self { body, headers, peer })
    }
}

impl Form {
    fn fields<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_html_form::from_bytes(&self.body).map_err(|e| {
            ApiError::bad_request(format!("the form cannot be read ({e}); reload the page and try again"))
        })
    }
}
