//! `GET /settings`: everything a person may choose, each part with its own Save.

use super::{Shared, html, overview::frame, parts};
use crate::{
    decide::total_watts,
    settings::{Cost, Day, Hours, KINDS, Price, Settings},
};
use askama::Template;
use axum::{extract::State, response::Response};
use std::sync::Arc;
use tatau_ui::Frame;
use tatau_worker::{Reading, Readings};

#[derive(Template)]
#[template(path = "provider/settings.html")]
struct Page {
    frame: Frame,
    csrf: String,
    price: &'static str,
    ask: String,
    middle: String,
    currency: Option<String>,
    per_kwh: String,
    margin: String,
    in_tatau: bool,
    power_watts: String,
    hours: String,
    idle: crate::settings::Idle,
    minutes: u32,
    limits: [String; 3],
    /// Why a rule has no effect here, or cannot be told: battery, hands, processor heat, card heat, watts.
    lacks: Lacks,
    kinds: Vec<(&'static str, &'static str, bool)>,
    blocked: String,
    cache_gib: u64,
    command: String,
    rate: String,
    mining_currency: String,
    mining: Vec<crate::settings::Yield>,
}

/// What this machine cannot tell, beside the rule that needs it.
#[derive(Default)]
struct Lacks {
    battery: String,
    hands: String,
    processor: String,
    graphics: String,
    watts: String,
}

#[derive(Template)]
#[template(path = "provider/hours.html")]
struct HoursPart {
    rows: Vec<(usize, String)>,
    days: [(&'static str, &'static str); 7],
    csrf: String,
    refused: Option<String>,
}

/// The part with the times of the week.
pub(super) fn hours(shared: &Shared, settings: &Settings, refused: Option<String>) -> String {
    let rows = settings.hours.iter().map(in_words).enumerate().collect();
    let days = Day::ALL.map(|day| (day.short(), day.name()));
    parts::text(&HoursPart { rows, days, csrf: shared.secret.word(), refused })
}

fn in_words(hours: &Hours) -> String {
    let days: Vec<&str> = hours.days.iter().map(|day| day.name()).collect();
    let days = match hours.days.len() {
        7 => "every day".to_owned(),
        _ => days.join(", "),
    };
    if hours.from.0 % 1_440 == hours.to.0 % 1_440 {
        format!("{days}: all day, from {}", hours.from)
    } else {
        format!("{days}: {} to {}", hours.from, hours.to)
    }
}

fn lack<T>(reading: &Reading<T>, effect: &str) -> String {
    match reading {
        Reading::Is(_) => String::new(),
        Reading::NotHere(why) => format!("Here: {why}. {effect}"),
        Reading::Failed(why) => format!("Here: {why}."),
    }
}

const NO_EFFECT: &str = "This rule does nothing here.";

fn lacks(readings: Option<&Readings>, minutes_on: bool) -> Lacks {
    let Some(readings) = readings else { return Lacks::default() };
    let graphics = match readings.graphics.first() {
        Some(card) => lack(&card.celsius, NO_EFFECT),
        None => "This computer has no NVIDIA card that its driver shows.".into(),
    };
    Lacks {
        battery: lack(&readings.supply, NO_EFFECT),
        // Asked only while the rule is on.
        hands: if minutes_on {
            lack(&readings.hands_off_seconds, "With this rule on it never works.")
        } else {
            String::new()
        },
        processor: lack(&readings.celsius, NO_EFFECT),
        graphics,
        watts: lack(&total_watts(readings), NO_EFFECT),
    }
}

fn number(number: Option<u32>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

fn cost(cost: Option<Cost>) -> String {
    cost.map_or_else(String::new, |cost| tatau_model::Amount(cost.billionths()).to_string())
}

pub(super) async fn show(State(shared): State<Arc<Shared>>) -> Response {
    let settings = shared.cockpit.settings.now();
    let (readings, middle) = shared
        .cockpit
        .board
        .look(|s| (s.readings.clone(), s.platform.as_ref().and_then(|platform| platform.middle_ask)));
    let (price, ask) = match settings.price {
        Price::Market => ("market", String::new()),
        Price::AtLeast(ask) => ("at_least", ask.to_string()),
        Price::Fixed(ask) => ("fixed", ask.to_string()),
    };
    let costs = [settings.power.per_kwh, settings.power.least_margin];
    let minutes_on = settings.idle.hands_off_minutes.is_some();
    html(&Page {
        frame: frame(&shared, "/settings"),
        csrf: shared.secret.word(),
        price,
        ask,
        middle: middle
            .map_or_else(|| "nobody else offers now".into(), |middle| format!("{middle} TATAU an hour now")),
        currency: settings.display.as_ref().map(|rate| rate.currency.clone()),
        per_kwh: cost(settings.power.per_kwh),
        margin: cost(settings.power.least_margin),
        in_tatau: costs.into_iter().flatten().all(|cost| matches!(cost, Cost::Tatau(_))),
        power_watts: number(settings.power.watts),
        hours: hours(&shared, &settings, None),
        idle: settings.idle,
        minutes: settings.idle.hands_off_minutes.unwrap_or(5),
        limits: [settings.limits.processor_celsius, settings.limits.graphics_celsius, settings.limits.watts]
            .map(number),
        lacks: lacks(readings.as_ref(), minutes_on),
        kinds: KINDS.map(|(kind, words)| (kind, words, !settings.refused.contains(kind))).into(),
        blocked: settings.blocked.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        cache_gib: settings.cache_gib,
        command: settings.idle_command.clone(),
        rate: settings.display.as_ref().map(|rate| rate.per_tatau.to_string()).unwrap_or_default(),
        mining_currency: settings.mining.currency.clone(),
        mining: settings.mining.rows.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Minute;

    #[test]
    fn hours_read_like_a_calendar() {
        let hours = |days: &[Day], from, to| {
            in_words(&Hours { days: days.iter().copied().collect(), from: Minute(from), to: Minute(to) })
        };
        assert_eq!(hours(&Day::ALL, 22 * 60, 7 * 60), "every day: 22:00 to 07:00");
        assert_eq!(hours(&[Day::Sat, Day::Sun], 0, 1_440), "Saturday, Sunday: all day, from 00:00");
    }
}
