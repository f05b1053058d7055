//! `GET /`: the one page that most people ever see.

use super::{Shared, html, parts};
use askama::Template;
use axum::{extract::State, response::Response};
use std::sync::Arc;
use tatau_ui::{Frame, Link};

#[derive(Template)]
#[template(path = "provider/overview.html")]
struct Overview {
    frame: Frame,
    server: String,
    button: String,
    money: String,
    cards: String,
    mining: String,
    news: String,
}

pub(super) fn frame(shared: &Shared, current: &str) -> Frame {
    let link = |href, text| Link { href, text, current: href == current };
    Frame {
        links: vec![link("/", "This computer"), link("/settings", "Settings")],
        csrf: shared.secret.word(),
        ..Frame::default()
    }
}

pub(super) async fn show(State(shared): State<Arc<Shared>>) -> Response {
    let mut parts = parts::all(&shared);
    let mut take = |name: &str| {
        let at = parts.iter().position(|part| part.name == name);
        at.map(|at| parts.swap_remove(at).text).unwrap_or_default()
    };
    html(&Overview {
        frame: frame(&shared, "/"),
        server: shared.server.clone(),
        button: take("button"),
        money: take("money"),
        cards: take("cards"),
        mining: take("mining"),
        news: take("news"),
    })
}
