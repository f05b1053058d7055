//! What mining would pay beside what this pays, card by card; both before power.

use super::{parts, show};
use crate::{board::Status, earns_an_hour, settings::Settings};
use askama::Template;
use tatau_model::Amount;

const HOURS: i64 = 24;

#[derive(Template)]
#[template(path = "provider/mining.html")]
struct Table {
    rows: Vec<Row>,
    currency: String,
    comparable: bool,
}

struct Row {
    card: u16,
    name: String,
    mining: Option<String>,
    source: String,
    date: String,
    here: Option<String>,
    here_worth: String,
    /// `more` or `less` than mining, where both are known in one currency.
    verdict: Option<&'static str>,
}

/// One row a card.
pub(super) fn table(status: &Status, settings: &Settings, ask: Amount) -> String {
    let rate = settings.display.as_ref().filter(|rate| rate.currency == settings.mining.currency);
    let fee_ppm = status.platform.as_ref().map(|p| p.fee_ppm);
    let cards = status.node.as_ref().map(|node| node.cards.as_slice()).unwrap_or_default();
    let row = |(card, offered): (u16, &tatau_model::Card)| {
        let found = offered.class().and_then(|class| settings.mining.of(class.name));
        let here = fee_ppm.and_then(|fee| earns_an_hour(offered, ask, fee)?.times(HOURS).ok());
        let here_fiat = here.and_then(|here| rate?.fiat(here));
        let verdict = match (here_fiat, found) {
            (Some(here), Some(found)) => Some(if here >= found.a_day { "more" } else { "less" }),
            _ => None,
        };
        Row {
            card,
            name: offered.name.clone(),
            mining: found.map(|row| row.a_day.to_string()),
            source: found.map(|row| row.source.clone()).unwrap_or_default(),
            date: found.map(|row| row.date.clone()).unwrap_or_default(),
            here: here.map(show::about),
            here_worth: here.map(|here| show::worth(settings, here)).unwrap_or_default(),
            verdict,
        }
    };
    let rows = (0..).zip(cards).map(row).collect();
    parts::text(&Table { rows, currency: settings.mining.currency.clone(), comparable: rate.is_some() })
}
