//! What a job would cost, and which row of the quote the buyer's wishes pick.

use crate::{Closed, SubmitError};
use tatau_api::{Quote, QuoteRequest, QuoteRow};
use tatau_client::Client;
use tatau_model::{Amount, Device, Strategy, Who};
use tatau_workload::tiles::Wish;

/// The buyer's wishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Only this card class.
    pub class: Option<String>,
    /// What renders.
    pub device: Device,
    /// How offers are chosen.
    pub strategy: Strategy,
    /// The job's cap, never exceeded.
    pub max_price: Option<Amount>,
}

/// What is to be made of an inspected scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Frames, such as `1-24`.
    pub frames: String,
    /// With a video.
    pub video: bool,
    /// Who may see the scene.
    pub who: Who,
    /// All of it anew.
    pub fresh: bool,
    /// How frames are cut.
    pub tiles: Wish,
    /// What renders.
    pub device: Device,
}

/// Asks for the prices.
pub async fn quote(client: &Client, closed: &Closed, asked: Asked) -> Result<Quote, SubmitError> {
    let Asked { frames, video, who, fresh, tiles, device } = asked;
    let tiles = tiles.to_string();
    let request = QuoteRequest { inspection: closed.inspection, frames, video, who, fresh, tiles, device };
    Ok(client.quote(&request).await?)
}

/// The row that the wishes pick, and the cap to put into escrow.
pub fn choose<'a>(quote: &'a Quote, choice: &Choice) -> Result<(&'a QuoteRow, Amount), SubmitError> {
    let row = best(quote, choice.class.as_deref(), choice.strategy).ok_or_else(|| {
        SubmitError::Price(match &choice.class {
            Some(class) => {
                format!("no card of class {class} is on offer now; leave out --class, or try again later")
            }
            None if !choice.device.is_cpu() => format!(
                "none of the {} is on offer now; try another --device, or again later",
                choice.device.words()
            ),
            None => "no card is on offer now; try again when providers are online".into(),
        })
    })?;
    match choice.max_price {
        Some(most) if most < row.price => Err(SubmitError::Price(format!(
            "the expected price of {} TATAU is above the {most} allowed; raise --max-price to {}, or render fewer frames",
            row.price, row.cap
        ))),
        Some(most) => Ok((row, most.min(row.cap))),
        None => Ok((row, row.cap)),
    }
}

/// The best row of a class (any where none is named) under a strategy: the least time for `fastest`, else the least price.
pub fn best<'a>(quote: &'a Quote, class: Option<&str>, strategy: Strategy) -> Option<&'a QuoteRow> {
    let fitting = quote.rows.iter().filter(|row| {
        row.strategy == strategy && row.cards > 0 && class.is_none_or(|class| row.class == class)
    });
    match strategy {
        Strategy::Fastest => fitting.min_by_key(|row| (row.time_ms, row.price)),
        Strategy::Cheapest | Strategy::Balanced => fitting.min_by_key(|row| (row.price, row.time_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: &str, strategy: Strategy, price: i64, time_ms: u64) -> QuoteRow {
        let price = Amount::tatau(price);
        QuoteRow { class: class.into(), strategy, cards: 2, price, cap: price.times(2).unwrap(), time_ms }
    }

    fn sample() -> Quote {
        let rows = vec![
            row("cpu", Strategy::Cheapest, 3, 900),
            row("cpu", Strategy::Fastest, 4, 600),
            row("rtx-3090", Strategy::Cheapest, 2, 100),
            row("rtx-3090", Strategy::Fastest, 6, 50),
        ];
        Quote { frames: 24, known: 0, reference_ms: 10, tiles: "off".into(), fee_ppm: 50_000, rows }
    }

    #[test]
    fn strategy_and_class_pick_the_row() {
        let quote = sample();
        let wish = |class: Option<&str>, strategy| Choice {
            class: class.map(Into::into),
            device: Device::Cpu,
            strategy,
            max_price: None,
        };
        let (row, cap) = choose(&quote, &wish(None, Strategy::Cheapest)).unwrap();
        assert_eq!((row.class.as_str(), cap), ("rtx-3090", Amount::tatau(4)));
        assert_eq!(choose(&quote, &wish(None, Strategy::Fastest)).unwrap().0.time_ms, 50);
        assert_eq!(choose(&quote, &wish(Some("cpu"), Strategy::Fastest)).unwrap().0.time_ms, 600);
        assert!(
            choose(&quote, &wish(Some("cpu"), Strategy::Balanced))
                .unwrap_err()
                .to_string()
                .contains("class cpu")
        );
    }

    #[test]
    fn the_price_allowed_is_the_cap_or_a_refusal() {
        let quote = sample();
        let wish = |most| Choice {
            max_price: Some(Amount::tatau(most)),
            strategy: Strategy::Cheapest,
            ..Choice::default()
        };
        assert_eq!(choose(&quote, &wish(3)).unwrap().1, Amount::tatau(3));
        assert_eq!(choose(&quote, &wish(9)).unwrap().1, Amount::tatau(4));
        assert!(choose(&quote, &wish(1)).unwrap_err().to_string().contains("above the 1.00 allowed"));
    }
}
