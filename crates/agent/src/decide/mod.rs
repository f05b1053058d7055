//! May this card work now? Pure: settings, readings and the moment in, a ruling with its reason out.
//!
//! A reading that failed never counts as "all is well" where a rule needs it: the card rests and says why. A meter that the
//! machine does not have leaves its rule without effect, and the page says so beside the setting.

mod reason;
#[cfg(test)]
mod tests;

pub use reason::Reason;

use crate::settings::{LocalTime, Settings, next_begin, open_at};
use std::collections::{BTreeMap, BTreeSet};
use tatau_model::{Amount, CardKind, Millis};
use tatau_worker::{Reading, Readings, Supply};

/// With less free than this no new work is taken, MiB.
const LEAST_DISK_MIB: u64 = 1_024;
/// A card that was too hot works again so many degrees below its limit, °C.
pub const COOL_BY: u32 = 5;
/// A card that rests for the watt limit rests so long, ms …
pub const REST_MS: u64 = 10 * 60_000;
/// … and the next one is looked at after this, when the meters show the difference, ms.
const SETTLE_MS: u64 = 60_000;
/// After another program let go of the graphics cards they stay free so long, ms: games load between their scenes.
const LET_GO_MS: u64 = 2 * 60_000;
/// A graphics card that is this busy while nothing of ours uses it is in use, percent.
const BUSY_PERCENT: u32 = 20;

/// What a card may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Take work.
    Work,
    /// Finish what runs, take nothing new.
    Wait(Reason),
    /// Give back what runs, at once.
    Stop(Reason),
}

impl Ruling {
    /// Why it may not work.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Work => None,
            Self::Wait(reason) | Self::Stop(reason) => Some(reason),
        }
    }
}

/// One card, as far as the rules ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFacts {
    /// Its number on the node.
    pub number: u16,
    /// CPU slot or graphics card.
    pub kind: CardKind,
    /// The driver's number of a graphics card.
    pub graphics: Option<u32>,
    /// Something can be rendered on it.
    pub usable: bool,
    /// A task runs on it.
    pub busy: bool,
    /// What an hour of work brings at today's price, fee taken off; unknown until it is measured.
    pub earns_an_hour: Option<Amount>,
    /// What it draws at work, watts, where that was measured.
    pub watts: Option<u32>,
}

/// When it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Now.
    pub now: Millis,
    /// The same on the machine's clock.
    pub local: LocalTime,
    /// The owner's idle command runs: load on graphics cards is its doing.
    pub idle_command: bool,
}

/// What has to be remembered from one ruling to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Cards that were too hot and have not cooled down.
    hot: BTreeSet<u16>,
    /// Cards that rest for the watt limit, and until when.
    resting: BTreeMap<u16, Millis>,
    /// When the watt limit is looked at again.
    settled: Millis,
    /// Until when the graphics cards count as in use.
    graphics_until: Millis,
}

/// Rules on every card.
pub fn decide(
    settings: &Settings,
    cards: &[CardFacts],
    readings: &Readings,
    moment: Moment,
    mut past: Past,
) -> (BTreeMap<u16, Ruling>, Past) {
    let all = machine(settings, cards, readings, moment, &mut past);
    let mut rulings = BTreeMap::new();
    for card in cards {
        let mut reasons = all.clone();
        own(settings, card, readings, &mut past, &mut reasons);
        rulings.insert(card.number, strongest(reasons));
    }
    watts(settings, cards, readings, moment, &mut past, &mut rulings);
    (rulings, past)
}

/// A reason to stop goes before one to wait; of equals, the first.
fn strongest(reasons: Vec<Ruling>) -> Ruling {
    let stop = reasons.iter().position(|r| matches!(r, Ruling::Stop(_)));
    reasons.into_iter().nth(stop.unwrap_or(0)).unwrap_or(Ruling::Work)
}

/// Reasons that hold for all cards.
fn machine(
    settings: &Settings,
    cards: &[CardFacts],
    readings: &Readings,
    moment: Moment,
    past: &mut Past,
) -> Vec<Ruling> {
    let mut reasons = Vec::new();
    // A full disk fails one buyer's task after the other.
    if let Reading::Is(free_mib) = readings.disk_free_mib
        && free_mib < LEAST_DISK_MIB
    {
        reasons.push(Ruling::Wait(Reason::DiskFull { free_mib }));
    }
    if settings.idle.battery {
        match &readings.supply {
            Reading::Is(Supply::Battery(_)) => reasons.push(Ruling::Stop(Reason::OnBattery)),
            Reading::Failed(why) => reasons.push(Ruling::Wait(Reason::SupplyUnknown(why.clone()))),
            Reading::Is(Supply::Mains) | Reading::NotHere(_) => {}
        }
    }
    if let Some(minutes) = settings.idle.hands_off_minutes {
        match &readings.hands_off_seconds {
            Reading::Is(seconds) if *seconds < u64::from(minutes) * 60 => {
                reasons.push(Ruling::Stop(Reason::Hands { minutes }));
            }
            Reading::Is(_) => {}
            Reading::NotHere(why) => reasons.push(Ruling::Wait(Reason::HandsUnknown((*why).to_owned()))),
            Reading::Failed(why) => reasons.push(Ruling::Wait(Reason::HandsUnknown(why.clone()))),
        }
    }
    if settings.idle.graphics {
        reasons.extend(graphics_in_use(cards, readings, moment, past));
    }
    if !open_at(&settings.hours, moment.local) {
        let next = next_begin(&settings.hours, moment.local);
        reasons.push(Ruling::Wait(Reason::OutsideHours { next }));
    }
    reasons
}

/// Does another program use a graphics card?
fn graphics_in_use(
    cards: &[CardFacts],
    readings: &Readings,
    moment: Moment,
    past: &mut Past,
) -> Option<Ruling> {
    let mut names = Vec::new();
    let mut used = false;
    for card in &readings.graphics {
        let ours = moment.idle_command || cards.iter().any(|c| c.graphics == Some(card.number) && c.busy);
        if let Reading::Is(others) = &card.others {
            used |= !others.is_empty();
            names.extend(others.iter().cloned());
        }
        used |= !ours && card.load_percent.value().is_some_and(|percent| *percent >= BUSY_PERCENT);
    }
    if used {
        past.graphics_until = moment.now.plus(LET_GO_MS);
    }
    names.dedup();
    (moment.now < past.graphics_until).then_some(Ruling::Stop(Reason::Graphics { names }))
}

/// Reasons of one card's own.
fn own(
    settings: &Settings,
    card: &CardFacts,
    readings: &Readings,
    past: &mut Past,
    reasons: &mut Vec<Ruling>,
) {
    let (celsius, limit) = match card.kind {
        CardKind::Cpu => (Some(&readings.celsius), settings.limits.processor_celsius),
        CardKind::Gpu => (
            readings.graphics.iter().find(|g| Some(g.number) == card.graphics).map(|g| &g.celsius),
            settings.limits.graphics_celsius,
        ),
    };
    match (celsius, limit) {
        (Some(Reading::Is(celsius)), Some(limit)) => {
            let was_hot = past.hot.contains(&card.number);
            if *celsius >= limit {
                past.hot.insert(card.number);
                reasons.push(Ruling::Stop(Reason::Hot { celsius: *celsius, limit }));
            } else if was_hot && *celsius + COOL_BY > limit {
                reasons.push(Ruling::Wait(Reason::Hot { celsius: *celsius, limit }));
            } else {
                past.hot.remove(&card.number);
            }
        }
        (Some(Reading::Failed(why)), Some(_)) => reasons.push(Ruling::Wait(Reason::HeatUnknown(why.clone()))),
        _ => {
            past.hot.remove(&card.number);
        }
    }
    if settings.cards_off.contains(&card.number) {
        // The person's own word is said first.
        reasons.insert(0, Ruling::Wait(Reason::Off));
    }
    if !card.usable {
        reasons.insert(0, Ruling::Wait(Reason::NotYet));
    }
    if let Some((earns, costs)) = loss(settings, card) {
        reasons.push(Ruling::Wait(Reason::DoesNotPay { earns, costs }));
    }
}

/// What an hour brings and costs, where it costs more than it brings. Nothing where either is unknown.
fn loss(settings: &Settings, card: &CardFacts) -> Option<(Amount, Amount)> {
    let earns = card.earns_an_hour?;
    let costs = cost_of_an_hour(settings, card)?;
    (earns < costs).then_some((earns, costs))
}

/// Power of an hour at work, and the margin that has to be left.
pub fn cost_of_an_hour(settings: &Settings, card: &CardFacts) -> Option<Amount> {
    let power = settings.power;
    let watts = u64::from(card.watts.or(power.watts)?);
    let power_cost = settings.tatau(power.per_kwh?)?.scale(watts, 1_000).ok()?;
    let margin = match power.least_margin {
        Some(margin) => settings.tatau(margin)?,
        None => Amount::ZERO,
    };
    power_cost.add(margin).ok()
}

/// All that is measured together; `None` where nothing is.
pub fn total_watts(readings: &Readings) -> Reading<u32> {
    let meters = std::iter::once(&readings.watts).chain(readings.graphics.iter().map(|g| &g.watts));
    let mut sum = None;
    for meter in meters {
        match meter {
            Reading::Is(watts) => sum = Some(sum.unwrap_or(0) + watts),
            Reading::Failed(why) => return Reading::Failed(why.clone()),
            Reading::NotHere(_) => {}
        }
    }
    sum.map_or(Reading::NotHere("nothing here measures power"), Reading::Is)
}

/// Watts are a budget, not a danger: while the sum is over the limit one card more rests, the last first, and finishes what it does.
fn watts(
    settings: &Settings,
    cards: &[CardFacts],
    readings: &Readings,
    moment: Moment,
    past: &mut Past,
    rulings: &mut BTreeMap<u16, Ruling>,
) {
    past.resting.retain(|_, until| moment.now < *until);
    let Some(limit) = settings.limits.watts else {
        past.resting.clear();
        return;
    };
    let now = match total_watts(readings) {
        Reading::Is(watts) => watts,
        Reading::NotHere(_) => return past.resting.clear(),
        Reading::Failed(why) => {
            for ruling in rulings.values_mut().filter(|r| **r == Ruling::Work) {
                *ruling = Ruling::Wait(Reason::WattsUnknown(why.clone()));
            }
            return;
        }
    };
    // One that still finishes its task has not shown yet what its rest brings.
    let finishing = cards.iter().any(|c| c.busy && past.resting.contains_key(&c.number));
    if now > limit && past.settled <= moment.now && !finishing {
        let works = |card: &&CardFacts| {
            rulings.get(&card.number) == Some(&Ruling::Work) && !past.resting.contains_key(&card.number)
        };
        if let Some(last) = cards.iter().filter(works).map(|card| card.number).next_back() {
            past.resting.insert(last, moment.now.plus(REST_MS));
            past.settled = moment.now.plus(SETTLE_MS);
        }
    }
    for card in past.resting.keys() {
        if let Some(ruling) = rulings.get_mut(card).filter(|r| **r == Ruling::Work) {
            *ruling = Ruling::Wait(Reason::Watts { limit });
        }
    }
}
