//! `GET /sign-up`, `POST /sign-up`: a new account. Its owner key is made here, offered once and forgotten.

use super::{Form, show::HOME};
use crate::{
    app::App,
    archive,
    error::ApiError,
    pages::{Area, PageError, Visitor, capital, frame, html},
    password,
    session::{Guest, Session},
};
use askama::Template;
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_engine::Event;
use tatau_evidence::SigningKey;
use tatau_model::{Address, Clock, SystemClock};
use tatau_store::PasswordRecord;
use tatau_ui::{Frame, Notice, Tone, words};

#[derive(Template)]
#[template(path = "pages/sign_up.html")]
struct SignUp<'a> {
    frame: Frame,
    name: &'a str,
    /// Starter credit as text; empty where there is none.
    credit: String,
}

#[derive(Template)]
#[template(path = "pages/welcome.html")]
struct Welcome {
    frame: Frame,
    name: String,
    address: String,
    /// The key file's line.
    key: String,
}

#[derive(Deserialize)]
struct Fields {
    name: String,
    password: String,
}

pub(crate) async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, PageError> {
    if visitor.session.is_some() {
        return Ok(Redirect::to(HOME).into_response());
    }
    let frame = frame(&app, None, Area::Elsewhere).await?;
    Ok(html(&SignUp { frame, name: "", credit: credit(&app) })?.into_response())
}

fn credit(app: &App) -> String {
    let credit = app.config.starter_credit;
    if credit.is_positive() { words::money(credit) } else { String::new() }
}

pub(crate) async fn sign_up(State(app): State<Arc<App>>, form: Form) -> Result<Response, PageError> {
    let fields: Fields = form.fields()?;
    let (name, key) = match open(&app, &form, &fields).await {
        Ok(made) => made,
        Err(error) if error.status.is_server_error() => return Err(error.into()),
        Err(error) => {
            let mut frame = frame(&app, None, Area::Elsewhere).await?;
            frame.notice = Some(Notice { tone: Tone::Bad, text: capital(&error.sentence) });
            let name: String = fields.name.chars().take(tatau_store::MAX_SIGN_IN_NAME).collect();
            let page = SignUp { frame, name: &name, credit: credit(&app) };
            return Ok((error.status, html(&page)?).into_response());
        }
    };
    let (session, cookie) = Session::start(&app, Guest::account(key.address()), &form.headers).await?;
    let frame = frame(&app, Some(&session), Area::Account).await?;
    let page = Welcome { frame, name, address: key.address().to_string(), key: key.to_hex() };
    Ok(([(header::SET_COOKIE, cookie)], html(&page)?).into_response())
}

async fn open(app: &App, form: &Form, fields: &Fields) -> Result<(String, SigningKey), ApiError> {
    let name = password::name(&fields.name)?;
    password::acceptable(&name, &fields.password)?;
    let attempt = app.sign_ups.begin("", form.peer)?;
    if app.archive.password_by_name(name.clone()).await?.is_some() {
        return Err(ApiError::conflict(format!("the name '{name}' is taken; choose another")));
    }
    let hash = app.passwords.hash(fields.password.clone()).await?;
    let key = SigningKey::generate(&mut rand::rng());
    let owner: Address = key.address();
    app.writer.event(Event::OpenAccount { owner }).await?;
    let record = PasswordRecord { owner, name: name.clone(), hash, changed: SystemClock.now() };
    let kept = app.writer.keep(move |store| store.put_password(&record, None)).await?;
    kept.map_err(|e| archive::refused(&e))?;
    // It stays counted: accounts are what is limited, not failures.
    drop(attempt);
    tracing::info!(account = %owner, "an account was opened on the sign-up page");
    Ok((name, key))
}
