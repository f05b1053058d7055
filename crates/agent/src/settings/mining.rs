//! What mining would pay: a table of card yields that the person edits.

use super::Fiat;
use serde::{Deserialize, Serialize};

const LONGEST: usize = 200;

/// The table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mining {
    /// Currency of its yields.
    pub currency: String,
    /// One a card class.
    pub rows: Vec<Yield>,
}

/// What one card of a class brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Yield {
    /// Card class, as in the table of classes.
    pub class: String,
    /// A day, before power.
    pub a_day: Fiat,
    /// Where the number comes from.
    pub source: String,
    /// Of which day it is, such as 2026-01-31.
    pub date: String,
}

/// Said of the numbers that come with the program.
const GUESS: &str =
    "rough size of public mining calculators' figures; not measured here. Put in what your miner shows";
const GUESSED: &str = "2025-06-01";

impl Default for Mining {
    fn default() -> Self {
        // Thousandths of a US dollar a day, before power. A CPU slot is one core of a server.
        let guesses = [
            ("cpu", 20),
            ("gtx-1080-ti", 150),
            ("rtx-2080-ti", 280),
            ("rtx-3060", 180),
            ("rtx-3080", 380),
            ("rtx-3090", 450),
            ("rtx-4070", 350),
            ("rtx-4090", 850),
        ];
        let row = |(class, milli): (&str, i64)| Yield {
            class: class.into(),
            a_day: Fiat(milli * 1_000_000),
            source: GUESS.into(),
            date: GUESSED.into(),
        };
        Self { currency: "USD".into(), rows: guesses.map(row).into() }
    }
}

impl Mining {
    /// The row of a class.
    pub fn of(&self, class: &str) -> Option<&Yield> {
        self.rows.iter().find(|row| row.class == class)
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if !(1..=8).contains(&self.currency.len())
            || !self.currency.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return Err("the mining table's currency is 1 to 8 letters, such as USD".into());
        }
        for row in &self.rows {
            if tatau_model::card::class(&row.class).is_none() {
                return Err(format!(
                    "there is no card class '{}'",
                    row.class.chars().take(40).collect::<String>()
                ));
            }
            if !(0..=1_000_000_000_000_000).contains(&row.a_day.0) {
                return Err(format!(
                    "what mining pays for {} is not below zero, and below a million",
                    row.class
                ));
            }
            if row.source.len() > LONGEST || !is_date(&row.date) {
                return Err(format!(
                    "the mining row of {} needs a date such as 2026-01-31 and a source of at most {LONGEST} bytes",
                    row.class
                ));
            }
        }
        Ok(())
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |text: &str, len, most| {
        text.len() == len
            && text.bytes().all(|b| b.is_ascii_digit())
            && text.parse().is_ok_and(|n: u32| (1..=most).contains(&n))
    };
    number(year, 4, 9_999) && number(month, 2, 12) && number(day, 2, 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_a_row_with_source_and_date() {
        let mining = Mining::default();
        mining.check().unwrap();
        // What a card of a family would mine, nobody can say.
        for class in tatau_model::card::CLASSES.iter().filter(|class| !class.family) {
            let row = mining.of(class.name).unwrap_or_else(|| panic!("{} has no row", class.name));
            assert!(row.a_day.0 > 0 && !row.source.is_empty());
        }
    }

    #[test]
    fn rows_of_nothing_are_refused() {
        let spoilt = |spoil: fn(&mut Yield)| {
            let mut mining = Mining::default();
            spoil(&mut mining.rows[1]);
            mining.check()
        };
        assert!(spoilt(|row| row.class = "abacus".into()).is_err());
        assert!(spoilt(|row| row.date = "yesterday".into()).is_err());
        assert!(spoilt(|row| row.date = "2026-13-01".into()).is_err());
        assert!(spoilt(|row| row.a_day = Fiat(-1)).is_err());
        assert!(Mining { currency: "<b>".into(), ..Mining::default() }.check().is_err());
    }
}
