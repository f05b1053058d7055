//! Strategies: which asking prices a job takes.

use tatau_model::{Amount, Strategy};

/// The highest ask (per reference hour) that `strategy` takes, given the asks of the offers that could do the work now;
/// `None` where nothing is on offer.
pub fn unit_price_limit(strategy: Strategy, asks: &[Amount]) -> Option<Amount> {
    let mut sorted = asks.to_vec();
    sorted.sort_unstable();
    limit_of_sorted(strategy, &sorted)
}

/// As [`unit_price_limit`], of asks that are sorted, lowest first.
pub fn limit_of_sorted(strategy: Strategy, sorted: &[Amount]) -> Option<Amount> {
    let lowest = *sorted.first()?;
    match strategy {
        // A tenth above the lowest, so that a nano-TATAU of difference does not idle half the market.
        Strategy::Cheapest => lowest.scale(11, 10).ok(),
        // Of two, the lower: one dear offer must not set the market's middle.
        Strategy::Balanced => sorted.get((sorted.len() - 1) / 2).copied(),
        Strategy::Fastest => sorted.last().copied(),
    }
}

/// Does a job with this strategy take work to an offer that asks `ask`?
pub fn admits(strategy: Strategy, ask: Amount, asks: &[Amount]) -> bool {
    unit_price_limit(strategy, asks).is_some_and(|limit| ask <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_cut_the_market_where_they_say() {
        let asks = [Amount(100), Amount(109), Amount(200), Amount(400)];
        let taken = |s| asks.iter().filter(|a| admits(s, **a, &asks)).count();
        assert_eq!(taken(Strategy::Cheapest), 2);
        assert_eq!(taken(Strategy::Balanced), 2);
        assert_eq!(unit_price_limit(Strategy::Balanced, &[Amount(1), Amount(900)]), Some(Amount(1)));
        assert_eq!(taken(Strategy::Fastest), 4);
        assert!(!admits(Strategy::Fastest, Amount(1), &[]));
    }
}
