//! A quote, as a table.

use crate::out;
use tatau_api::{Quote, QuoteRow};
use tatau_model::{Amount, Strategy};

/// The strategy's name as flags write it.
pub fn strategy_name(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Cheapest => "cheapest",
        Strategy::Balanced => "balanced",
        Strategy::Fastest => "fastest",
    }
}

/// The rows, the chosen one marked.
pub fn table(quote: &Quote, chosen: &QuoteRow) -> String {
    let rows: Vec<Vec<String>> = quote
        .rows
        .iter()
        .map(|row| {
            vec![
                if row == chosen { "→".into() } else { String::new() },
                row.class.clone(),
                strategy_name(row.strategy).into(),
                row.cards.to_string(),
                rounded(row.price),
                rounded(row.cap),
                out::duration(row.time_ms),
            ]
        })
        .collect();
    out::table(&["", "class", "strategy", "cards", "price", "at most", "time"], &[3, 4, 5, 6], &rows)
}

/// To a ten-thousandth, up: a table of nine digits reads badly. The exact amount stands where it is paid.
fn rounded(amount: Amount) -> String {
    const STEP: i64 = 100_000;
    let up = amount.0.checked_add(STEP - 1).map_or(amount.0, |sum| sum / STEP * STEP);
    Amount(up).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_rounded_up_in_the_table() {
        assert_eq!(rounded(Amount(1_234_500_001)), "1.2346");
        assert_eq!(rounded(Amount(1)), "0.0001");
        assert_eq!(rounded(Amount(i64::MAX)), Amount(i64::MAX).to_string());
    }
}
