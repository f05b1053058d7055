//! `POST /v1/tokens`: a new token of the account whose owner key signed. Only its hash is kept.

use crate::{app::App, archive, auth::Call, error::ApiError, secret};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::{OpenToken, Token};
use tatau_model::Address;

const MOST_NAME: usize = 100;

pub(crate) async fn open(State(app): State<Arc<App>>, call: Call) -> Result<Json<Token>, ApiError> {
    // A token cannot make tokens.
    call.key()?;
    let owner = call.account(&app).await?;
    let OpenToken { name } = call.json()?;
    make(&app, owner, name).await.map(Json)
}

/// A new token of that account.
pub(crate) async fn make(app: &App, owner: Address, name: String) -> Result<Token, ApiError> {
    if name.is_empty() || name.len() > MOST_NAME {
        return Err(ApiError::invalid("a token's name has 1 to 100 bytes"));
    }
    let token = format!("tatau_{}", secret::hex());
    let hash = *blake3::hash(token.as_bytes()).as_bytes();
    let kept = name.clone();
    archive::keep_token(&app.writer, hash, owner, kept).await?;
    Ok(Token { token, name })
}
