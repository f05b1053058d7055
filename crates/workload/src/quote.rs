//! What a render job would cost and take, from the offers of this moment.
//!
//! Asks are what buyers pay: the platform's fee is inside the price, not on top of it.

use crate::units;
use std::collections::BTreeMap;
use tatau_model::{Amount, AmountError, Strategy};

/// Room in the cap above the dearest admitted offer, for retries and cards that arrive later: times 3/2.
const ROOM: (u64, u64) = (3, 2);

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Reference milliseconds of each lease that a frame needs before its picture ([`units::frame_parts`]); at least one.
    pub frame_parts: Vec<u64>,
    /// Number of frames.
    pub frames: u64,
    /// Of them, those that are there already, with their pictures.
    pub known: u64,
    /// Reference milliseconds of a frame's picture; `None` where none is made.
    pub picture_reference_ms: Option<u64>,
    /// Width and height of a picture, pixels.
    pub picture: (u32, u32),
    /// With a video at the end.
    pub video: bool,
    /// The platform's least price of a lease.
    pub least_price: Amount,
}

/// One node's cards of one class on offer now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferLine {
    /// Card class.
    pub class: String,
    /// Their score, GTX 1080 Ti = 1000.
    pub score_milli: u64,
    /// Ask.
    pub ask_per_reference_hour: Amount,
    /// How many.
    pub cards: u32,
}

/// Price and time on one class under one strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Card class.
    pub class: String,
    /// Strategy.
    pub strategy: Strategy,
    /// Cards that the strategy would use.
    pub cards: u32,
    /// Expected price, fee included.
    pub price: Amount,
    /// Cap with room for dearer offers and retries.
    pub cap: Amount,
    /// Expected time to the last delivery, ms.
    pub time_ms: u64,
}

/// A row a class and strategy, classes in the order of their names; none where nothing is on offer.
pub fn quote(wanted: &Wanted, offers: &[OfferLine]) -> Result<Vec<Row>, AmountError> {
    let mut classes: BTreeMap<&str, Vec<&OfferLine>> = BTreeMap::new();
    for offer in offers.iter().filter(|o| o.cards > 0 && o.score_milli > 0) {
        classes.entry(&offer.class).or_default().push(offer);
    }
    let mut rows = Vec::with_capacity(3 * classes.len());
    for (class, mut lines) in classes {
        lines.sort_by_key(|line| line.ask_per_reference_hour);
        for strategy in [Strategy::Cheapest, Strategy::Balanced, Strategy::Fastest] {
            let limit = limit(strategy, &lines)?;
            let used: Vec<&OfferLine> =
                lines.iter().copied().filter(|line| line.ask_per_reference_hour <= limit).collect();
            let dearest = total(wanted, limit)?;
            rows.push(Row {
                class: class.to_owned(),
                strategy,
                cards: used.iter().fold(0, |sum, line| sum.saturating_add(line.cards)),
                price: expected_price(wanted, &used)?,
                cap: dearest.scale(ROOM.0, ROOM.1)?.max(wanted.least_price),
                time_ms: expected_ms(wanted, &used),
            });
        }
    }
    Ok(rows)
}

/// The highest ask admitted; `lines` are sorted by ask and not empty. The rule of the market itself.
fn limit(strategy: Strategy, lines: &[&OfferLine]) -> Result<Amount, AmountError> {
    let ask = |at: usize| lines.get(at).map_or(Amount::ZERO, |line| line.ask_per_reference_hour);
    match strategy {
        Strategy::Cheapest => ask(0).scale(11, 10),
        Strategy::Balanced => Ok(ask(lines.len().saturating_sub(1) / 2)),
        Strategy::Fastest => Ok(ask(lines.len().saturating_sub(1))),
    }
}

/// The whole job at one ask.
fn total(wanted: &Wanted, ask: Amount) -> Result<Amount, AmountError> {
    let lease =
        |reference_ms: u64| units::price(ask, reference_ms).map(|price| price.max(wanted.least_price));
    let mut frame = wanted.picture_reference_ms.map_or(Ok(Amount::ZERO), lease)?;
    for part in &wanted.frame_parts {
        frame = frame.add(lease(*part)?)?;
    }
    let count =
        i64::try_from(wanted.frames.saturating_sub(wanted.known)).map_err(|_| AmountError::Overflow)?;
    let frames = frame.times(count)?;
    if wanted.video { frames.add(lease(video_reference_ms(wanted))?) } else { Ok(frames) }
}

fn video_reference_ms(wanted: &Wanted) -> u64 {
    units::video_reference_ms(wanted.frames, wanted.picture.0, wanted.picture.1)
}

/// Each offer's price, weighted with the share of the work that its cards take (their number × score), rounded up.
fn expected_price(wanted: &Wanted, used: &[&OfferLine]) -> Result<Amount, AmountError> {
    let (mut sum, mut weights) = (0i128, 0i128);
    for line in used {
        let weight = i128::from(line.cards) * i128::from(line.score_milli);
        let price = i128::from(total(wanted, line.ask_per_reference_hour)?.0);
        sum = price.checked_mul(weight).and_then(|p| sum.checked_add(p)).ok_or(AmountError::Overflow)?;
        weights += weight;
    }
    let up = (sum + weights - 1).checked_div(weights).ok_or(AmountError::Overflow)?;
    i64::try_from(up).map(Amount).map_err(|_| AmountError::Overflow)
}

/// Until all cards together have made every frame (or every tile of each) and its picture, whole ones each, and the fastest the video.
fn expected_ms(wanted: &Wanted, used: &[&OfferLine]) -> u64 {
    let on = |reference_ms: u64, score: u64| {
        let ms = u128::from(reference_ms) * 1_000 / u128::from(score.max(1));
        u64::try_from(ms).unwrap_or(u64::MAX).max(1)
    };
    let pieces = (wanted.frame_parts.len() as u64).max(1);
    let frame = wanted
        .frame_parts
        .iter()
        .fold(wanted.picture_reference_ms.unwrap_or(0), |sum, part| sum.saturating_add(*part));
    let each = frame.div_ceil(pieces);
    let made = |within: u64| -> u128 {
        used.iter().map(|l| u128::from(l.cards) * u128::from(within / on(each, l.score_milli))).sum()
    };
    let slowest = used.iter().map(|l| on(each, l.score_milli)).max().unwrap_or(0);
    let missing = wanted.frames.saturating_sub(wanted.known).saturating_mul(pieces);
    let (mut low, mut high) = (0u64, slowest.saturating_mul(missing));
    while low < high {
        let middle = low + (high - low) / 2;
        if made(middle) >= u128::from(missing) { high = middle } else { low = middle + 1 }
    }
    let best = used.iter().map(|l| l.score_milli).max().unwrap_or(1);
    low.saturating_add(if wanted.video { on(video_reference_ms(wanted), best) } else { 0 })
}

#[cfg(test)]
#[path = "tests/quote.rs"]
mod tests;
