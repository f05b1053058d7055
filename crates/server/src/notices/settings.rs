//! Where an account is told: read and changed, by the API and by the account's page. A mail address counts once a code that was sent
//! there came back, so that nobody is written to who did not ask.

use super::{Told, in_ms, mail, webhook};
use crate::{app::App, archive, error::ApiError, secret};
use rand::RngExt;
use tatau_api::{Notify, SetNotify};
use tatau_model::{Address, Amount, Clock, JobId, SystemClock};
use tatau_store::{Codes, Mailbox, NotifyRecord, Webhook};

const CODE_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * 3_600_000;
/// Codes that are sent for an account in a day, and wrong ones that it may give.
const CODES_A_DAY: u32 = 5;
const WRONG_CODES: u32 = 5;

/// As it stands.
pub(crate) async fn show(app: &App, owner: Address) -> Result<Notify, ApiError> {
    Ok(shown(app, app.archive.notify_of(owner).await?))
}

fn shown(app: &App, record: NotifyRecord) -> Notify {
    let (webhook, secret) = record.webhook.map_or((None, None), |hook| (Some(hook.url), Some(hook.secret)));
    let (mail, mail_confirmed) =
        record.mail.map_or((None, false), |mailbox| (Some(mailbox.address), mailbox.confirmed));
    Notify { webhook, secret, mail, mail_confirmed, mail_possible: app.post.is_some() }
}

/// Changes what is given; an empty text removes.
pub(crate) async fn set(app: &App, owner: Address, wanted: SetNotify) -> Result<Notify, ApiError> {
    let mut record = app.archive.notify_of(owner).await?;
    if let Some(url) = &wanted.webhook {
        record.webhook = hook(url.trim(), record.webhook.take(), app.local)?;
    }
    if let Some(address) = &wanted.mail {
        record.mail = mailbox(app, address.trim(), record.mail.take(), &mut record.codes).await?;
    }
    let mut wrong = false;
    if let Some(code) = &wanted.code {
        wrong = !confirm(record.mail.as_mut(), code.trim())?;
    }
    let kept = record.clone();
    app.writer.keep(move |store| store.put_notify(owner, &kept)).await?.map_err(|e| archive::refused(&e))?;
    if wrong {
        return Err(ApiError::invalid("this is not the code of the last mail"));
    }
    if wanted.test {
        let Some(hook) = &record.webhook else {
            return Err(ApiError::invalid("there is no address to call; set one first"));
        };
        webhook::call(hook, &sample(app), app.local).await.map_err(ApiError::conflict)?;
    }
    Ok(shown(app, record))
}

fn hook(url: &str, before: Option<Webhook>, local: bool) -> Result<Option<Webhook>, ApiError> {
    if url.is_empty() {
        return Ok(None);
    }
    webhook::check(url, local).map_err(ApiError::invalid)?;
    let same = before.filter(|before| before.url == url);
    Ok(Some(same.unwrap_or_else(|| Webhook { url: url.to_owned(), secret: secret::hex() })))
}

/// A new address is sent a code.
async fn mailbox(
    app: &App,
    address: &str,
    before: Option<Mailbox>,
    codes: &mut Codes,
) -> Result<Option<Mailbox>, ApiError> {
    if address.is_empty() {
        return Ok(None);
    }
    let Some(post) = &app.post else {
        return Err(ApiError::conflict("this server sends no mail; its operator has not set that up"));
    };
    let address = mail::address(address).map_err(ApiError::invalid)?.email.to_string();
    if let Some(same) = before.as_ref().filter(|before| before.address == address && before.confirmed) {
        return Ok(Some(same.clone()));
    }
    let now = SystemClock.now();
    if now.since(codes.since) >= DAY_MS {
        *codes = Codes { sent: 0, since: now };
    }
    if codes.sent >= CODES_A_DAY {
        return Err(ApiError::too_many("so many codes were sent today; try again tomorrow"));
    }
    let code: u32 = rand::rng().random_range(0..100_000_000);
    let code = format!("{code:08}");
    let text = format!(
        "Somebody with an account at {} wants to be told of their jobs at this address.\n\nIf that was you, the code is {code}\n(tatau account notify --code {code}); it counts for an hour. If not, do nothing.\n",
        app.names.public().unwrap_or(&app.url)
    );
    post.send(&address, "Your code for Tatau", text).await.map_err(ApiError::unavailable)?;
    codes.sent += 1;
    Ok(Some(Mailbox {
        address,
        confirmed: false,
        code: blake3::hash(code.as_bytes()).to_hex().to_string(),
        code_until: in_ms(CODE_MS),
        wrong: 0,
    }))
}

/// True where the code is right; a wrong one is counted.
fn confirm(mailbox: Option<&mut Mailbox>, code: &str) -> Result<bool, ApiError> {
    let Some(mailbox) = mailbox else {
        return Err(ApiError::invalid("there is no mail address to confirm; set one first"));
    };
    if mailbox.confirmed {
        return Ok(true);
    }
    if mailbox.wrong >= WRONG_CODES || SystemClock.now() > mailbox.code_until {
        return Err(ApiError::conflict("this code counts no more; set the address again for a new one"));
    }
    if blake3::hash(code.as_bytes()).to_hex().as_str() == mailbox.code {
        mailbox.confirmed = true;
        mailbox.code = String::new();
        return Ok(true);
    }
    mailbox.wrong += 1;
    Ok(false)
}

fn sample(app: &App) -> Told {
    Told {
        notice: 0,
        event: "test".into(),
        job: JobId(0),
        name: "a test".into(),
        reason: None,
        frames_done: 0,
        frames_total: 0,
        spent: Amount::ZERO,
        cap: Amount::ZERO,
        url: app.names.public().unwrap_or(&app.url).to_owned(),
    }
}
