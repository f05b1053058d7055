//! `POST /account/password`: sets or changes name and password.

use super::{done, refused};
use crate::{
    app::App,
    error::ApiError,
    pages::{PageError, Posted},
    password,
    session::Session,
};
use axum::{
    extract::{ConnectInfo, State},
    response::Response,
};
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tatau_model::Address;

#[derive(Deserialize)]
struct Fields {
    name: String,
    /// The one that counts now; not asked for where there is none.
    #[serde(default)]
    current: String,
    password: String,
}

pub(crate) async fn set(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    posted: Posted,
) -> Result<Response, PageError> {
    let (owner, fields) = (posted.owner()?, posted.form::<Fields>()?);
    match change(&app, &posted.session, owner, peer.ip(), fields).await {
        Ok(()) => Ok(done("password")),
        Err(error) => refused(&app, &posted.session, error).await,
    }
}

async fn change(
    app: &App,
    session: &Session,
    owner: Address,
    peer: IpAddr,
    fields: Fields,
) -> Result<(), ApiError> {
    session.whole()?;
    if let Some(record) = app.archive.password_of(owner).await? {
        // An open browser must not be enough to lock its owner out.
        let attempt = app.tries.begin(&record.name, peer)?;
        if !app.passwords.check(Some(record.hash), fields.current).await? {
            return Err(ApiError::forbidden(
                "this is not your current password; type it again, or use `tatau account password`",
            ));
        }
        attempt.right();
    }
    password::keep(app, owner, &fields.name, fields.password, Some(session)).await
}
