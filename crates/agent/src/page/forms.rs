//! What the settings' forms send. Each is read into one change of the settings, which checks it whole.

use super::{Shared, act::is_part, guard, settings as page};
use crate::settings::{
    Cost, Day, Fiat, Hours, Idle, KINDS, Limits, Mining, Power, Price, Rate, Settings, Yield,
};
use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::sync::Arc;
use tatau_model::{Address, Amount};

type Change = Box<dyn FnOnce(&mut Settings) + Send>;

/// A form read, a change made, a word about it.
async fn save<T: DeserializeOwned>(
    shared: Arc<Shared>,
    headers: &HeaderMap,
    body: &Bytes,
    anchor: &str,
    read: impl FnOnce(T) -> Result<Change, String>,
) -> Response {
    match change(&shared, parsed(body).and_then(read)).await {
        Ok(_) if is_part(headers) => Html("<span class=\"tag good\">Saved</span>").into_response(),
        Ok(_) => Redirect::to(&format!("/settings#{anchor}")).into_response(),
        Err(sentence) if is_part(headers) => {
            let text = format!("<span class=\"tag bad\">Not saved</span> {}", escaped(&sentence));
            (StatusCode::UNPROCESSABLE_ENTITY, Html(text)).into_response()
        }
        Err(sentence) => guard::refused(StatusCode::UNPROCESSABLE_ENTITY, &sentence),
    }
}

fn parsed<T: DeserializeOwned>(body: &Bytes) -> Result<T, String> {
    serde_html_form::from_bytes(body).map_err(|e| format!("the form cannot be read ({e}); reload the page"))
}

/// Written to disk off the page's own thread.
async fn change(shared: &Arc<Shared>, change: Result<Change, String>) -> Result<Settings, String> {
    let (change, cockpit) = (change?, Arc::clone(&shared.cockpit));
    let changed = tokio::task::spawn_blocking(move || cockpit.change(change)).await;
    let sentence = match changed {
        Ok(Ok(settings)) => return Ok(settings),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "that did not work; try again".into(),
    };
    Err(super::show::sentence_of(&sentence))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An empty field is no number.
fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<Option<T>, String> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("{what} is a whole number")),
    }
}

fn amount(text: &str) -> Result<Amount, String> {
    let fiat: Fiat = text.parse()?;
    Ok(Amount(fiat.0))
}

#[derive(Deserialize)]
pub(super) struct PriceForm {
    price: String,
    #[serde(default)]
    at_least: String,
    #[serde(default)]
    fixed: String,
}

pub(super) async fn price(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    save(shared, &headers, &body, "price", |form: PriceForm| {
        let price = match form.price.as_str() {
            "at_least" => Price::AtLeast(amount(&form.at_least)?),
            "fixed" => Price::Fixed(amount(&form.fixed)?),
            _ => Price::Market,
        };
        Ok(Box::new(move |s| s.price = price))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct PowerForm {
    per_kwh: String,
    margin: String,
    unit: String,
    watts: String,
}

pub(super) async fn power(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    save(shared, &headers, &body, "power", |form: PowerForm| {
        let cost = |text: &str| -> Result<Option<Cost>, String> {
            if text.trim().is_empty() {
                return Ok(None);
            }
            let fiat: Fiat = text.parse()?;
            Ok(Some(if form.unit == "display" { Cost::Display(fiat) } else { Cost::Tatau(Amount(fiat.0)) }))
        };
        let power = Power {
            per_kwh: cost(&form.per_kwh)?,
            least_margin: cost(&form.margin)?,
            watts: number(&form.watts, "what a card draws")?,
        };
        Ok(Box::new(move |s| s.power = power))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct HoursForm {
    #[serde(default)]
    day: Vec<Day>,
    from: String,
    to: String,
}

pub(super) async fn add_hours(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let read = parsed(&body).and_then(|form: HoursForm| {
        let hours =
            Hours { days: form.day.into_iter().collect(), from: form.from.parse()?, to: form.to.parse()? };
        Ok(Box::new(move |s: &mut Settings| s.hours.push(hours)) as Change)
    });
    hours_changed(shared, &headers, read).await
}

pub(super) async fn remove_hours(
    State(shared): State<Arc<Shared>>,
    Path(row): Path<usize>,
    headers: HeaderMap,
) -> Response {
    let remove = move |s: &mut Settings| {
        if row < s.hours.len() {
            s.hours.remove(row);
        }
    };
    hours_changed(shared, &headers, Ok(Box::new(remove))).await
}

async fn hours_changed(shared: Arc<Shared>, headers: &HeaderMap, read: Result<Change, String>) -> Response {
    let refused = change(&shared, read).await.err();
    match refused {
        refused if is_part(headers) => {
            Html(page::hours(&shared, &shared.cockpit.settings.now(), refused)).into_response()
        }
        None => Redirect::to("/settings#hours").into_response(),
        Some(sentence) => guard::refused(StatusCode::UNPROCESSABLE_ENTITY, &sentence),
    }
}

#[derive(Deserialize)]
pub(super) struct IdleForm {
    hands: Option<String>,
    minutes: String,
    graphics: Option<String>,
    battery: Option<String>,
}

pub(super) async fn idle(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    save(shared, &headers, &body, "idle", |form: IdleForm| {
        let minutes = number(&form.minutes, "the minutes")?.or(Some(5));
        let idle = Idle {
            hands_off_minutes: form.hands.and(minutes),
            graphics: form.graphics.is_some(),
            battery: form.battery.is_some(),
        };
        Ok(Box::new(move |s| s.idle = idle))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct LimitsForm {
    processor: String,
    graphics: String,
    watts: String,
}

pub(super) async fn limits(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    save(shared, &headers, &body, "limits", |form: LimitsForm| {
        let limits = Limits {
            processor_celsius: number(&form.processor, "a temperature")?,
            graphics_celsius: number(&form.graphics, "a temperature")?,
            watts: number(&form.watts, "a watt limit")?,
        };
        Ok(Box::new(move |s| s.limits = limits))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct TakenForm {
    #[serde(default)]
    kind: Vec<String>,
    blocked: String,
    cache_gib: String,
}

pub(super) async fn taken(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    save(shared, &headers, &body, "taken", |form: TakenForm| {
        let unchecked =
            KINDS.iter().map(|(kind, _)| (*kind).to_owned()).filter(|kind| !form.kind.contains(kind));
        let refused = unchecked.collect();
        let mut blocked: Vec<Address> = Vec::new();
        for word in form.blocked.split([' ', '\n', '\r', ',']).filter(|word| !word.is_empty()) {
            let address = word.parse().map_err(|e| format!("{e}"))?;
            if !blocked.contains(&address) {
                blocked.push(address);
            }
        }
        let cache_gib =
            number(&form.cache_gib, "the cache")?.unwrap_or_else(|| Settings::default().cache_gib);
        Ok(Box::new(move |s| (s.refused, s.blocked, s.cache_gib) = (refused, blocked, cache_gib)))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct CommandForm {
    command: String,
}

pub(super) async fn command(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    save(shared, &headers, &body, "command", |form: CommandForm| {
        let command = form.command.trim().to_owned();
        Ok(Box::new(move |s| s.idle_command = command))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct MoneyForm {
    currency: String,
    rate: String,
}

pub(super) async fn money(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    save(shared, &headers, &body, "money", |form: MoneyForm| {
        let currency = form.currency.trim().to_uppercase();
        let display = match (currency.is_empty(), form.rate.trim()) {
            (true, "") => None,
            (_, rate) => Some(Rate { currency, per_tatau: rate.parse()? }),
        };
        Ok(Box::new(move |s| s.display = display))
    })
    .await
}

#[derive(Deserialize)]
pub(super) struct MiningForm {
    currency: String,
    #[serde(default)]
    class: Vec<String>,
    #[serde(default)]
    a_day: Vec<String>,
    #[serde(default)]
    source: Vec<String>,
    #[serde(default)]
    date: Vec<String>,
}

pub(super) async fn mining(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    save(shared, &headers, &body, "mining", |form: MiningForm| {
        let MiningForm { currency, class, a_day, source, date } = form;
        let counts = [a_day.len(), source.len(), date.len()];
        if counts.iter().any(|count| *count != class.len()) {
            return Err("the table did not arrive whole; reload the page".into());
        }
        let columns = class.into_iter().zip(a_day).zip(source.into_iter().zip(date));
        let rows = columns
            .map(|((class, a_day), (source, date))| Ok(Yield { class, a_day: a_day.parse()?, source, date }))
            .collect::<Result<Vec<_>, String>>()?;
        let mining = Mining { currency: currency.trim().to_uppercase(), rows };
        Ok(Box::new(move |s| s.mining = mining))
    })
    .await
}
