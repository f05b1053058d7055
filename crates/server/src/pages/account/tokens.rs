//! `POST /account/tokens`, `POST /account/tokens/remove`: API tokens.

use super::{done, refused, show};
use crate::{
    app::App,
    archive,
    error::ApiError,
    pages::{PageError, Posted},
};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct New {
    name: String,
}

pub(crate) async fn make(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    let New { name } = posted.form()?;
    let made = match posted.session.whole() {
        Ok(()) => crate::routes::new_token(&app, owner, name.trim().to_owned()).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(made) => {
            let said = show::Said::Token { name: made.name, token: made.token };
            show::page(&app, &posted.session, said).await
        }
        Err(error) => refused(&app, &posted.session, error).await,
    }
}

#[derive(Deserialize)]
struct Old {
    id: String,
}

pub(crate) async fn remove(State(app): State<Arc<App>>, posted: Posted) -> Result<Response, PageError> {
    let owner = posted.owner()?;
    let Old { id } = posted.form()?;
    if let Err(error) = posted.session.whole() {
        return refused(&app, &posted.session, error).await;
    }
    let hash = blake3::Hash::from_hex(&id)
        .map_err(|_| ApiError::bad_request("this is no token; reload the page"))?;
    let removed = app.writer.keep(move |store| store.remove_token(owner, hash.as_bytes())).await?;
    // One that is gone already is what was wanted.
    removed.map_err(|e| archive::refused(&e))?;
    Ok(done("token-removed"))
}
