//! Refusals as pages: the same sentence that a program would get, and a way on.

use crate::error::ApiError;
use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
};
use std::fmt::Write as _;
use tatau_ui::Frame;

/// An answer that is not the page that was asked for.
#[derive(Debug)]
pub(crate) enum PageError {
    /// Nobody is signed in: sign in first, then go on to this path.
    SignIn(String),
    /// A refusal.
    Api(ApiError),
}

impl From<ApiError> for PageError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

#[derive(Template)]
#[template(path = "pages/error.html")]
struct ErrorPage<'a> {
    frame: Frame,
    head: &'static str,
    sentence: &'a str,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let error = match self {
            Self::SignIn(next) => {
                let next: String = form_urlencoded(&next);
                return Redirect::to(&format!("/sign-in?next={next}")).into_response();
            }
            Self::Api(error) => error,
        };
        let head = match error.status {
            StatusCode::NOT_FOUND => "There is nothing here",
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "That is not yours to see",
            StatusCode::INTERNAL_SERVER_ERROR | StatusCode::SERVICE_UNAVAILABLE => "That did not work",
            _ => "That cannot be done",
        };
        let frame = Frame { links: super::frame::links(None, false), ..Frame::default() };
        let page = ErrorPage { frame, head, sentence: &error.sentence };
        match page.render() {
            Ok(text) => (error.status, Html(text)).into_response(),
            Err(_) => error.into_response(),
        }
    }
}

fn form_urlencoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
