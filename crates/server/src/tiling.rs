//! How the frames of an order are cut: as the buyer says, as in an earlier job whose results can be taken over, or by the market's
//! middle card.

use crate::{app::App, error::ApiError, known, routes::quotes::make, work::Inspected};
use tatau_model::{Clock, Grid, RenderSpec, SystemClock, Who};
use tatau_workload::{
    quote::OfferLine,
    tiles::{self, Frames, Wish},
};

/// Where nothing is on offer, the reference card.
const NOBODYS_SCORE: u64 = 1_000;

/// The grid for `spec` (whose own is not looked at); `None` is whole frames.
pub(crate) async fn grid(
    app: &App,
    found: &Inspected,
    spec: &RenderSpec,
    who: Who,
    wish: &str,
) -> Result<Option<Grid>, ApiError> {
    let invalid = |e: tiles::TilesError| ApiError::invalid(e.to_string());
    let wish: Wish = wish.parse().map_err(invalid)?;
    if wish == Wish::Auto
        && let Some(before) = known::cut_before(app, &found.job, spec).await?
    {
        return Ok(before);
    }
    let frames = Frames {
        count: spec.frames.len(),
        width: spec.width,
        height: spec.height,
        reference_ms: found.reference_ms()?,
    };
    let mut job = found.job.clone();
    job.machines.who = who;
    let now = SystemClock.now();
    let device = spec.device;
    let offers = app.writer.read(move |state| make::offers(state, &job, device, now)).await?;
    tiles::grid(wish, frames, middle_score(offers)).map_err(invalid)
}

/// The score of the card in the middle of all on offer.
fn middle_score(mut offers: Vec<OfferLine>) -> u64 {
    offers.sort_by_key(|line| line.score_milli);
    let cards: u64 = offers.iter().map(|line| u64::from(line.cards)).sum();
    let mut seen = 0;
    let middle = offers.iter().find(|line| {
        seen += u64::from(line.cards);
        2 * seen >= cards
    });
    middle.map_or(NOBODYS_SCORE, |line| line.score_milli)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_model::Amount;

    #[test]
    fn the_middle_card_is_that_of_cards_not_of_offers() {
        let line = |score_milli, cards| OfferLine {
            class: "c".into(),
            score_milli,
            ask_per_reference_hour: Amount(1),
            cards,
        };
        assert_eq!(middle_score(vec![]), NOBODYS_SCORE);
        assert_eq!(middle_score(vec![line(9_000, 1), line(40, 8), line(2_000, 2)]), 40);
        assert_eq!(middle_score(vec![line(9_000, 5), line(40, 2), line(2_000, 2)]), 9_000);
    }
}
