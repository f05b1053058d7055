//! How the one who cheats fared: from the books, and from what the platform told the buyer.

use super::{
    accounts::{self, Accounts},
    cast::CHEAT,
};
use anyhow::Context as _;
use std::fmt::Write as _;
use tatau_api::JobView;
use tatau_model::{Amount, Work};

/// How the cheat fared.
#[derive(Debug, serde::Serialize)]
pub struct Caught {
    /// Frames that it delivered and was not paid for.
    refused: u64,
    /// Frames that it delivered and was paid for; should be zero.
    accepted: u64,
    /// Times that stake was taken.
    slashings: u64,
    /// Nano-TATAU taken.
    slashed: Amount,
    /// Other tasks, such as pictures, which it did honestly.
    honest_tasks_paid: u64,
    /// What the platform told the buyer.
    told: Vec<String>,
}

impl Caught {
    /// From the books and from what the platform told the buyer.
    pub fn new(accounts: &Accounts, job: &JobView) -> anyhow::Result<Self> {
        let cheat = accounts.parties.iter().find(|p| p.name == CHEAT).context("the cheat has no account")?;
        let mark = format!("by {}", &cheat.owner.to_string()[..8]);
        let frames = job.tasks.iter().filter(|task| matches!(task.work, Work::Render { .. }));
        let told: Vec<String> = frames
            .flat_map(|task| task.story.iter().map(move |line| format!("{}: {line}", task.work.label())))
            .filter(|line| line.contains(&mark))
            .collect();
        let (slashings, slashed) = accounts.of(CHEAT, "slash");
        let (paid, _) = accounts.of(CHEAT, "post");
        let saying = |words: &str| told.iter().filter(|line| line.contains(words)).count() as u64;
        let missed = saying(": accepted");
        Ok(Self {
            refused: saying("it was not paid"),
            accepted: missed,
            slashings,
            slashed: slashed.negated()?,
            honest_tasks_paid: paid.saturating_sub(missed),
            told,
        })
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "The cheat rendered with half the samples. {} of it were caught and not paid; {} TATAU of its stake and unsettled pay were taken.\n",
            accounts::count(self.refused, "frame"),
            self.slashed
        );
        if self.accepted > 0 {
            let _ = writeln!(
                text,
                "{} of it passed: the audits are light, and the parts drawn happened to be ones where samples make no difference.",
                accounts::count(self.accepted, "frame")
            );
        }
        if self.honest_tasks_paid > 0 {
            let tasks = accounts::count(self.honest_tasks_paid, "other task");
            let _ = writeln!(text, "For {tasks}, which it did honestly, it was paid.");
        }
        for line in &self.told {
            let _ = writeln!(text, "  {line}");
        }
        text
    }
}
