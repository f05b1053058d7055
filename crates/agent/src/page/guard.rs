//! Who may see and change the page. Everything else on this machine, and every other site in the same browser, may not.
//!
//! The name that the browser asked for must be this machine's own (a foreign name that resolves here is another site); the
//! cookie must be the secret's; a change must come from this page, with its word.

use super::Shared;
use askama::Template;
use axum::{
    body::{Body, to_bytes},
    extract::{Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use tatau_ui::Frame;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const WORD: HeaderName = HeaderName::from_static("x-csrf");
/// The cookie lasts so long, seconds: 400 days, the longest that browsers keep.
const COOKIE_SECONDS: u64 = 400 * 24 * 3_600;

#[derive(Template)]
#[template(path = "provider/refused.html")]
struct Refused<'a> {
    frame: Frame,
    sentence: &'a str,
}

#[derive(Template)]
#[template(path = "provider/open.html")]
struct Open {
    frame: Frame,
}

/// A refusal as a page.
pub(super) fn refused(status: StatusCode, sentence: &str) -> Response {
    let page = Refused { frame: Frame::default(), sentence };
    match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(_) => (status, sentence.to_owned()).into_response(),
    }
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Names under which a browser on this machine may ask.
fn is_own_name(shared: &Shared, host: &str) -> bool {
    let port = shared.address.port();
    [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
        shared.address.to_string(),
    ]
    .iter()
    .any(|own| own.eq_ignore_ascii_case(host))
}

/// Refuses names that are not this machine's: a foreign name may have been made to lead here.
pub(super) async fn host(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let named = request.headers().get_all(header::HOST).iter().count() == 1;
    match text(request.headers(), header::HOST) {
        Some(host) if named && is_own_name(&shared, host) => next.run(request).await,
        _ => refused(
            StatusCode::MISDIRECTED_REQUEST,
            "This page answers under this computer's own address only; open the link that Tatau printed.",
        ),
    }
}

#[derive(Deserialize)]
pub(super) struct Key {
    key: String,
}

/// `GET /open?key=…`: the printed link. Its answer leads on by a click of the page itself, so that the cookie, which no other
/// site may use, goes along.
pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    key: Result<Query<Key>, QueryRejection>,
) -> Response {
    match key {
        Ok(Query(Key { key })) if shared.secret.is(&key) => {
            let cookie = format!(
                "{}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age={COOKIE_SECONDS}",
                cookie_name(&shared),
                shared.secret.cookie()
            );
            ([(header::SET_COOKIE, cookie)], super::html(&Open { frame: Frame::default() })).into_response()
        }
        _ => refused(
            StatusCode::UNAUTHORIZED,
            "This link is not the right one. `tatau provide page` opens the page.",
        ),
    }
}

/// Cookies know no ports: each page on this machine has a name of its own.
fn cookie_name(shared: &Shared) -> String {
    format!("tatau_provider_{}", shared.address.port())
}

/// Has the link been opened in this browser?
fn is_known(shared: &Shared, headers: &HeaderMap) -> bool {
    let name = cookie_name(shared);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies =
        lines.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    cookies.any(|(given, value)| given == name && shared.secret.is_cookie(value))
}

#[derive(Deserialize)]
struct FormWord {
    csrf: Option<String>,
}

/// Lets the person at this machine through.
pub(super) async fn member(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    // Another site, or another port of this machine, may lead here by a link, but reads and changes nothing.
    let site = text(headers, FETCH_SITE).unwrap_or("none");
    let leads = text(headers, FETCH_MODE) == Some("navigate") && request.method() == Method::GET;
    if !matches!(site, "same-origin" | "none") && !leads {
        return refused(StatusCode::FORBIDDEN, "This came from another site; use the page itself.");
    }
    if !is_known(&shared, headers) {
        return refused(
            StatusCode::UNAUTHORIZED,
            "This browser does not know the page's secret. Open the link that Tatau printed, or run `tatau provide page`.",
        );
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let host = text(headers, header::HOST).unwrap_or_default();
    if text(headers, header::ORIGIN) != Some(format!("http://{host}").as_str()) {
        return refused(StatusCode::FORBIDDEN, "This came from another site; use the page itself.");
    }
    let word = text(headers, WORD).map(str::to_owned);
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, super::FORM_BYTES).await else {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "This form is larger than the page takes.");
    };
    let word = word.or_else(|| serde_html_form::from_bytes::<FormWord>(&body).ok()?.csrf);
    if !word.is_some_and(|word| shared.secret.is_word(&word)) {
        return refused(StatusCode::FORBIDDEN, "This form is from an older page; reload it and try again.");
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}
