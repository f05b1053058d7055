//! What a provider wants: its price, its power, its hours, its limits. Kept as `provider.json` in the node's folder.

mod file;
mod hours;
mod mining;
mod money;

pub use file::{SettingsError, SettingsFile};
pub use hours::{Day, Hours, LocalTime, Minute, next_begin, open_at};
pub use mining::{Mining, Yield};
pub use money::{Cost, Fiat, Rate};

use crate::options::DEFAULT_ASK;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tatau_model::{Address, Amount};

/// Version of the file. A later one is refused, never guessed at.
pub const VERSION: u32 = 1;
/// Buyers that may be blocked; the platform takes no more.
pub const MOST_BLOCKED: usize = 256;
/// Hours that may be named.
pub const MOST_HOURS: usize = 50;
/// Rows of the mining table.
const MOST_YIELDS: usize = 100;
/// Longest command, bytes.
const MOST_COMMAND: usize = 4_096;
/// Kinds of work that may be refused, with words for people.
pub const KINDS: [(&str, &str); 4] = [
    ("render", "Render frames"),
    ("finish", "Make pictures from rendered frames"),
    ("video", "Make videos from pictures"),
    ("inspect", "Look at new scenes (short, helps the price to be known)"),
];

/// Everything a person may choose. Its defaults are good: a new provider earns without opening a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// [`VERSION`].
    pub version: u32,
    /// The big button; `None` where it was never pressed.
    pub working: Option<bool>,
    /// What an hour costs buyers.
    pub price: Price,
    /// What power costs.
    pub power: Power,
    /// When it works; always where none are named.
    pub hours: Vec<Hours>,
    /// Who goes first.
    pub idle: Idle,
    /// What the machine must not exceed.
    pub limits: Limits,
    /// Size of the cache of inputs, GiB; from the next start on.
    pub cache_gib: u64,
    /// Buyers whose work is not taken.
    pub blocked: Vec<Address>,
    /// Of [`KINDS`], those that are not taken.
    pub refused: BTreeSet<String>,
    /// Cards that were switched off, by number.
    pub cards_off: BTreeSet<u16>,
    /// Runs while no card has work: words, no shell. Empty: nothing.
    pub idle_command: String,
    /// The currency beside TATAU.
    pub display: Option<Rate>,
    /// What mining would pay.
    pub mining: Mining,
}

/// What an hour of a GTX 1080 Ti's worth of work costs buyers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "ask")]
pub enum Price {
    /// The middle of what others ask.
    #[default]
    Market,
    /// The same, but never below this.
    AtLeast(Amount),
    /// Always this.
    Fixed(Amount),
}

impl Price {
    /// What to ask, given the middle of what is asked now.
    pub fn ask(self, middle: Option<Amount>) -> Amount {
        match self {
            Self::Market => middle.unwrap_or(DEFAULT_ASK),
            Self::AtLeast(floor) => middle.unwrap_or(DEFAULT_ASK).max(floor),
            Self::Fixed(ask) => ask,
        }
    }
}

/// What power costs, and what has to be left after it. Without a price the rule does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Power {
    /// A kilowatt-hour.
    pub per_kwh: Option<Cost>,
    /// What a card's hour must bring beyond its power.
    pub least_margin: Option<Cost>,
    /// What a card is said to draw at work where that cannot be measured, watts.
    pub watts: Option<u32>,
}

/// Who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Idle {
    /// Works only when nobody has used keyboard or mouse for so many minutes.
    pub hands_off_minutes: Option<u32>,
    /// Makes way for other programs on a graphics card.
    pub graphics: bool,
    /// Does not work on battery.
    pub battery: bool,
}

impl Default for Idle {
    fn default() -> Self {
        Self { hands_off_minutes: None, graphics: true, battery: true }
    }
}

/// What the machine must not exceed; no rule where there is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Of the processor, °C.
    pub processor_celsius: Option<u32>,
    /// Of a graphics card, °C.
    pub graphics_celsius: Option<u32>,
    /// Of all that is measured together, watts.
    pub watts: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { processor_celsius: Some(95), graphics_celsius: Some(85), watts: None }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: VERSION,
            working: None,
            price: Price::Market,
            power: Power::default(),
            hours: Vec::new(),
            idle: Idle::default(),
            limits: Limits::default(),
            cache_gib: 20,
            blocked: Vec::new(),
            refused: BTreeSet::new(),
            cards_off: BTreeSet::new(),
            idle_command: String::new(),
            display: None,
            mining: Mining::default(),
        }
    }
}

impl Settings {
    /// One sentence about the first thing that cannot be.
    pub fn check(&self) -> Result<(), String> {
        let must = |so: bool, sentence: &str| if so { Ok(()) } else { Err(sentence.to_owned()) };
        let most = Amount::tatau(1_000_000);
        if let Price::AtLeast(ask) | Price::Fixed(ask) = self.price {
            must(
                ask.is_positive() && ask <= most,
                "the price lies between 0.000000001 and 1000000 TATAU an hour",
            )?;
        }
        let costs = [self.power.per_kwh, self.power.least_margin];
        for cost in costs.into_iter().flatten() {
            must(cost.is_sensible(), "a cost is not below zero, and not beyond a million")?;
            must(
                self.display.is_some() || matches!(cost, Cost::Tatau(_)),
                "power in your currency needs its rate: say first what one TATAU is worth to you",
            )?;
        }
        must(self.power.watts.is_none_or(|w| (1..=5_000).contains(&w)), "a card draws 1 to 5000 watts")?;
        must(self.hours.len() <= MOST_HOURS, "at most 50 times of the week can be named")?;
        must(self.hours.iter().all(|h| !h.days.is_empty()), "name a day of the week for each time")?;
        must(
            self.idle.hands_off_minutes.is_none_or(|m| (1..=1_440).contains(&m)),
            "minutes without keyboard or mouse: 1 to 1440",
        )?;
        let heat = [self.limits.processor_celsius, self.limits.graphics_celsius];
        must(
            heat.into_iter().flatten().all(|c| (40..=110).contains(&c)),
            "a temperature limit lies between 40 and 110 °C",
        )?;
        must(
            self.limits.watts.is_none_or(|w| (10..=100_000).contains(&w)),
            "a watt limit lies between 10 and 100000 W",
        )?;
        must((1..=100_000).contains(&self.cache_gib), "the cache has 1 to 100000 GiB")?;
        must(self.blocked.len() <= MOST_BLOCKED, "at most 256 buyers can be blocked")?;
        must(
            self.refused.iter().all(|kind| KINDS.iter().any(|(name, _)| name == kind)),
            "there is no such kind of work",
        )?;
        must(
            self.refused.len() < KINDS.len(),
            "with every kind of work switched off there is nothing to earn; leave one on",
        )?;
        must(self.idle_command.len() <= MOST_COMMAND, "the command is too long")?;
        crate::idle_command::words(&self.idle_command)?;
        if let Some(rate) = &self.display {
            rate.check()?;
        }
        must(self.mining.rows.len() <= MOST_YIELDS, "the mining table has at most 100 rows")?;
        self.mining.check()
    }

    /// What something costs in TATAU; `None` where the currency has no rate.
    pub fn tatau(&self, cost: Cost) -> Option<Amount> {
        match cost {
            Cost::Tatau(amount) => Some(amount),
            Cost::Display(fiat) => self.display.as_ref()?.tatau(fiat),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_good_and_nonsense_has_a_sentence() {
        Settings::default().check().unwrap();
        let wrong: [fn(&mut Settings); 12] = [
            |s| s.price = Price::Fixed(Amount::ZERO),
            |s| s.power.per_kwh = Some(Cost::Display(Fiat(300_000_000))),
            |s| s.power.least_margin = Some(Cost::Tatau(Amount(-1))),
            |s| s.power.watts = Some(0),
            |s| s.limits.graphics_celsius = Some(200),
            |s| s.limits.watts = Some(1),
            |s| s.cache_gib = 0,
            |s| s.blocked = vec![Address::default(); 257],
            |s| s.refused = ["mining".to_owned()].into(),
            |s| s.refused = KINDS.iter().map(|(kind, _)| (*kind).to_owned()).collect(),
            |s| s.idle_command = "miner 'without end".into(),
            |s| s.idle.hands_off_minutes = Some(0),
        ];
        for (number, spoil) in wrong.iter().enumerate() {
            let mut settings = Settings::default();
            spoil(&mut settings);
            assert!(!settings.check().unwrap_err().is_empty(), "case {number}");
        }
    }

    #[test]
    fn the_market_is_followed_down_to_a_floor() {
        let (low, high) = (Some(Amount(5)), Some(Amount(50)));
        assert_eq!((Price::Market.ask(low), Price::Market.ask(None)), (Amount(5), DEFAULT_ASK));
        let floor = Price::AtLeast(Amount(20));
        assert_eq!((floor.ask(low), floor.ask(high)), (Amount(20), Amount(50)));
        assert_eq!(Price::Fixed(Amount(20)).ask(high), Amount(20));
    }

    #[test]
    fn costs_in_another_currency_come_by_its_rate() {
        let mut settings = Settings::default();
        let third = Cost::Display(Fiat(300_000_000));
        assert_eq!(settings.tatau(third), None);
        settings.display = Some(Rate { currency: "EUR".into(), per_tatau: Fiat(500_000_000) });
        assert_eq!(settings.tatau(third), Some(Amount(600_000_000)));
        assert_eq!(settings.tatau(Cost::Tatau(Amount(7))), Some(Amount(7)));
    }
}
