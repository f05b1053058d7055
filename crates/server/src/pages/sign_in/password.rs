//! `POST /sign-in`: by name and password.

use super::{Form, show};
use crate::{
    app::App,
    error::ApiError,
    pages::PageError,
    password,
    session::{Guest, Session},
};
use axum::{extract::State, response::Response};
use serde::Deserialize;
use std::sync::Arc;
use tatau_model::Address;

#[derive(Deserialize)]
struct Fields {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(crate) async fn sign_in(State(app): State<Arc<App>>, form: Form) -> Result<Response, PageError> {
    let fields: Fields = form.fields()?;
    match owner(&app, &form, &fields).await {
        Ok(owner) => {
            let (_, cookie) = Session::start(&app, Guest::account(owner), &form.headers).await?;
            Ok(show::entered(cookie, &fields.next, show::HOME))
        }
        Err(error) => {
            let name: String = fields.name.chars().take(tatau_store::MAX_SIGN_IN_NAME).collect();
            show::refused(&app, error, &name, &fields.next, false).await
        }
    }
}

/// Whose name and password these are. A name that nobody has takes as long to refuse as a wrong password, in the same words.
async fn owner(app: &App, form: &Form, fields: &Fields) -> Result<Address, ApiError> {
    // What is no name at all is nobody's.
    let name = password::name(&fields.name).unwrap_or_default();
    let attempt = app.tries.begin(&name, form.peer)?;
    let record = if name.is_empty() { None } else { app.archive.password_by_name(name).await? };
    let (owner, hash) = record.map(|r| (r.owner, r.hash)).unzip();
    let right = app.passwords.check(hash, fields.password.clone()).await?;
    match owner.filter(|_| right) {
        Some(owner) => {
            attempt.right();
            Ok(owner)
        }
        None => Err(ApiError::unauthorized(
            "name and password do not fit; try again, or sign in with `tatau open`",
        )),
    }
}
