//! Money: whole nano-TATAU in an `i64`, every operation checked.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Nano-TATAU in one TATAU.
pub const NANO: i64 = 1_000_000_000;

/// Nano-TATAU; signed, because a journal leg may take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub i64);

/// Arithmetic on money that has no answer, or text that is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The result does not fit.
    #[error("the amount is too large")]
    Overflow,
    /// Not a decimal number with at most nine digits after the point.
    #[error("'{0}' is not an amount of TATAU; write for example 12.5")]
    Malformed(String),
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Whole TATAU.
    pub const fn tatau(whole: i64) -> Self {
        Self(whole * NANO)
    }
    /// Sum; fails on overflow.
    pub fn add(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountError::Overflow)
    }
    /// Difference; fails on overflow.
    pub fn sub(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_sub(other.0).map(Self).ok_or(AmountError::Overflow)
    }
    /// Product with a count; fails on overflow.
    pub fn times(self, count: i64) -> Result<Self, AmountError> {
        self.0.checked_mul(count).map(Self).ok_or(AmountError::Overflow)
    }
    /// `self × numerator ÷ denominator`, rounded towards zero, through 128 bits; fails on overflow or ÷ 0.
    pub fn scale(self, numerator: u64, denominator: u64) -> Result<Self, AmountError> {
        if denominator == 0 {
            return Err(AmountError::Overflow);
        }
        let wide = i128::from(self.0) * i128::from(numerator) / i128::from(denominator);
        i64::try_from(wide).map(Self).map_err(|_| AmountError::Overflow)
    }
    /// The opposite sign.
    pub fn negated(self) -> Result<Self, AmountError> {
        self.0.checked_neg().map(Self).ok_or(AmountError::Overflow)
    }
    /// More than nothing?
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }
}

impl fmt::Display for Amount {
    /// Decimal TATAU, exact, without trailing zeros beyond two places: `1.50`, `0.000000001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let all = self.0.unsigned_abs();
        let nano = NANO.unsigned_abs();
        let digits = format!("{:09}", all % nano);
        let kept = digits.trim_end_matches('0').len().max(2);
        f.pad(&format!("{sign}{}.{}", all / nano, &digits[..kept]))
    }
}

impl FromStr for Amount {
    type Err = AmountError;
    fn from_str(s: &str) -> Result<Self, AmountError> {
        let bad = || AmountError::Malformed(s.chars().take(40).collect());
        let (negative, digits) = match s.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, s),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let numeric = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !numeric(whole) || !numeric(part) || part.len() > 9 {
            return Err(bad());
        }
        let whole: i64 = whole.parse().map_err(|_| AmountError::Overflow)?;
        let part: i64 = format!("{part:0<9}").parse().map_err(|_| bad())?;
        let all = whole.checked_mul(NANO).and_then(|n| n.checked_add(part)).ok_or(AmountError::Overflow)?;
        Ok(Self(if negative { -all } else { all }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_exact_both_ways() {
        for (text, nano) in [("1.50", 1_500_000_000), ("0.000000001", 1), ("-2.00", -2 * NANO), ("0.00", 0)] {
            assert_eq!(text.parse::<Amount>().unwrap(), Amount(nano));
            assert_eq!(Amount(nano).to_string(), text);
        }
        for bad in ["", "1.", ".5", "1e3", "1.0000000001", "99999999999999"] {
            assert!(bad.parse::<Amount>().is_err(), "{bad}");
        }
    }

    #[test]
    fn arithmetic_refuses_to_wrap() {
        assert_eq!(Amount(i64::MAX).add(Amount(1)), Err(AmountError::Overflow));
        assert_eq!(Amount(10).scale(1, 3), Ok(Amount(3)));
        assert_eq!(Amount(10).scale(1, 0), Err(AmountError::Overflow));
    }
}
