//! The currency beside TATAU: whole billionths, and a rate that a person sets.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use tatau_model::{Amount, AmountError};

/// Billionths of the display currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fiat(pub i64);

const ONE: i64 = 1_000_000_000;
const MOST: i64 = 1_000_000 * ONE;

impl fmt::Display for Fiat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The same decimal places as money of ours; another currency.
        Amount(self.0).fmt(f)
    }
}

impl FromStr for Fiat {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim().replace(',', ".").parse::<Amount>() {
            Ok(amount) => Ok(Self(amount.0)),
            Err(AmountError::Overflow) => Err("the number is too large".into()),
            Err(AmountError::Malformed(_)) => Err(format!(
                "'{}' is no amount; write for example 0.32",
                text.chars().take(40).collect::<String>()
            )),
        }
    }
}

/// What one TATAU is worth to whoever set it. Nobody else vouches for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// `EUR`, `USD` …
    pub currency: String,
    /// So much of it for one TATAU.
    pub per_tatau: Fiat,
}

impl Rate {
    pub(super) fn check(&self) -> Result<(), String> {
        let plain = (1..=8).contains(&self.currency.len())
            && self.currency.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain {
            return Err("a currency is 1 to 8 letters, such as EUR".into());
        }
        if (1..=MOST).contains(&self.per_tatau.0) {
            Ok(())
        } else {
            Err("one TATAU is worth more than nothing and less than a million".into())
        }
    }

    /// What an amount is worth; `None` beyond all bounds.
    pub fn fiat(&self, amount: Amount) -> Option<Fiat> {
        let worth = i128::from(amount.0) * i128::from(self.per_tatau.0) / i128::from(ONE);
        i64::try_from(worth).ok().map(Fiat)
    }

    /// The other way round.
    pub fn tatau(&self, fiat: Fiat) -> Option<Amount> {
        let worth = (i128::from(fiat.0) * i128::from(ONE)).checked_div(i128::from(self.per_tatau.0))?;
        i64::try_from(worth).ok().map(Amount)
    }
}

/// A cost in either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// TATAU.
    Tatau(Amount),
    /// The display currency.
    Display(Fiat),
}

impl Cost {
    /// Its number, in billionths of its currency.
    pub fn billionths(self) -> i64 {
        match self {
            Self::Tatau(Amount(n)) | Self::Display(Fiat(n)) => n,
        }
    }

    pub(super) fn is_sensible(self) -> bool {
        (0..=MOST).contains(&self.billionths())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_a_currency_are_read_with_point_or_comma() {
        assert_eq!("0,32".parse::<Fiat>(), Ok(Fiat(320_000_000)));
        assert_eq!(Fiat(320_000_000).to_string(), "0.32");
        for bad in ["", "ten", "1.0000000001", "1.2.3"] {
            assert!(bad.parse::<Fiat>().is_err(), "{bad}");
        }
    }

    #[test]
    fn rates_convert_both_ways_and_refuse_to_overflow() {
        let rate = Rate { currency: "USD".into(), per_tatau: Fiat(250_000_000) };
        assert_eq!(rate.fiat(Amount::tatau(8)), Some(Fiat(2 * ONE)));
        assert_eq!(rate.tatau(Fiat(2 * ONE)), Some(Amount::tatau(8)));
        assert_eq!(rate.tatau(Fiat(i64::MAX)), None);
        for (currency, per_tatau) in [("", 1), ("EUR", 0), ("E<R", 1), ("EUR", i64::MAX)] {
            assert!(Rate { currency: currency.into(), per_tatau: Fiat(per_tatau) }.check().is_err());
        }
    }
}
