//! Words and numbers as the page shows them.

use crate::{
    board::{Phase, Status},
    settings::{Fiat, Settings},
};
use tatau_model::Amount;
use tatau_worker::Reading;

/// A meter's word for people, and why it shows nothing.
pub(super) struct Shown {
    pub text: String,
    pub why: String,
}

/// `54 °C`, `not measured`, `cannot be read`.
pub(super) fn reading(reading: Option<&Reading<u32>>, unit: &str) -> Shown {
    match reading {
        Some(Reading::Is(value)) => Shown { text: format!("{value} {unit}"), why: String::new() },
        Some(Reading::NotHere(why)) => Shown { text: "not measured".into(), why: (*why).to_owned() },
        Some(Reading::Failed(why)) => Shown { text: "cannot be read".into(), why: why.clone() },
        None => Shown { text: "not measured".into(), why: "nobody has looked yet".into() },
    }
}

/// Billionths below this are left out of what is only estimated.
const ESTIMATE: i64 = 1_000;

/// An estimate: six places are more than it is worth.
pub(super) fn about(amount: Amount) -> String {
    Amount(amount.0 / ESTIMATE * ESTIMATE).to_string()
}

/// `≈ 0.12 EUR`, where the person has set a rate; cents where it is more than a few.
pub(super) fn worth(settings: &Settings, amount: Amount) -> String {
    let Some(rate) = &settings.display else { return String::new() };
    match rate.fiat(amount) {
        Some(fiat) => format!("≈ {} {}", rounded(fiat), rate.currency),
        None => String::new(),
    }
}

/// Two places from a tenth on, four below, all of them for next to nothing.
pub(super) fn rounded(fiat: Fiat) -> Fiat {
    let step = match fiat.0.abs() {
        100_000_000.. => 10_000_000,
        1_000_000.. => 100_000,
        _ => 1,
    };
    Fiat(fiat.0 / step * step)
}

/// The page's first words: a headline, a sentence, and how the headline is meant.
pub(super) struct Headline {
    pub head: &'static str,
    pub sentence: String,
    pub tone: &'static str,
    /// The button says Stop.
    pub on: bool,
    pub button: &'static str,
}

/// Where everything stands, in a gamer's words.
pub(super) fn headline(status: &Status, wants_work: bool, pressed_before: bool, server: &str) -> Headline {
    let headline = |head, sentence: &str, tone, on, button| Headline {
        head,
        sentence: sentence.to_owned(),
        tone,
        on,
        button,
    };
    match &status.phase {
        Phase::Stopped if wants_work => headline("Starting", "One moment.", "busy", true, "Stop"),
        Phase::Stopped if !pressed_before => headline(
            "Ready when you are",
            "Press Start, and this computer earns TATAU by rendering pictures for others. You need no deposit: your first pay becomes one.",
            "plain",
            false,
            "Start earning",
        ),
        Phase::Stopped => headline("Stopped", "This computer is all yours.", "plain", false, "Start earning"),
        Phase::Starting(_) | Phase::Running if status.away.is_some() => headline(
            "Waiting for the platform",
            &format!("{server} does not answer. Finished work is kept; everything goes on by itself."),
            "warn",
            true,
            "Stop",
        ),
        Phase::Starting(what) => headline("Getting ready", what, "busy", true, "Stop"),
        Phase::Finishing if wants_work => {
            headline("Starting again", "The last run ends first.", "busy", true, "Stop")
        }
        Phase::Finishing => headline(
            "Finishing",
            "What runs is finished and paid. Press again to stop at once; that task is then given back unpaid.",
            "busy",
            true,
            "Stop now",
        ),
        Phase::Failed(why) => Headline {
            head: "It does not start",
            sentence: format!("{} It is tried again every minute.", sentence_of(why)),
            tone: "bad",
            on: false,
            button: "Try again",
        },
        Phase::Running if status.cards.values().any(|card| card.running().is_some()) => {
            headline("Earning", "Your computer is working right now.", "good", true, "Stop")
        }
        Phase::Running => idle_headline(status),
    }
}

fn idle_headline(status: &Status) -> Headline {
    let rest = status.cards.values().filter(|card| card.usable).find_map(|card| {
        let resting = status
            .cards
            .values()
            .filter(|c| c.usable)
            .all(|c| c.ruling.as_ref().is_some_and(|ruling| ruling.reason().is_some()));
        card.ruling.as_ref()?.reason().filter(|_| resting)
    });
    match rest {
        Some(reason) => {
            Headline { head: "Resting", sentence: reason.sentence(), tone: "warn", on: true, button: "Stop" }
        }
        None => Headline {
            head: "Waiting for work",
            sentence: "Connected. Work comes by itself as soon as somebody needs a computer like yours."
                .into(),
            tone: "good",
            on: true,
            button: "Stop",
        },
    }
}

/// With a capital letter and a full stop.
pub(super) fn sentence_of(text: &str) -> String {
    let mut chars = text.trim().chars();
    let first: String = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let rest = chars.as_str();
    let stop = if rest.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{rest}{stop}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        board::CardStatus,
        decide::{Reason, Ruling},
        settings::Rate,
    };

    #[test]
    fn a_missing_meter_is_never_a_number() {
        assert_eq!(reading(Some(&Reading::Is(0)), "W").text, "0 W");
        assert_eq!(reading(Some(&Reading::NotHere("no meter")), "W").text, "not measured");
        assert_eq!(reading(Some(&Reading::Failed("io".into())), "W").text, "cannot be read");
        assert_eq!(reading(None, "W").text, "not measured");
    }

    #[test]
    fn money_of_another_currency_is_rounded_and_only_shown_with_a_rate() {
        let mut settings = Settings::default();
        assert_eq!(worth(&settings, Amount::tatau(1)), "");
        settings.display = Some(Rate { currency: "EUR".into(), per_tatau: Fiat(1_234_567_890) });
        assert_eq!(worth(&settings, Amount::tatau(1)), "≈ 1.23 EUR");
        assert_eq!(worth(&settings, Amount(10_000_000)), "≈ 0.0123 EUR");
        assert_eq!(about(Amount(38_000_999)), "0.038");
    }

    #[test]
    fn the_headline_says_why_nothing_is_earned() {
        let mut status = Status { phase: Phase::Running, ..Status::default() };
        let mut card = CardStatus { usable: true, ruling: Some(Ruling::Work), ..CardStatus::default() };
        status.cards.insert(0, card.clone());
        let head = |status: &Status| headline(status, true, true, "server");
        assert_eq!(head(&status).head, "Waiting for work");
        card.ruling = Some(Ruling::Stop(Reason::OnBattery));
        status.cards.insert(0, card);
        assert_eq!((head(&status).head, head(&status).sentence.contains("battery")), ("Resting", true));
        status.away = Some("gone".into());
        assert_eq!(head(&status).tone, "warn");
        status.phase = Phase::Failed("no bubblewrap; run: apt-get install bubblewrap".into());
        assert!(head(&status).sentence.starts_with("No bubblewrap; run: apt-get install bubblewrap."));
        let fresh = headline(&Status::default(), false, false, "server");
        assert!(!fresh.on && fresh.sentence.contains("no deposit"), "earn-in in one sentence");
    }
}
