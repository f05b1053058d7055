//! What the operator should know, and what to do about it. Pure.

use crate::{facts::Facts, watch::Comparator};
use tatau_model::Amount;
use tatau_ui::{Tone, words};

/// An audit that waits longer than this is late, ms.
const LATE_AUDIT_MS: u64 = 10 * 60_000;
/// A task that nobody takes for so long has no machine, ms.
const LATE_TASK_MS: u64 = 30 * 60_000;
/// Of the quota for blobs, percent.
const QUOTA_PERCENT: u64 = 90;
/// Free room on the disk below which it is tight, and below which it is urgent, bytes.
const DISK_TIGHT: u64 = 10 << 30;
const DISK_URGENT: u64 = 2 << 30;
/// A jump of the clock is told for so long, ms.
const JUMP_TOLD_MS: u64 = 3_600_000;
/// Owners of validators that a newcomer's work needs.
const VALIDATOR_OWNERS: u32 = 2;
/// Fees that pay for audits may run this low, nano-TATAU.
const LOW_FEES: Amount = Amount(1_000_000);

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alarm {
    /// Name for programs.
    pub name: &'static str,
    pub tone: Tone,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub mend: String,
}

/// All of them, worst first.
pub(crate) fn alarms(facts: &Facts) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    let mut tell =
        |name, tone, what: String, mend: &str| alarms.push(Alarm { name, tone, what, mend: mend.to_owned() });
    comparator(facts, &mut tell);
    books(facts, &mut tell);
    disk(facts, &mut tell);
    people(facts, &mut tell);
    clock(facts, &mut tell);
    alarms.sort_by_key(|alarm| alarm.tone != Tone::Bad);
    alarms
}

type Tell<'a> = dyn FnMut(&'static str, Tone, String, &str) + 'a;

fn comparator(facts: &Facts, tell: &mut Tell<'_>) {
    let mend = "run `tatau provide doctor` on this machine and mend what it lacks; audits are judged as soon as it works";
    match &facts.comparator {
        Comparator::Absent => tell(
            "comparator",
            Tone::Bad,
            "The server runs without a comparator: no audit is judged, so nobody is paid.".into(),
            "start it again without --no-judge",
        ),
        Comparator::Away { since, sentence } => tell(
            "comparator",
            Tone::Bad,
            format!("The comparator cannot work since {}: {sentence}", words::ago(*since, facts.now)),
            mend,
        ),
        Comparator::Idle | Comparator::Working => {}
    }
}

fn books(facts: &Facts, tell: &mut Tell<'_>) {
    if let Some(run) = facts.books.as_ref().filter(|run| !run.sound) {
        let first = run.problems.first().cloned().unwrap_or_default();
        tell(
            "books",
            Tone::Bad,
            format!("The books are not sound: {first}"),
            "stop the server, keep a copy of the data folder, restore the last backup, and report it",
        );
    }
}

fn disk(facts: &Facts, tell: &mut Tell<'_>) {
    let used = facts.blob_bytes.saturating_mul(100) / facts.blob_quota.max(1);
    if used >= QUOTA_PERCENT {
        let what = format!(
            "Blobs fill {used}% of their quota ({} of {}); at 100% uploads are refused.",
            words::bytes(facts.blob_bytes),
            words::bytes(facts.blob_quota)
        );
        tell(
            "quota",
            if used >= 100 { Tone::Bad } else { Tone::Plain },
            what,
            "start the server with a larger --quota-gib",
        );
    }
    match facts.disk {
        Some(disk) if disk.free < DISK_TIGHT => {
            let tone = if disk.free < DISK_URGENT { Tone::Bad } else { Tone::Plain };
            let what = format!("The disk with the data folder has {} left.", words::bytes(disk.free));
            tell(
                "disk",
                tone,
                what,
                "free some room, or move the data folder to a larger disk while the server is stopped",
            );
        }
        None => tell(
            "disk",
            Tone::Plain,
            "The disk does not say how much room it has.".into(),
            "look at it yourself",
        ),
        Some(_) => {}
    }
}

fn people(facts: &Facts, tell: &mut Tell<'_>) {
    let census = &facts.market.census;
    let waiting = census.audits_open + census.audits_assigned + census.audits_revealed > 0;
    let late = census.oldest_audit.map(|at| facts.now.since(at)).filter(|ms| *ms > LATE_AUDIT_MS);
    if let Some(ms) = late {
        tell(
            "audits",
            Tone::Bad,
            format!("The oldest audit has waited {}; its provider waits for the pay.", words::duration(ms)),
            "see whether validators of two owners are online, outside the provider's network block, and whether the comparator works",
        );
    }
    if census.validator_owners < VALIDATOR_OWNERS {
        let tone = if waiting { Tone::Bad } else { Tone::Plain };
        let what = format!(
            "{} owner{} online validate{}.",
            census.validator_owners,
            if census.validator_owners == 1 { "" } else { "s" },
            if census.validator_owners == 1 { "s" } else { "" }
        );
        tell(
            "validators",
            tone,
            what,
            "a newcomer's work is checked by validators of two owners: start another `tatau validate`",
        );
    }
    let oldest = census.oldest_ready.map(|at| facts.now.since(at)).filter(|ms| *ms > LATE_TASK_MS);
    if let Some(ms) = oldest {
        tell(
            "tasks",
            Tone::Plain,
            format!("A task has waited {} for a machine.", words::duration(ms)),
            "no machine online fits it, or all ask more than its buyer pays; the market page shows which class is short",
        );
    }
    if facts.market.all.audits > 0 && facts.till.fees < LOW_FEES {
        tell(
            "fees",
            Tone::Plain,
            format!(
                "The fee account holds {}: audits are paid only as far as it goes.",
                words::money(facts.till.fees)
            ),
            "fees of accepted work fill it; see docs/economics.md",
        );
    }
    let (queue, most) = facts.queue;
    if queue > most / 2 {
        tell(
            "queue",
            Tone::Bad,
            format!("{queue} messages wait for the writer."),
            "the disk is slow, or there is more to do than one server does",
        );
    }
}

fn clock(facts: &Facts, tell: &mut Tell<'_>) {
    if let Some(jump) = facts.jump.filter(|jump| facts.now.since(jump.at) < JUMP_TOLD_MS) {
        let by = words::duration(jump.by_ms.unsigned_abs());
        let way = if jump.by_ms < 0 { "backwards" } else { "forwards" };
        tell(
            "clock",
            Tone::Plain,
            format!("The machine's clock jumped {way} by {by}, {}.", words::ago(jump.at, facts.now)),
            "keep it set by a time service (NTP); signed requests are refused while it is wrong",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        facts::Disk,
        stats::Snapshot,
        watch::{BooksRun, Jump},
    };
    use std::sync::Arc;
    use tatau_engine::Census;
    use tatau_model::Millis;

    /// A server with nothing to complain of.
    fn well() -> Facts {
        let census = Census { validator_owners: 2, validators_online: 2, ..Census::default() };
        Facts {
            now: Millis(10_000_000),
            market: Arc::new(Snapshot { census, ..Snapshot::default() }),
            queue: (0, 100),
            blob_quota: 1_000,
            disk: Some(Disk { total: 1 << 40, free: 1 << 39 }),
            ..Facts::default()
        }
    }

    fn names(facts: &Facts) -> Vec<&'static str> {
        alarms(facts).into_iter().map(|alarm| alarm.name).collect()
    }

    fn census(facts: &mut Facts) -> &mut Census {
        &mut Arc::get_mut(&mut facts.market).unwrap().census
    }

    #[test]
    fn a_server_that_is_well_has_no_alarm_and_each_trouble_one() {
        assert_eq!(names(&well()), Vec::<&str>::new());
        let away = Comparator::Away { since: Millis(0), sentence: "no sandbox".into() };
        let run = BooksRun {
            at: Millis(0),
            took_ms: 1,
            sound: false,
            entries: 1,
            sum: Amount(1),
            problems: vec!["x".into()],
        };
        for (name, change) in [
            (
                "comparator",
                Box::new(move |f: &mut Facts| f.comparator = away.clone()) as Box<dyn Fn(&mut Facts)>,
            ),
            ("comparator", Box::new(|f| f.comparator = Comparator::Absent)),
            ("books", Box::new(move |f| f.books = Some(run.clone()))),
            ("quota", Box::new(|f| f.blob_bytes = 900)),
            ("disk", Box::new(|f| f.disk = Some(Disk { total: 1 << 40, free: 1 << 30 }))),
            ("disk", Box::new(|f| f.disk = None)),
            ("audits", Box::new(|f| census(f).oldest_audit = Some(Millis(10_000_000 - 600_001)))),
            ("validators", Box::new(|f| census(f).validator_owners = 1)),
            ("tasks", Box::new(|f| census(f).oldest_ready = Some(Millis(0)))),
            ("queue", Box::new(|f| f.queue = (51, 100))),
            ("clock", Box::new(|f| f.jump = Some(Jump { at: Millis(9_999_000), by_ms: -9_000 }))),
        ] {
            let mut facts = well();
            change(&mut facts);
            assert_eq!(names(&facts), [name]);
            assert!(alarms(&facts).iter().all(|a| !a.mend.is_empty()));
        }
    }

    #[test]
    fn limits_are_where_they_are_said_to_be_and_the_worst_comes_first() {
        let mut facts = well();
        facts.blob_bytes = 899;
        census(&mut facts).oldest_audit = Some(Millis(10_000_000 - 600_000));
        facts.jump = Some(Jump { at: Millis(10_000_000 - 3_600_000), by_ms: 9_000 });
        assert_eq!(names(&facts), Vec::<&str>::new());
        census(&mut facts).oldest_ready = Some(Millis(0));
        facts.comparator = Comparator::Absent;
        assert_eq!(names(&facts), ["comparator", "tasks"]);
    }
}
