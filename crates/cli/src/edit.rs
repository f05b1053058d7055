//! `tatau edit`.

use crate::{context::Context, exit::Ended, out, shown};
use tatau_api::EditJob;
use tatau_model::{Amount, Clock, JobId, Millis, SystemClock};

/// Changes a job while it runs: how much it may cost, how much it matters among your jobs, and when you want it.
///
/// A lower limit gives back what is neither spent nor set aside for what runs. Priority decides between your own jobs; it does not
/// put you before others. A job that would be later than wanted takes every machine that its money pays, also those that its
/// strategy would wait to avoid; it is never given up for being late.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:
  tatau edit job-12 --max-price 8
  tatau edit job-12 --priority 10
  tatau edit job-12 --deadline 6h      wanted in six hours; --deadline none lifts it")]
pub struct Edit {
    /// The job, such as job-12.
    job: JobId,
    /// The most it may cost from now on, TATAU.
    #[arg(long, value_name = "AMOUNT", allow_hyphen_values = true)]
    max_price: Option<Amount>,
    /// -128 to 127, at first 0: the higher, the sooner.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    priority: Option<i8>,
    /// In how long it is wanted, such as 90m, 6h or 2d, or `none`.
    #[arg(long, value_name = "TIME", value_parser = deadline)]
    deadline: Option<Millis>,
}

/// A moment from a time ahead, 0 for `none`.
pub fn deadline(text: &str) -> Result<Millis, String> {
    const WORDS: &str = "use a whole number of minutes, hours or days, such as 90m, 6h or 2d, or none";
    if text == "none" {
        return Ok(Millis(0));
    }
    let unit = [("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let read = |(letter, ms): &(&str, u64)| {
        let count: u32 = text.strip_suffix(letter)?.parse().ok()?;
        Some(SystemClock.now().plus(u64::from(count) * ms))
    };
    unit.iter().find_map(read).ok_or_else(|| WORDS.into())
}

pub async fn run(options: &Edit, context: &Context) -> anyhow::Result<()> {
    let edit = EditJob { cap: options.max_price, priority: options.priority, deadline: options.deadline };
    if edit == EditJob::default() {
        return Err(Ended::usage("say what to change: --max-price, --priority, --deadline").into());
    }
    if edit.cap.is_some_and(|cap| !cap.is_positive()) {
        return Err(Ended::usage("--max-price must be more than zero").into());
    }
    let view = context.client()?.edit_job(options.job, edit).await?;
    if context.json() {
        out::json(&view);
    } else {
        out::say(&shown::brief(&view.job, (view.frames_done, view.frames_total)));
        let job = &view.job;
        let by = job.deadline.map_or(String::new(), |by| format!(", wanted by {}", out::time(by)));
        out::say(&format!("at most {} TATAU, priority {}{by}", job.cap, job.priority));
    }
    Ok(())
}
