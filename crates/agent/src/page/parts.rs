//! The parts of the page that live: each is a small template, sent again when it is different.

use super::{Shared, cards, mining, show};
use crate::{board::Status, earns_an_hour, settings::Settings};
use askama::Template;
use tatau_api::{EarnIn, Earnings};
use tatau_model::Amount;
use tatau_ui::words;

#[derive(Template)]
#[template(path = "provider/button.html")]
struct Button {
    headline: show::Headline,
    csrf: String,
}

#[derive(Template)]
#[template(path = "provider/money.html")]
struct Money {
    now: String,
    now_worth: String,
    known: bool,
    today: String,
    today_worth: String,
    month: String,
    month_worth: String,
    paid: String,
    pending: String,
    dispute: String,
    slashed: Option<String>,
    old: Option<String>,
    earn_in: Option<NewIn>,
    barred: bool,
}

/// How far a newcomer is.
struct NewIn {
    stake: String,
    stake_needed: String,
    accepted: u64,
    accepted_needed: u64,
    percent: u64,
}

#[derive(Template)]
#[template(path = "provider/news.html")]
struct News {
    notes: Vec<(String, String)>,
    idle: Option<String>,
}

/// One part of the page.
pub(super) struct Part {
    /// Its event's name.
    pub name: String,
    /// Its HTML.
    pub text: String,
    /// What has to differ for it to be sent again, where that is not all of it.
    pub key: Option<String>,
}

/// Every part.
pub(super) fn all(shared: &Shared) -> Vec<Part> {
    let (status, settings) = (shared.cockpit.board.now(), shared.cockpit.settings.now());
    let ask = shared.cockpit.wishes.borrow().ask;
    let part = |name: &str, text: String| Part { name: name.to_owned(), text, key: None };
    // A list with its cards in it is sent when a card comes, goes or is switched; what moves in a card is sent alone, so that
    // nobody's keyboard loses its place with every degree.
    let key = cards::list(shared, &status, &settings, false);
    let mut parts = vec![
        part("button", button(shared)),
        part("money", money(&status, &settings, ask)),
        Part { key: Some(key), ..part("cards", cards::list(shared, &status, &settings, true)) },
    ];
    for number in status.cards.keys() {
        parts.push(part(&format!("card-{number}"), cards::body(&status, &settings, *number, shared)));
    }
    parts.push(part("mining", mining::table(&status, &settings, ask)));
    parts.push(part("news", news(&status)));
    parts
}

/// A part's text. Templates without IO fail only where the program is wrong; then the part is empty and the log says so.
pub(super) fn text(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a part of the page could not be written");
        String::new()
    })
}

/// The big button and the words above it.
pub(super) fn button(shared: &Shared) -> String {
    let cockpit = &shared.cockpit;
    let before = cockpit.settings.now().working.is_some();
    let headline = cockpit.board.look(|s| show::headline(s, cockpit.wants_work(), before, &shared.server));
    text(&Button { headline, csrf: shared.secret.word() })
}

/// What is earned now, by the cards that work.
fn earning_now(status: &Status, ask: Amount) -> Option<Amount> {
    let fee_ppm = status.platform.as_ref()?.fee_ppm;
    let node = status.node.as_ref()?;
    let working = status.cards.iter().filter(|(_, card)| card.running().is_some());
    let each =
        working.filter_map(|(number, _)| earns_an_hour(node.cards.get(usize::from(*number))?, ask, fee_ppm));
    each.reduce(|a, b| a.add(b).unwrap_or(a))
}

fn money(status: &Status, settings: &Settings, ask: Amount) -> String {
    let now = earning_now(status, ask);
    let earnings = status.earnings.as_ref();
    let of = |pick: fn(&Earnings) -> Amount| earnings.map(pick).unwrap_or_default();
    let exact = |amount: Amount| amount.to_string();
    let worth = |amount| show::worth(settings, amount);
    let (today, month) = (of(|e| e.node.earned.today), of(|e| e.node.earned.month));
    let dispute = status.platform.as_ref().map(|p| words::duration(p.dispute_ms));
    let slashed = of(|e| e.node.slashed);
    text(&Money {
        now: now.map_or("–".into(), show::about),
        now_worth: now.map(worth).unwrap_or_default(),
        known: earnings.is_some(),
        today: exact(today),
        today_worth: worth(today),
        month: exact(month),
        month_worth: worth(month),
        paid: exact(of(|e| e.node.paid.all)),
        pending: exact(of(|e| e.node.pending)),
        dispute: dispute.unwrap_or_else(|| "a while".into()),
        slashed: slashed.is_positive().then(|| exact(slashed)),
        old: status.earnings_away.as_ref().filter(|_| earnings.is_some()).map(|why| show::sentence_of(why)),
        earn_in: earnings.filter(|e| !e.earn_in.complete && !e.earn_in.barred).map(|e| new_in(e.earn_in)),
        barred: earnings.is_some_and(|e| e.earn_in.barred),
    })
}

fn new_in(earn_in: EarnIn) -> NewIn {
    let share = |done: u64, of: u64| (done.min(of) * 100).checked_div(of).unwrap_or(100);
    let nano = |amount: Amount| u64::try_from(amount.0).unwrap_or(0);
    NewIn {
        stake: earn_in.stake.to_string(),
        stake_needed: earn_in.stake_needed.to_string(),
        accepted: earn_in.accepted,
        accepted_needed: earn_in.accepted_needed,
        percent: share(nano(earn_in.stake), nano(earn_in.stake_needed))
            .min(share(earn_in.accepted, earn_in.accepted_needed)),
    }
}

fn news(status: &Status) -> String {
    use crate::idle_command::IdleState;
    let idle = match &status.idle {
        IdleState::Off => None,
        IdleState::Running => Some("Your own command runs while there is no work.".to_owned()),
        IdleState::Stopping => Some("Your own command makes way for work.".to_owned()),
        IdleState::Ended(why) => Some(format!("Your own command does not run: {why}. It is tried again.")),
    };
    let notes =
        status.notes.iter().map(|note| (words::utc(note.at), show::sentence_of(&note.text))).collect();
    text(&News { notes, idle })
}
