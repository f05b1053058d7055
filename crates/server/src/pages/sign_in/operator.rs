//! `POST /sign-in/operator`: by the operator's token.

use super::{Form, show};
use crate::{
    app::App,
    error::ApiError,
    pages::PageError,
    session::{Guest, Session},
};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use std::sync::Arc;

/// Tries of the token are counted under a name that no account can have.
const NAME: &str = "the operator";

#[derive(Deserialize)]
struct Fields {
    token: String,
    #[serde(default)]
    next: String,
}

pub(crate) async fn sign_in(State(app): State<Arc<App>>, form: Form) -> Result<Response, PageError> {
    let fields: Fields = form.fields()?;
    let attempt = match app.tries.begin(NAME, form.peer) {
        Ok(attempt) => attempt,
        Err(error) => return show::refused(&app, error, "", &fields.next, true).await,
    };
    // Equality of these hashes takes constant time.
    if blake3::hash(fields.token.trim().as_bytes()) != app.operator {
        let sentence =
            "this is not the operator's token; it lies in operator.token in the server's data folder";
        return show::refused(&app, ApiError::unauthorized(sentence), "", &fields.next, true).await;
    }
    attempt.right();
    let (_, cookie) = Session::start(&app, Guest::OPERATOR, &form.headers).await?;
    Ok(show::entered(cookie, &fields.next, "/operator"))
}
