//! Who looks at a page, and forms that were sent from one.

use super::PageError;
use crate::{app::App, error::ApiError, session::Session};
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, request::Parts},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::sync::Arc;
use tatau_model::Address;

/// Whoever looks, signed in or not.
pub(crate) struct Visitor {
    pub session: Option<Session>,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageError> {
        Ok(Self { session: Session::of(app, &parts.headers).await? })
    }
}

/// An account's browser. Others are led to the sign-in page and back.
pub(crate) struct Member {
    pub owner: Address,
    pub session: Session,
}

impl Member {
    fn of(session: Option<Session>, next: &str) -> Result<Self, PageError> {
        match session {
            None => Err(PageError::SignIn(next.to_owned())),
            Some(Session { owner: None, .. }) => Err(ApiError::forbidden(
                "the operator has no account; sign out and sign in with an account to buy or provide",
            )
            .into()),
            Some(session @ Session { owner: Some(owner), .. }) => Ok(Self { owner, session }),
        }
    }
}

impl FromRequestParts<Arc<App>> for Member {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageError> {
        let session = Session::of(app, &parts.headers).await?;
        Self::of(session, parts.uri.path_and_query().map_or("/", |p| p.as_str()))
    }
}

/// A form or script of a page that changes something: signed in, with the session's word, from this site.
pub(crate) struct Posted {
    pub session: Session,
    pub body: Bytes,
    pub headers: HeaderMap,
}

#[derive(Deserialize)]
struct Word {
    csrf: Option<String>,
}

impl FromRequest<Arc<App>> for Posted {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, PageError> {
        let headers = request.headers().clone();
        let session = Session::of(app, &headers).await?;
        let session = session.ok_or_else(|| PageError::SignIn("/".into()))?;
        let body = Bytes::from_request(request, app).await.map_err(|e| {
            if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::too_large("this form is larger than the page takes")
            } else {
                ApiError::bad_request("the form did not arrive whole; send it again")
            }
        })?;
        let word = match headers.get("x-csrf").and_then(|word| word.to_str().ok()) {
            Some(word) => Some(word.to_owned()),
            None => form::<Word>(&body)?.csrf,
        };
        session.check(word.as_deref(), &headers)?;
        Ok(Self { session, body, headers })
    }
}

impl Posted {
    /// The form's fields.
    pub(crate) fn form<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        form(&self.body)
    }

    /// The account; the operator has none.
    pub(crate) fn owner(&self) -> Result<Address, ApiError> {
        self.session.owner.ok_or_else(|| ApiError::forbidden("the operator has no account; sign in with one"))
    }
}

fn form<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_html_form::from_bytes(body).map_err(|e| {
        ApiError::bad_request(format!("the form cannot be read ({e}); reload the page and try again"))
    })
}
