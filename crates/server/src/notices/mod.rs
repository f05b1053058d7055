//! Telling owners what became of their jobs: by calling an address of theirs, and by mail.
//!
//! What is to be told was written with the change itself (store), so a crash forgets nothing; it may tell something twice, under the
//! same number. Who cannot be reached is tried again for about three days.

pub(crate) mod mail;
pub(crate) mod settings;
mod webhook;

use crate::{app::App, archive, error::ApiError, view};
use futures_util::future::join_all;
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tatau_model::{Amount, Clock, JobId, Millis, SystemClock};
use tatau_store::{Channel, Notice};

const EVERY: Duration = Duration::from_secs(2);
/// Told at once.
const AT_ONCE: usize = 8;
/// After so many failures nobody is told; the pauses between them add up to three days.
const MOST_TRIES: u32 = 16;
const FIRST_PAUSE_MS: u64 = 10_000;
const LONGEST_PAUSE_MS: u64 = 6 * 3_600_000;

/// What is said of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Told {
    /// The same number is the same news.
    pub notice: u64,
    /// `job.finished`, `job.paused`, `job.failed`.
    pub event: String,
    pub job: JobId,
    pub name: String,
    pub reason: Option<String>,
    pub frames_done: u32,
    pub frames_total: u32,
    /// Nano-TATAU.
    pub spent: Amount,
    pub cap: Amount,
    /// The job's page.
    pub url: String,
}

/// Until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut stopping = app.stopping.clone();
    loop {
        match app.archive.notices_due(SystemClock.now(), AT_ONCE).await {
            Ok(due) => {
                join_all(due.into_iter().map(|notice| one(&app, notice))).await;
            }
            Err(error) => tracing::warn!(sentence = error.sentence, "nobody is told anything for a moment"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

async fn one(app: &App, notice: Notice) {
    let (id, tries) = (notice.id, notice.tries);
    let told = tell(app, &notice).await;
    let kept = match told {
        Ok(()) => app.writer.keep(move |store| store.end_notice(id)).await,
        Err(why) if tries + 1 >= MOST_TRIES => {
            tracing::warn!(owner = %notice.owner, job = %notice.what.job, why, "nobody could be told; given up");
            app.writer.keep(move |store| store.end_notice(id)).await
        }
        Err(why) => {
            tracing::info!(owner = %notice.owner, job = %notice.what.job, why, "nobody could be told yet");
            let next = SystemClock.now().plus(pause_ms(tries));
            app.writer.keep(move |store| store.put_off_notice(id, next)).await
        }
    };
    if let Err(error) = kept.and_then(|done| done.map_err(|e| archive::refused(&e))) {
        tracing::warn!(sentence = error.sentence, "a notice will be told again");
    }
}

/// 10 s, 40 s, … six hours.
fn pause_ms(tries: u32) -> u64 {
    FIRST_PAUSE_MS.saturating_mul(4u64.saturating_pow(tries)).min(LONGEST_PAUSE_MS)
}

/// By the notice's own channel; one that the owner has taken away since is done.
async fn tell(app: &App, notice: &Notice) -> Result<(), String> {
    let words = |e: ApiError| e.sentence;
    let wanted = app.archive.notify_of(notice.owner).await.map_err(words)?;
    match (notice.channel, wanted.webhook, wanted.mail.filter(|mailbox| mailbox.confirmed)) {
        (Channel::Webhook, Some(hook), _) => {
            webhook::call(&hook, &told(app, notice).await.map_err(words)?, app.local).await
        }
        (Channel::Mail, _, Some(mailbox)) => {
            let post = app.post.as_ref().ok_or("this server was started without mail")?;
            let told = told(app, notice).await.map_err(words)?;
            post.send(&mailbox.address, &subject(&told), text(&told)).await
        }
        (Channel::Webhook, None, _) | (Channel::Mail, _, None) => Ok(()),
    }
}

async fn told(app: &App, notice: &Notice) -> Result<Told, ApiError> {
    let what = &notice.what;
    let seen = view::job(app, what.job, notice.owner, u64::MAX).await?;
    Ok(Told {
        notice: notice.id,
        event: format!("job.{}", what.state),
        job: what.job,
        name: what.name.clone(),
        reason: what.reason.clone(),
        frames_done: seen.frames_done,
        frames_total: seen.frames_total,
        spent: seen.job.spent,
        cap: seen.job.cap,
        url: format!("{}/jobs/{}", app.names.public().unwrap_or(&app.url), what.job),
    })
}

fn subject(told: &Told) -> String {
    let state = told.event.trim_start_matches("job.");
    let name: String = told.name.chars().filter(|c| !c.is_control()).collect();
    format!("{name} ({}) is {state}", told.job)
}

fn text(told: &Told) -> String {
    let reason = told.reason.as_ref().map(|reason| format!("\n{reason}\n")).unwrap_or_default();
    format!(
        "{}\n{reason}\n{} of {} frames, {} of at most {} TATAU spent.\n{}\n\nTo hear no more of your jobs: `tatau account notify --no-mail`, or your account's page.\n",
        subject(told),
        told.frames_done,
        told.frames_total,
        told.spent,
        told.cap,
        told.url
    )
}

/// A moment from now.
fn in_ms(ms: u64) -> Millis {
    SystemClock.now().plus(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_cannot_be_reached_is_tried_for_about_three_days() {
        assert_eq!([0, 1, 2].map(pause_ms), [10_000, 40_000, 160_000]);
        let all: u64 = (0..MOST_TRIES - 1).map(pause_ms).sum();
        assert!((2.0..4.0).contains(&(all as f64 / 86_400_000.0)), "{all}");
    }
}
