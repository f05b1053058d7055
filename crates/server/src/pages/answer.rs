//! What a page's form is answered: where to go on, or why not. A form that htmx sent gets a fragment, any other a page.

use super::PageError;
use crate::error::ApiError;
use askama::Template;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{Html, IntoResponse, Redirect, Response},
};

const BY_HTMX: HeaderName = HeaderName::from_static("hx-request");
const GO_TO: HeaderName = HeaderName::from_static("hx-redirect");

#[derive(Template)]
#[template(source = r#"<p class="notice bad" role="alert">{{ sentence }}</p>"#, ext = "html")]
struct Refused<'a> {
    sentence: &'a str,
}

/// Leads the browser to `place`, a path on this server.
pub(crate) fn go(headers: &HeaderMap, place: &str) -> Response {
    match HeaderValue::from_str(place) {
        Ok(place) if headers.contains_key(BY_HTMX) => [(GO_TO, place)].into_response(),
        _ => Redirect::to(place).into_response(),
    }
}

/// A refusal beside the form, or as a page of its own.
pub(crate) fn refused(error: ApiError, headers: &HeaderMap) -> Result<Response, PageError> {
    if !headers.contains_key(BY_HTMX) {
        return Err(error.into());
    }
    let told = capital(&error.sentence);
    let text = Refused { sentence: &told }.render().map_err(|e| ApiError::internal(&e))?;
    Ok((error.status, Html(text)).into_response())
}

/// A sentence with a capital letter and a full stop, where it is shown as one.
pub(crate) fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    let Some(first) = chars.next() else { return String::new() };
    let rest = chars.as_str();
    let end = if sentence.ends_with(['.', '!', '?', ':']) { "" } else { "." };
    first.to_uppercase().chain(rest.chars()).collect::<String>() + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_look_like_sentences() {
        assert_eq!(capital("nothing was paid"), "Nothing was paid.");
        assert_eq!(capital("Done."), "Done.");
        assert_eq!(capital(""), "");
    }
}
