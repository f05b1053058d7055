//! Each card: what it is, what it does, what its meters say, its last picture.

use super::{Shared, parts, show};
use crate::{
    board::{CardStatus, Status, TaskStatus},
    earns_an_hour,
    settings::Settings,
};
use askama::Template;
use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use std::{path::PathBuf, sync::Arc};
use tatau_model::{Card, CardKind};
use tatau_ui::{headers::FILE_POLICY, words};

/// Largest picture that is shown, bytes.
const PICTURE_BYTES: u64 = 64 << 20;
/// The first bytes of a PNG; what else a stranger's task called so is not handed out.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

#[derive(Template)]
#[template(path = "provider/cards.html")]
struct List {
    cards: Vec<Head>,
    csrf: String,
}

struct Head {
    number: u16,
    name: String,
    what: String,
    on: bool,
    body: String,
}

#[derive(Template)]
#[template(path = "provider/card.html")]
struct Body {
    number: u16,
    state: &'static str,
    tone: &'static str,
    reason: Option<String>,
    celsius: show::Shown,
    watts: show::Shown,
    load: show::Shown,
    rate: Option<String>,
    today: Option<String>,
    task: Option<Task>,
    next: Option<String>,
    sending: Option<String>,
    picture: Option<u64>,
    warm: usize,
}

struct Task {
    name: String,
    percent: Option<u32>,
    price: String,
    begun: String,
}

fn offered(status: &Status, number: u16) -> Option<&Card> {
    status.node.as_ref()?.cards.get(usize::from(number))
}

/// The list of cards; without `bodies` it differs only when a card's name, score or switch does.
pub(super) fn list(shared: &Shared, status: &Status, settings: &Settings, bodies: bool) -> String {
    let head = |number: u16| {
        let card = offered(status, number)?;
        let class = card.class().map_or("unknown class", |class| class.name);
        let score = card.score_milli.map_or_else(
            || "not measured yet: a short test comes first".to_owned(),
            |milli| format!("{}.{:03} × a GTX 1080 Ti", milli / 1_000, milli % 1_000),
        );
        let size = match card.kind {
            CardKind::Cpu => words::count(u64::from(card.threads), "thread"),
            CardKind::Gpu => {
                let devices: Vec<&str> = card.devices.iter().map(|device| device.name()).collect();
                let renders =
                    if devices.is_empty() { "renders nothing".to_owned() } else { devices.join(", ") };
                format!("{} · {renders}", words::bytes(card.memory_mib << 20))
            }
        };
        Some(Head {
            number,
            name: card.name.clone(),
            what: format!("{class} · {size} · {score}"),
            on: !settings.cards_off.contains(&number),
            body: if bodies { body(status, settings, number, shared) } else { String::new() },
        })
    };
    let cards = status.cards.keys().filter_map(|number| head(*number)).collect();
    parts::text(&List { cards, csrf: shared.secret.word() })
}

fn task(task: &TaskStatus) -> Task {
    Task {
        name: name(task),
        percent: task.percent.map(|percent| percent as u32),
        price: task.price.to_string(),
        begun: task.begun.map(words::utc).unwrap_or_default(),
    }
}

fn name(task: &TaskStatus) -> String {
    show::sentence_of(&format!("{} of {}", task.work.label(), task.job)).trim_end_matches('.').to_owned()
}

/// What a card does now.
pub(super) fn body(status: &Status, settings: &Settings, number: u16, shared: &Shared) -> String {
    let Some(card) = status.cards.get(&number) else { return String::new() };
    let offered = offered(status, number);
    let (celsius, watts, load) = meters(status, card);
    let rate = offered.and_then(|offered| {
        let fee_ppm = status.platform.as_ref()?.fee_ppm;
        earns_an_hour(offered, shared.cockpit.wishes.borrow().ask, fee_ppm)
    });
    let today = status.earnings.as_ref().map(|earnings| {
        let own = earnings.cards.iter().find(|c| c.card == number);
        own.map(|own| own.earned.earned.today).unwrap_or_default()
    });
    let reason = card.ruling.as_ref().and_then(|ruling| ruling.reason());
    let (state, tone) = match (card.running(), reason) {
        (Some(_), _) => ("working", "busy"),
        (None, Some(_)) if settings.cards_off.contains(&number) => ("off", "plain"),
        (None, Some(_)) => ("resting", "warn"),
        (None, None) if status.phase == crate::board::Phase::Running => ("waiting for work", "good"),
        (None, None) => ("stopped", "plain"),
    };
    let waiting = card.tasks.iter().find(|task| task.begun.is_none() && !task.sending);
    parts::text(&Body {
        number,
        state,
        tone,
        reason: reason.map(crate::decide::Reason::sentence),
        celsius,
        watts,
        load,
        rate: rate.map(|rate| {
            let worth = show::worth(settings, rate);
            let about = show::about(rate);
            if worth.is_empty() { format!("{about} TATAU") } else { format!("{about} TATAU ({worth})") }
        }),
        today: today.map(|today| today.to_string()),
        task: card.running().map(task),
        next: waiting.map(name),
        sending: match card.tasks.iter().filter(|task| task.sending).count() {
            0 => None,
            n => Some(words::count(n as u64, "result")),
        },
        picture: card.picture.as_ref().map(|picture| picture.attempt.0),
        warm: card.warm,
    })
}

/// Heat, power and load: a graphics card's own; slots share the processor's.
fn meters(status: &Status, card: &CardStatus) -> (show::Shown, show::Shown, show::Shown) {
    let readings = status.readings.as_ref();
    let (celsius, watts, load) = match card.graphics {
        Some(number) => {
            let own = readings.and_then(|r| r.graphics.iter().find(|g| g.number == number));
            (own.map(|g| &g.celsius), own.map(|g| &g.watts), own.map(|g| &g.load_percent))
        }
        None => (readings.map(|r| &r.celsius), readings.map(|r| &r.watts), readings.map(|r| &r.load_percent)),
    };
    (show::reading(celsius, "°C"), show::reading(watts, "W"), show::reading(load, "%"))
}

/// `GET /cards/{card}/picture`: the last picture that the card made, as it is. The browser decodes it; nothing of it runs.
pub(super) async fn picture(State(shared): State<Arc<Shared>>, Path(card): Path<u16>) -> Response {
    let file = shared.cockpit.board.look(|s| Some(s.cards.get(&card)?.picture.as_ref()?.file.clone()));
    let Some(file) = file else { return StatusCode::NOT_FOUND.into_response() };
    match tokio::task::spawn_blocking(move || read(&file)).await {
        Ok(Some(bytes)) => {
            let headers = [
                (header::CONTENT_TYPE, "image/png"),
                (header::CONTENT_SECURITY_POLICY, FILE_POLICY),
                (header::CACHE_CONTROL, "private, max-age=3600"),
            ];
            (headers, bytes).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn read(file: &PathBuf) -> Option<Vec<u8>> {
    let size = std::fs::metadata(file).ok()?.len();
    if size > PICTURE_BYTES {
        return None;
    }
    std::fs::read(file).ok().filter(|bytes| bytes.starts_with(PNG))
}
