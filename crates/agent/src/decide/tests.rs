//! The rules as a table: one situation a row, and what follows for the card.

use super::*;
use crate::settings::{Cost, Day, Fiat, Hours, Minute, Rate};
use tatau_worker::GraphicsReading;

const GPU: u16 = 1;

fn settings() -> Settings {
    Settings::default()
}

fn readings() -> Readings {
    Readings {
        load_percent: Reading::Is(50),
        celsius: Reading::Is(60),
        watts: Reading::Is(65),
        supply: Reading::NotHere("no battery"),
        hands_off_seconds: Reading::Is(3_600),
        disk_free_mib: Reading::Is(50_000),
        graphics: vec![GraphicsReading {
            number: 0,
            load_percent: Reading::Is(0),
            celsius: Reading::Is(55),
            watts: Reading::Is(30),
            others: Reading::Is(vec![]),
        }],
    }
}

fn cards() -> Vec<CardFacts> {
    let card = |number, kind, graphics| CardFacts {
        number,
        kind,
        graphics,
        usable: true,
        busy: false,
        earns_an_hour: Some(Amount(1_000_000)),
        watts: Some(100),
    };
    vec![card(0, CardKind::Cpu, None), card(GPU, CardKind::Gpu, Some(0))]
}

/// Monday noon.
fn moment() -> Moment {
    let local = LocalTime { day: Day::Mon, minute: Minute(12 * 60) };
    Moment { now: Millis(1_000_000_000), local, idle_command: false }
}

struct Case {
    settings: Settings,
    readings: Readings,
    cards: Vec<CardFacts>,
    moment: Moment,
}

fn ruled(change: impl FnOnce(&mut Case)) -> BTreeMap<u16, Ruling> {
    let mut case = Case { settings: settings(), readings: readings(), cards: cards(), moment: moment() };
    change(&mut case);
    decide(&case.settings, &case.cards, &case.readings, case.moment, Past::default()).0
}

fn night() -> Hours {
    Hours { days: Day::ALL.into(), from: Minute(22 * 60), to: Minute(7 * 60) }
}

/// `works`, `waits` or `stops`, for the CPU slot and the graphics card.
type Row = (&'static str, fn(&mut Case), &'static str, &'static str);

const TABLE: &[Row] = &[
    ("good defaults, nothing odd", |_| {}, "works", "works"),
    ("a card switched off finishes", |c| c.settings.cards_off = [0].into(), "waits", "works"),
    ("a card this version cannot use", |c| c.cards[1].usable = false, "works", "waits"),
    ("outside the hours what runs is finished", |c| c.settings.hours.push(night()), "waits", "waits"),
    (
        "inside them",
        |c| {
            c.settings.hours.push(night());
            c.moment.local.minute = Minute(23 * 60);
        },
        "works",
        "works",
    ),
    (
        "the disk is nearly full: what runs may still come to its end",
        |c| c.readings.disk_free_mib = Reading::Is(900),
        "waits",
        "waits",
    ),
    ("the disk does not say", |c| c.readings.disk_free_mib = Reading::Failed("io".into()), "works", "works"),
    ("on battery", |c| c.readings.supply = Reading::Is(Supply::Battery(Some(80))), "stops", "stops"),
    ("plugged in", |c| c.readings.supply = Reading::Is(Supply::Mains), "works", "works"),
    (
        "on battery, and allowed",
        |c| {
            c.readings.supply = Reading::Is(Supply::Battery(None));
            c.settings.idle.battery = false;
        },
        "works",
        "works",
    ),
    ("a battery that cannot be read", |c| c.readings.supply = Reading::Failed("io".into()), "waits", "waits"),
    ("somebody types, and may", |c| c.readings.hands_off_seconds = Reading::Is(1), "works", "works"),
    (
        "somebody types, and goes first",
        |c| {
            c.settings.idle.hands_off_minutes = Some(5);
            c.readings.hands_off_seconds = Reading::Is(299);
        },
        "stops",
        "stops",
    ),
    (
        "nobody has typed for long enough",
        |c| {
            c.settings.idle.hands_off_minutes = Some(5);
            c.readings.hands_off_seconds = Reading::Is(300);
        },
        "works",
        "works",
    ),
    (
        "whether somebody types cannot be told",
        |c| {
            c.settings.idle.hands_off_minutes = Some(5);
            c.readings.hands_off_seconds = Reading::NotHere("no session manager");
        },
        "waits",
        "waits",
    ),
    (
        "a game on the card",
        |c| c.readings.graphics[0].others = Reading::Is(vec!["game".into()]),
        "stops",
        "stops",
    ),
    ("load that is not ours", |c| c.readings.graphics[0].load_percent = Reading::Is(90), "stops", "stops"),
    (
        "a little load of the desktop",
        |c| c.readings.graphics[0].load_percent = Reading::Is(8),
        "works",
        "works",
    ),
    (
        "load of our own task",
        |c| {
            c.readings.graphics[0].load_percent = Reading::Is(99);
            c.cards[1].busy = true;
        },
        "works",
        "works",
    ),
    (
        "load of the owner's miner",
        |c| {
            c.readings.graphics[0].load_percent = Reading::Is(99);
            c.moment.idle_command = true;
        },
        "works",
        "works",
    ),
    (
        "a game, and the person does not mind",
        |c| {
            c.readings.graphics[0].others = Reading::Is(vec!["game".into()]);
            c.settings.idle.graphics = false;
        },
        "works",
        "works",
    ),
    ("the processor at its limit", |c| c.readings.celsius = Reading::Is(95), "stops", "works"),
    ("the card at its limit", |c| c.readings.graphics[0].celsius = Reading::Is(85), "works", "stops"),
    ("just below both", |c| c.readings.celsius = Reading::Is(94), "works", "works"),
    ("no sensor", |c| c.readings.celsius = Reading::NotHere("none"), "works", "works"),
    ("a sensor that fails", |c| c.readings.celsius = Reading::Failed("io".into()), "waits", "works"),
    (
        "a sensor that fails, and no limit",
        |c| {
            c.readings.celsius = Reading::Failed("io".into());
            c.settings.limits.processor_celsius = None;
        },
        "works",
        "works",
    ),
    ("power without a price", |c| c.cards[0].earns_an_hour = Some(Amount(1)), "works", "works"),
    (
        "power that costs more than it brings",
        |c| {
            c.settings.power.per_kwh = Some(Cost::Tatau(Amount(1_000_000_000)));
            c.cards[0].earns_an_hour = Some(Amount(99_999_999));
            c.cards[1].earns_an_hour = Some(Amount(100_000_000));
        },
        "waits",
        "works",
    ),
    (
        "a margin in euros that is not left",
        |c| {
            c.settings.display = Some(Rate { currency: "EUR".into(), per_tatau: Fiat(500_000_000) });
            c.settings.power.per_kwh = Some(Cost::Display(Fiat(300_000_000)));
            c.settings.power.least_margin = Some(Cost::Display(Fiat(10_000_000)));
            // 100 W at 0.60 TATAU a kWh and 0.02 TATAU of margin: 0.08.
            c.cards[0].earns_an_hour = Some(Amount(79_999_999));
            c.cards[1].earns_an_hour = Some(Amount(80_000_000));
        },
        "waits",
        "works",
    ),
    (
        "watts that are neither measured nor said",
        |c| {
            c.settings.power.per_kwh = Some(Cost::Tatau(Amount::tatau(1_000)));
            c.cards.iter_mut().for_each(|card| card.watts = None);
        },
        "works",
        "works",
    ),
    (
        "watts that the person said",
        |c| {
            c.settings.power.per_kwh = Some(Cost::Tatau(Amount::tatau(1_000)));
            c.settings.power.watts = Some(50);
            c.cards.iter_mut().for_each(|card| card.watts = None);
        },
        "waits",
        "waits",
    ),
    (
        "a card that is not measured yet",
        |c| {
            c.settings.power.per_kwh = Some(Cost::Tatau(Amount::tatau(1_000)));
            c.cards.iter_mut().for_each(|card| card.earns_an_hour = None);
        },
        "works",
        "works",
    ),
    ("over the watt limit the last card rests", |c| c.settings.limits.watts = Some(94), "works", "waits"),
    ("at the watt limit", |c| c.settings.limits.watts = Some(95), "works", "works"),
    (
        "a watt limit, and a meter that fails",
        |c| {
            c.settings.limits.watts = Some(500);
            c.readings.graphics[0].watts = Reading::Failed("io".into());
        },
        "waits",
        "waits",
    ),
    (
        "a watt limit, and no meter",
        |c| {
            c.settings.limits.watts = Some(10);
            c.readings.watts = Reading::NotHere("none");
            c.readings.graphics[0].watts = Reading::NotHere("none");
        },
        "works",
        "works",
    ),
    (
        "a reason to stop goes before one to wait",
        |c| {
            c.settings.hours.push(night());
            c.readings.supply = Reading::Is(Supply::Battery(None));
        },
        "stops",
        "stops",
    ),
];

#[test]
fn every_situation_has_its_ruling() {
    for (what, change, cpu, gpu) in TABLE {
        let rulings = ruled(*change);
        for (card, expected) in [(0, cpu), (GPU, gpu)] {
            let ruling = &rulings[&card];
            let word = match ruling {
                Ruling::Work => "works",
                Ruling::Wait(_) => "waits",
                Ruling::Stop(_) => "stops",
            };
            assert_eq!(word, *expected, "{what}, card {card}: {ruling:?}");
            if let Some(reason) = ruling.reason() {
                let sentence = reason.sentence();
                assert!(sentence.ends_with('.') && sentence.len() < 160, "{sentence}");
            }
        }
    }
}

#[test]
fn a_hot_card_cools_down_before_it_works_again() {
    let (settings, cards) = (settings(), cards());
    let mut past = Past::default();
    let words: Vec<bool> = [94, 95, 91, 90, 94]
        .into_iter()
        .map(|celsius| {
            let readings = Readings { celsius: Reading::Is(celsius), ..readings() };
            let (rulings, next) = decide(&settings, &cards, &readings, moment(), std::mem::take(&mut past));
            past = next;
            rulings[&0] == Ruling::Work
        })
        .collect();
    assert_eq!(words, [true, false, false, true, true]);
}

#[test]
fn a_game_that_loads_its_next_scene_is_still_a_game() {
    let (settings, cards) = (settings(), cards());
    let mut used = readings();
    used.graphics[0].others = Reading::Is(vec!["game".into()]);
    let (_, past) = decide(&settings, &cards, &used, moment(), Past::default());
    let later = |seconds: u64| Moment { now: moment().now.plus(seconds * 1_000), ..moment() };
    let (rulings, past) = decide(&settings, &cards, &readings(), later(119), past);
    assert!(matches!(rulings[&0], Ruling::Stop(Reason::Graphics { .. })));
    let (rulings, _) = decide(&settings, &cards, &readings(), later(120), past);
    assert_eq!(rulings[&0], Ruling::Work);
}

#[test]
fn one_card_after_the_other_rests_until_the_watts_fit() {
    let mut settings = settings();
    settings.limits.watts = Some(50);
    let mut cards = cards();
    let at = |seconds: u64| Moment { now: moment().now.plus(seconds * 1_000), ..moment() };
    let resting = |rulings: &BTreeMap<u16, Ruling>| {
        rulings.iter().filter(|(_, r)| **r != Ruling::Work).map(|(card, _)| *card).collect::<Vec<_>>()
    };
    cards[1].busy = true;
    let (rulings, past) = decide(&settings, &cards, &readings(), at(0), Past::default());
    assert_eq!(resting(&rulings), [1]);
    // It finishes its task, and the meters settle, before another has to rest.
    let (rulings, past) = decide(&settings, &cards, &readings(), at(70), past);
    assert_eq!(resting(&rulings), [1]);
    cards[1].busy = false;
    let (rulings, past) = decide(&settings, &cards, &readings(), at(71), past);
    assert_eq!(resting(&rulings), [0, 1]);
    let frugal = Readings { watts: Reading::Is(20), ..readings() };
    let (rulings, past) = decide(&settings, &cards, &frugal, at(601), past);
    assert_eq!(resting(&rulings), [0], "its ten minutes are over, and the watts fit");
    settings.limits.watts = None;
    let (rulings, _) = decide(&settings, &cards, &readings(), at(602), past);
    assert_eq!(resting(&rulings), [0; 0], "the rule is gone, and so are its rests");
}
