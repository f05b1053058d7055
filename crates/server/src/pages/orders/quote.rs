//! `GET /orders/{id}/quote`: price and time by card class and strategy, for what the form says now.

use super::{
    state::{Stage, look},
    words,
};
use crate::{
    app::App,
    error::ApiError,
    pages::{Member, PageError, html},
    routes::quotes::make,
    work::Inspected,
};
use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    response::Html,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tatau_api::{Quote, QuoteRow};
use tatau_model::{AccountKey, Address, Amount, Device, JobId, Machines, Strategy, Who, card};
use tatau_workload::frames;

/// What the order's form, or the address of its page, asks for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    /// Empty: the scene's own range.
    pub frames: String,
    pub video: bool,
    pub preview: bool,
    pub class: String,
    /// What renders; empty: as the class does, or processors.
    pub device: String,
    pub strategy: Option<Strategy>,
    /// The table's row, `class/strategy`.
    pub row: String,
    /// Decimal TATAU; empty: the row's own.
    pub cap: String,
    /// Minutes that the market waits for the buyer's own machines; empty: not at all.
    pub own_first: String,
    /// How many finished jobs of the same frames are not meant.
    pub again: u32,
}

impl Wish {
    /// The one in a query.
    pub(super) fn read(query: Option<&str>) -> Result<Self, ApiError> {
        serde_html_form::from_str(query.unwrap_or_default()).map_err(|e| {
            ApiError::bad_request(format!("the address cannot be read ({e}); start from \"My jobs\""))
        })
    }

    /// What is to render.
    pub(super) fn device(&self) -> Device {
        let usual = || card::class(&self.class).and_then(|class| class.devices.first().copied());
        Device::named(&self.device).or_else(usual).unwrap_or_default()
    }

    /// Class and strategy that the table's row or the address names.
    fn wanted(&self) -> (Option<&str>, Strategy) {
        let named = self.row.rsplit_once('/').and_then(|(class, strategy)| {
            let strategy = [Strategy::Cheapest, Strategy::Balanced, Strategy::Fastest]
                .into_iter()
                .find(|s| words::strategy_key(*s) == strategy)?;
            Some((class, strategy))
        });
        let (class, strategy) = named.unwrap_or((&self.class[..], self.strategy.unwrap_or_default()));
        ((!class.is_empty()).then_some(class), strategy)
    }
}

/// Whose machines are to work, by the inspection's choice and the form's word.
pub(super) fn machines(who: Who, wish: &Wish) -> Result<Machines, ApiError> {
    let minutes = match wish.own_first.trim() {
        "" => 0,
        given => given.parse::<u32>().map_err(|_| {
            ApiError::invalid("how long your own machines come first must be whole minutes, such as 30")
        })?,
    };
    Ok(Machines { who, own_first_ms: u64::from(minutes) * 60_000 })
}

/// The table, the sliders, what is paid.
#[derive(Template)]
#[template(path = "pages/orders/quote.html")]
pub(super) struct Prices {
    id: JobId,
    refused: Option<String>,
    rows: Vec<Row>,
    frames: usize,
    /// Of them, those that an earlier job has.
    known: u32,
    fee: String,
    balance: Amount,
    /// The row that is chosen at first, and the cap that is put into escrow.
    picked: Option<(QuoteRow, Amount)>,
    /// What the account lacks for that cap; empty where it lacks nothing.
    lacks: String,
    /// The buyer's own machines alone do it, for nothing.
    own: bool,
    device: Device,
}

struct Row {
    key: String,
    class: String,
    strategy: &'static str,
    cards: u32,
    price: String,
    cap: String,
    time: String,
    exact: QuoteRow,
    picked: bool,
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    member: Member,
) -> Result<Html<String>, PageError> {
    let id: JobId = crate::routes::id(&id)?;
    let wish = Wish::read(query.as_deref())?;
    let (_, stage) = look(&app, id, member.owner).await?;
    let Stage::Found(found) = stage else {
        return Err(ApiError::conflict(format!("{id} has found nothing yet; wait for it")).into());
    };
    html(&prices(&app, &found, &wish, member.owner).await?)
}

/// Prices for the wish; a wish that cannot be fulfilled is answered with the reason in their place.
pub(super) async fn prices(
    app: &App,
    found: &Inspected,
    wish: &Wish,
    owner: Address,
) -> Result<Prices, ApiError> {
    let balance = available(app, owner).await?;
    let id = found.job.id;
    let fee = format!("{}%", app.config.fee_ppm as f64 / 10_000.0);
    let nothing = |refused| Prices {
        id,
        refused,
        rows: Vec::new(),
        frames: 0,
        known: 0,
        fee: fee.clone(),
        balance,
        picked: None,
        lacks: String::new(),
        own: found.job.machines.who == Who::Own,
        device: wish.device(),
    };
    let frames = match chosen_frames(found, wish) {
        Ok(frames) => frames,
        Err(refused) => return Ok(nothing(Some(refused.sentence))),
    };
    let quote = match make::quote(app, found, &frames, asked(found, wish)).await {
        Ok(quote) => quote,
        Err(refused) if refused.status.is_client_error() => return Ok(nothing(Some(refused.sentence))),
        Err(error) => return Err(error),
    };
    let picked = pick(&quote, wish);
    let rows = rows(&quote, picked.as_ref());
    let missing =
        picked.as_ref().and_then(|(_, cap)| cap.sub(balance).ok()).filter(|missing| missing.is_positive());
    let lacks = missing.map(|missing| missing.to_string()).unwrap_or_default();
    Ok(Prices { known: quote.known, frames: frames.len(), rows, picked, lacks, ..nothing(None) })
}

/// How the form asks. Whoever orders the same once more wants it rendered once more.
pub(super) fn asked(found: &Inspected, wish: &Wish) -> make::Asked {
    make::Asked {
        video: wish.video,
        who: found.job.machines.who,
        fresh: wish.again > 0,
        tiles: String::new(),
        device: wish.device(),
    }
}

/// Frames of the wish, or the scene's own.
pub(super) fn chosen_frames(found: &Inspected, wish: &Wish) -> Result<Vec<i32>, ApiError> {
    let frames = if wish.frames.trim().is_empty() {
        found.report.frames()
    } else {
        frames::parse(&wish.frames).map_err(|e| ApiError::invalid(e.to_string()))?
    };
    if frames.is_empty() {
        return Err(ApiError::invalid(
            "the scene's own frame range is empty; write the frames to render, such as 1-24",
        ));
    }
    Ok(frames)
}

/// What the owner can spend.
pub(super) async fn available(app: &App, owner: Address) -> Result<Amount, ApiError> {
    let key = AccountKey::available(owner);
    let balances = app.archive.balances_of(owner).await?;
    Ok(balances.into_iter().find(|(account, _)| *account == key).map_or(Amount::ZERO, |(_, amount)| amount))
}

/// The row that fits the wish best, and its cap: the wish's own where it names one.
pub(super) fn pick(quote: &Quote, wish: &Wish) -> Option<(QuoteRow, Amount)> {
    let (class, strategy) = wish.wanted();
    let fitting = |class: Option<&str>, strategy: Strategy| {
        let rows = quote.rows.iter().filter(move |row| {
            row.cards > 0 && row.strategy == strategy && class.is_none_or(|class| row.class == class)
        });
        match strategy {
            Strategy::Fastest => rows.min_by_key(|row| (row.time_ms, row.price)).cloned(),
            Strategy::Cheapest | Strategy::Balanced => {
                rows.min_by_key(|row| (row.price, row.time_ms)).cloned()
            }
        }
    };
    let row = fitting(class, strategy).or_else(|| fitting(None, strategy))?;
    // A cap that was meant for other frames or another row does not outlive them.
    let given = wish.cap.trim().parse::<Amount>().ok().filter(|cap| (row.price..=row.cap).contains(cap));
    let cap = given.unwrap_or(row.cap);
    Some((row, cap))
}

/// Rows of the table. Strategies that come to the same on a class are one row.
fn rows(quote: &Quote, picked: Option<&(QuoteRow, Amount)>) -> Vec<Row> {
    let same = |a: &QuoteRow, b: &QuoteRow| {
        a.class == b.class && a.price == b.price && a.cap == b.cap && a.time_ms == b.time_ms
    };
    let mut shown: Vec<&QuoteRow> = Vec::new();
    for row in &quote.rows {
        match shown.iter_mut().find(|known| same(known, row)) {
            Some(known) if picked.is_some_and(|(picked, _)| picked == row) => *known = row,
            Some(_) => {}
            None => shown.push(row),
        }
    }
    let row = |row: &QuoteRow| Row {
        key: format!("{}/{}", row.class, words::strategy_key(row.strategy)),
        class: words::class(&row.class),
        strategy: words::strategy(row.strategy),
        cards: row.cards,
        price: rounded(row.price),
        cap: rounded(row.cap),
        time: tatau_ui::words::duration(row.time_ms),
        exact: row.clone(),
        picked: picked.is_some_and(|(picked, _)| picked == row),
    };
    shown.into_iter().map(row).collect()
}

/// To a ten-thousandth, up: a table of nine digits reads badly. The exact amount stands where it is paid.
pub(crate) fn rounded(amount: Amount) -> String {
    const STEP: i64 = 100_000;
    let up = amount.0.checked_add(STEP - 1).map_or(amount.0, |sum| sum / STEP * STEP);
    Amount(up).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: &str, strategy: Strategy, price: i64, time_ms: u64) -> QuoteRow {
        let price = Amount::tatau(price);
        QuoteRow { class: class.into(), strategy, cards: 2, price, cap: Amount(price.0 * 2), time_ms }
    }

    fn sample() -> Quote {
        let rows = vec![
            row("cpu", Strategy::Cheapest, 3, 900),
            row("cpu", Strategy::Balanced, 3, 900),
            row("cpu", Strategy::Fastest, 4, 600),
            row("rtx-3090", Strategy::Balanced, 5, 100),
        ];
        Quote { frames: 24, known: 0, reference_ms: 10, tiles: "off".into(), fee_ppm: 50_000, rows }
    }

    #[test]
    fn the_wish_picks_the_row_and_the_cap() {
        let picked = |wish: &str| pick(&sample(), &Wish::read(Some(wish)).unwrap()).unwrap();
        assert_eq!(picked("").0.price, Amount::tatau(3));
        assert_eq!(picked("").1, Amount::tatau(6));
        assert_eq!(picked("row=cpu%2Ffastest&cap=4.5").0.time_ms, 600);
        assert_eq!(picked("row=cpu%2Ffastest&cap=4.5").1, "4.5".parse().unwrap());
        for other in ["3.9", "8.1", "lots", "-1"] {
            assert_eq!(picked(&format!("row=cpu%2Ffastest&cap={other}")).1, Amount::tatau(8), "{other}");
        }
        assert_eq!(picked("class=rtx-3090&strategy=balanced").0.class, "rtx-3090");
        assert_eq!(
            picked("class=rtx-9999").0.class,
            "cpu",
            "what is gone from the market is not insisted on"
        );
        assert!(pick(&Quote { rows: vec![], ..sample() }, &Wish::default()).is_none());
    }

    #[test]
    fn what_comes_to_the_same_is_one_row_and_the_chosen_one_stays() {
        let quote = sample();
        let picked = pick(&quote, &Wish::default()).unwrap();
        let table = rows(&quote, Some(&picked));
        let keys: Vec<&str> = table.iter().map(|r| r.key.as_str()).collect();
        assert_eq!(keys, ["cpu/balanced", "cpu/fastest", "rtx-3090/balanced"]);
        assert_eq!(table.iter().filter(|r| r.picked).count(), 1);
        assert_eq!(rounded(Amount(1_234_500_001)), "1.2346");
    }
}
