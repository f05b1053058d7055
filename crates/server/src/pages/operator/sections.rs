//! The server's figures in groups, as lines. Pure.

use crate::{facts::Facts, watch::Comparator};
use tatau_model::Millis;
use tatau_ui::words;

/// One figure.
pub(super) struct Line {
    pub what: &'static str,
    pub value: String,
}

/// Title and lines.
pub(super) type Section = (&'static str, Vec<Line>);

pub(super) fn sections(facts: &Facts) -> Vec<Section> {
    vec![
        ("People", people(facts)),
        ("Queues", queues(facts)),
        ("Money", money(facts)),
        ("Comparator", comparator(facts)),
        ("Writer", writer(facts)),
        ("Storage", storage(facts)),
    ]
}

#[allow(clippy::needless_pass_by_value)] // texts and numbers alike
fn line(what: &'static str, value: impl ToString) -> Line {
    Line { what, value: value.to_string() }
}

fn people(facts: &Facts) -> Vec<Line> {
    let (census, day) = (&facts.market.census, &facts.market.day);
    let nodes =
        format!("{} of {} online, {} draining", census.nodes_online, census.nodes, census.nodes_draining);
    vec![
        line("Nodes", nodes),
        line(
            "Validators",
            format!("{} of {} owners online", census.validators_online, census.validator_owners),
        ),
        line("Accounts", format!("{}, {} barred", census.accounts, census.barred)),
        line(
            "Verified in 24 hours",
            format!("{} frames, {} audits, {} caught", day.frames, day.audits, day.caught),
        ),
    ]
}

fn queues(facts: &Facts) -> Vec<Line> {
    let census = &facts.market.census;
    let aged = |count: u64, since: Option<Millis>| match since {
        Some(since) => format!("{count}, the oldest for {}", words::duration(facts.now.since(since))),
        None => count.to_string(),
    };
    vec![
        line("Jobs", format!("{} running, {} paused", census.jobs_running, census.jobs_paused)),
        line("Tasks ready", aged(census.tasks_ready, census.oldest_ready)),
        line("Leases", census.leased),
        line("Receipts whose files are awaited", census.committed),
        line("Results that await their verdict", census.delivered),
        line("Audits that nobody has taken", census.audits_open),
        line("Audits at validators", census.audits_assigned),
        line("Audits at the comparator", aged(census.audits_revealed, census.oldest_revealed)),
        line(
            "Oldest audit without a verdict",
            census.oldest_audit.map_or_else(|| "none".into(), |at| words::ago(at, facts.now)),
        ),
    ]
}

fn money(facts: &Facts) -> Vec<Line> {
    let till = &facts.till;
    vec![
        line("Fees", words::money(till.fees)),
        line("Insurance", words::money(till.insurance)),
        line("Burned", words::money(till.burned)),
        line("In escrow", words::money(till.escrow)),
        line("Pending", words::money(till.pending)),
        line("Staked", words::money(till.stake)),
        line("Available to accounts", words::money(till.available)),
    ]
}

fn comparator(facts: &Facts) -> Vec<Line> {
    let state = match &facts.comparator {
        Comparator::Idle => "ready; nothing to compare yet".into(),
        Comparator::Working => "works".into(),
        Comparator::Absent => "there is none (--no-judge)".into(),
        Comparator::Away { sentence, .. } => format!("away: {sentence}"),
    };
    let mut lines = vec![line("State", state), line("Compared since the start", facts.judged)];
    if let Some((at, sentence)) = &facts.fault {
        lines.push(line("Last trouble", format!("{}: {sentence}", words::ago(*at, facts.now))));
    }
    lines
}

fn writer(facts: &Facts) -> Vec<Line> {
    let (beat, (waiting, most)) = (&facts.beat, facts.queue);
    let took = beat.commit_us.checked_div(beat.batches);
    let batches =
        format!("{}, the last with {} changes, the largest with {}", beat.batches, beat.last, beat.largest);
    vec![
        line("Waiting messages", format!("{waiting} of {most}")),
        line("Events", format!("{}, {} refused", beat.events, beat.refused)),
        line("Batches", batches),
        line("A commit takes", took.map_or_else(|| "–".into(), micros)),
    ]
}

fn storage(facts: &Facts) -> Vec<Line> {
    let disk = facts.disk.map(|d| format!("{} free of {}", words::bytes(d.free), words::bytes(d.total)));
    vec![
        line("Blobs", format!("{} of {}", words::bytes(facts.blob_bytes), words::bytes(facts.blob_quota))),
        line("Database", words::bytes(facts.database_bytes)),
        line("Disk", disk.unwrap_or_else(|| "unknown".into())),
        line("Started", words::ago(facts.started, facts.now)),
    ]
}

fn micros(us: u64) -> String {
    if us < 10_000 { format!("{}.{} ms", us / 1_000, us % 1_000 / 100) } else { format!("{} ms", us / 1_000) }
}
