//! Pages' questions, and what the server keeps beside the market.

#![allow(clippy::unwrap_used)] // a panic here is a failed test

use crate::market::Market;
use rand::{SeedableRng, rngs::SmallRng};
use std::collections::{BTreeMap, HashMap};
use tatau_evidence::{Domain, receipts_root};
use tatau_model::{
    AccountKey, Address, Amount, Attempt, AttemptState, Audit, Change, EntryKind, EpochId, Job, JobId,
    Millis, Purpose, Task,
};
use tatau_store::{MAX_LOG_BYTES, QUARTER_MS, Reader, Store, StoreError, TokenRecord};

/// Everything ever written, by number: history as the readers must show it.
#[derive(Default)]
struct History {
    jobs: BTreeMap<u64, Job>,
    tasks: BTreeMap<u64, Task>,
    attempts: BTreeMap<u64, Attempt>,
    audits: BTreeMap<u64, Audit>,
}

fn filled() -> (tempfile::TempDir, Store, Reader, Market, History) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path().join("tatau.db")).unwrap();
    let (mut market, mut rng) = (Market::default(), SmallRng::seed_from_u64(21));
    let mut history = History::default();
    for _ in 0..2_500 {
        let changes = market.step(&mut rng);
        for change in &changes {
            match change {
                Change::Job(j) => drop(history.jobs.insert(j.id.0, (**j).clone())),
                Change::JobMeter { job, spent, reference_ms } => {
                    let job = history.jobs.get_mut(&job.0).unwrap();
                    (job.spent, job.reference_ms) = (*spent, *reference_ms);
                }
                Change::Task(t) => drop(history.tasks.insert(t.id.0, (**t).clone())),
                Change::Attempt(a) => drop(history.attempts.insert(a.id.0, (**a).clone())),
                Change::Audit(a) => drop(history.audits.insert(a.id.0, (**a).clone())),
                _ => {}
            }
        }
        store.commit(&changes).unwrap();
    }
    let reader = store.reader().unwrap();
    (folder, store, reader, market, history)
}

#[test]
fn history_is_answered_closed_or_not() {
    let (_folder, mut store, reader, market, history) = filled();
    assert!(market.jobs.len() < history.jobs.len(), "some jobs are closed");
    for (id, job) in &history.jobs {
        let id = JobId(*id);
        assert_eq!(reader.job(id).unwrap().as_ref(), Some(job));
        assert_eq!(reader.job_of_request(job.owner, &job.request_key).unwrap().as_ref(), Some(job));
        let tasks: Vec<_> = reader.tasks_of(id, 0).unwrap();
        assert!(tasks.iter().map(|t| &t.task).eq(history.tasks.values().filter(|t| t.job == id)));
        let last = tasks.iter().map(|t| t.changed).max().unwrap();
        assert!(reader.tasks_of(id, last).unwrap().is_empty(), "nothing changed since");
        assert!(reader.tasks_of(id, last - 1).unwrap().iter().all(|t| t.changed == last));
        assert!(
            reader.attempts_of_job(id).unwrap().iter().eq(history.attempts.values().filter(|a| a.job == id))
        );
        assert!(reader.audits_of_job(id).unwrap().iter().eq(history.audits.values().filter(|a| a.job == id)));
    }
    for task in history.tasks.values() {
        assert_eq!(reader.task(task.id).unwrap().as_ref(), Some(task));
        let attempts = reader.attempts_of_task(task.id).unwrap();
        assert!(attempts.iter().eq(history.attempts.values().filter(|a| a.task == task.id)));
    }
    for attempt in history.attempts.values() {
        assert_eq!(reader.attempt(attempt.id).unwrap().as_ref(), Some(attempt));
        let audits = reader.audits_of_attempt(attempt.id).unwrap();
        assert!(audits.iter().eq(history.audits.values().filter(|a| a.attempt == attempt.id)));
    }
    for owner in market.accounts.keys() {
        let newest: Vec<_> = history.jobs.values().rev().filter(|j| j.owner == *owner).take(3).collect();
        assert!(reader.jobs_of(*owner, 3).unwrap().iter().eq(newest));
        assert_eq!(reader.account(*owner).unwrap().as_ref(), market.accounts.get(owner));
    }
    let node = market.nodes.values().next().unwrap();
    assert_eq!(reader.node(node.id).unwrap().as_ref(), Some(node));
    assert_eq!(reader.nodes_of(node.owner).unwrap(), std::slice::from_ref(node));
    for unknown in [999_999, u64::MAX] {
        assert_eq!(reader.job(JobId(unknown)).unwrap(), None);
        assert!(reader.tasks_of(JobId(unknown), u64::MAX).unwrap().is_empty());
    }
    let blobs = reader.blobs_in_use(Millis(i64::MAX)).unwrap().blobs;
    let open = |a: &&Attempt| market.jobs.get(&a.job).is_some_and(|j| j.ended.is_none());
    assert!(history.attempts.values().filter(open).flat_map(|a| &a.outputs).all(|f| blobs.contains(&f.blob)));
    let all = reader.blobs_in_use(Millis(0)).unwrap().blobs.len();
    assert!(all > blobs.len(), "ended jobs' blobs too");
    let held = reader.blobs_in_use(Millis(0)).unwrap().held;
    for (owner, held) in &held {
        let own = |id: &JobId| history.jobs.get(&id.0).is_some_and(|job| job.owner == *owner);
        let outputs = history
            .attempts
            .values()
            .filter(|a| own(&a.job) && a.state.name() != "rejected")
            .flat_map(|a| &a.outputs);
        let outputs: HashMap<_, _> = outputs.map(|f| (f.blob, f.bytes)).collect();
        assert_eq!(held.outputs, outputs, "each file of {owner} once");
        assert!(!held.manifests.is_empty());
    }
    assert!(!held.is_empty());

    // What its owner wants gone is nobody's any more, once the job is over; the record stays.
    for job in history.jobs.values() {
        assert!(!reader.is_forgotten(job.id).unwrap());
        store.forget_files(job.id).unwrap();
        store.forget_files(job.id).unwrap();
        assert!(reader.is_forgotten(job.id).unwrap() && reader.job(job.id).unwrap().is_some());
    }
    assert_eq!(reader.blobs_in_use(Millis(0)).unwrap().blobs, blobs, "open jobs keep what they need");
    assert!(store.forget_files(JobId(999_999)).is_err(), "there is no such job");
}

#[test]
fn statements_run_without_gaps_and_end_at_the_balances() {
    let (_folder, _store, reader, market, _) = filled();
    let mut all: BTreeMap<AccountKey, (Amount, u64)> = BTreeMap::new();
    for owner in market.accounts.keys() {
        let (mut after, mut entries) = (0, Vec::new());
        loop {
            let page = reader.statement(*owner, after, 10).unwrap();
            let Some(last) = page.last() else { break };
            after = last.entry;
            for row in page {
                assert_eq!(row.account.owner(), Some(*owner));
                let (running, _) = all.entry(row.account).or_default();
                *running = running.add(row.amount).unwrap();
                assert_eq!(*running, row.balance, "entry {}", row.entry);
                entries.push((row.entry, row.account));
            }
        }
        let whole = reader.statement(*owner, 0, usize::MAX).unwrap();
        assert!(whole.iter().map(|r| (r.entry, r.account)).eq(entries), "pages are the whole, in order");
        let mut balances = reader.balances_of(*owner).unwrap();
        balances.sort();
        let mut sums: Vec<_> =
            all.iter().filter(|(k, (a, _))| k.owner() == Some(*owner) && a.0 != 0).collect();
        sums.sort();
        assert!(balances.iter().map(|(k, a)| (k, a)).eq(sums.into_iter().map(|(k, (a, _))| (k, a))));
    }
    let fees = reader.platform_statement(&AccountKey::Fees, 0, 100_000).unwrap();
    assert_eq!(fees.last().unwrap().balance, market.books.balance(&AccountKey::Fees));
}

#[test]
fn the_receipt_log_proves_its_roots() {
    let (_folder, _store, reader, market, _) = filled();
    let epochs = reader.epochs(0, 100_000).unwrap();
    assert_eq!(epochs.last(), market.last_epoch.as_ref());
    assert_eq!(reader.epochs(3, 2).unwrap(), epochs[3..5]);
    for epoch in epochs {
        let receipts = reader.receipts_of_epoch(epoch.id, &Domain::default()).unwrap();
        let digests: Vec<_> = receipts.iter().map(|(_, digest)| *digest).collect();
        assert_eq!((receipts_root(&digests), digests.len() as u64), (epoch.receipts_root, epoch.receipts));
    }
    assert!(reader.receipts_of_epoch(EpochId(999_999), &Domain::default()).unwrap().is_empty());
}

#[test]
fn settings_tokens_and_logs_are_kept() {
    let (folder, mut store, reader, market, history) = filled();
    assert_eq!(store.setting("seed").unwrap(), None);
    store.put_setting("seed", "1").unwrap();
    store.put_setting("seed", "2").unwrap();
    assert_eq!(reader.setting("seed").unwrap().as_deref(), Some("2"));

    let owner = *market.accounts.keys().next().unwrap();
    let token = TokenRecord { hash: [7; 32], owner, name: "laptop".into(), created: Millis(5) };
    store.put_token(&token).unwrap();
    assert!(matches!(store.put_token(&token), Err(StoreError::Refused(_))), "once");
    let strange = TokenRecord { hash: [8; 32], owner: Address([0xee; 20]), ..token.clone() };
    assert!(matches!(store.put_token(&strange), Err(StoreError::Refused(_))), "no account");
    assert_eq!(reader.token(&[7; 32]).unwrap().as_ref(), Some(&token));
    assert_eq!(reader.token(&[8; 32]).unwrap(), None);
    assert!(!store.remove_token(Address([0xee; 20]), &[7; 32]).unwrap(), "not theirs");
    assert!(store.remove_token(owner, &[7; 32]).unwrap());
    assert_eq!(reader.token(&[7; 32]).unwrap(), None);

    let attempt = history.attempts.values().next().unwrap().id;
    store.put_log(attempt, "first").unwrap();
    store.put_log(attempt, "<b>second</b>").unwrap();
    assert_eq!(reader.log(attempt).unwrap().as_deref(), Some("<b>second</b>"));
    let long = "x".repeat(MAX_LOG_BYTES + 1);
    assert!(matches!(store.put_log(attempt, &long), Err(StoreError::TooLarge { .. })));
    assert!(matches!(store.put_log(tatau_model::AttemptId(999_999), "x"), Err(StoreError::Refused(_))));

    drop(store);
    let store = Store::open(folder.path().join("tatau.db")).unwrap();
    assert_eq!(store.setting("seed").unwrap().as_deref(), Some("2"), "all of it survives");
    assert_eq!(store.load().unwrap(), market.expected(), "and the market is as it was");
}

/// What a statement says an owner earned and was paid since `since`: its own reading of the lines.
fn by_statement(reader: &Reader, history: &History, owner: Address, since: i64) -> (i64, i64) {
    let (mut earned, mut paid) = (0, 0);
    for line in reader.statement(owner, 0, usize::MAX).unwrap().into_iter().filter(|l| l.at.0 >= since) {
        let AccountKey::Owner(_, purpose) = line.account else { continue };
        match (line.kind, purpose) {
            (EntryKind::Post { .. }, Purpose::Pending) => earned += line.amount.0,
            (EntryKind::Settle { .. }, Purpose::Pending) => paid -= line.amount.0,
            (EntryKind::Post { attempt }, Purpose::Available) => {
                let attempt = &history.attempts[&attempt.0];
                if attempt.provider == owner && matches!(attempt.state, AttemptState::Void { .. }) {
                    earned += line.amount.0;
                    paid += line.amount.0;
                }
            }
            _ => {}
        }
    }
    (earned, paid)
}

#[test]
fn earnings_are_the_statement_to_the_last_nano() {
    let (_folder, store, reader, market, history) = filled();
    let last = history.attempts.values().map(|a| a.leased.0).max().unwrap();
    let (day, month) = ((last / 2 / QUARTER_MS) * QUARTER_MS, (last / 5 / QUARTER_MS) * QUARTER_MS);
    let (mut seen, mut forfeited, mut at_once) = (0, 0, 0);
    for owner in market.accounts.keys() {
        let found = reader.earned(*owner, None, Millis(day), Millis(month)).unwrap().unwrap();
        assert_eq!(&found.account, &market.accounts[owner]);
        let sum =
            |of: fn(&tatau_store::CardEarned) -> Amount| found.cards.iter().map(|c| of(c).0).sum::<i64>();
        let all = by_statement(&reader, &history, *owner, i64::MIN);
        assert_eq!((sum(|c| c.earned.all), sum(|c| c.paid.all)), all);
        assert_eq!(
            (sum(|c| c.earned.month), sum(|c| c.paid.month)),
            by_statement(&reader, &history, *owner, month)
        );
        assert_eq!(
            (sum(|c| c.earned.today), sum(|c| c.paid.today)),
            by_statement(&reader, &history, *owner, day)
        );
        assert_eq!(sum(|c| c.pending), found.totals.pending.0);
        assert_eq!(
            (sum(|c| c.earned.all), sum(|c| c.paid.all)),
            (found.totals.earned.0, found.totals.paid.0)
        );
        assert_eq!(
            (sum(|c| c.slashed), sum(|c| c.forfeited)),
            (found.totals.slashed.0, found.totals.forfeited.0)
        );
        assert_eq!(found.totals.pending, market.books.balance(&AccountKey::Owner(*owner, Purpose::Pending)));
        assert_eq!(sum(|c| c.earned.all), sum(|c| c.paid.all) + sum(|c| c.pending) + sum(|c| c.forfeited));
        let of = |is: fn(&AttemptState) -> bool| {
            history.attempts.values().filter(|a| a.provider == *owner && is(&a.state)).count() as u64
        };
        let counted = |of: fn(&tatau_store::CardEarned) -> u64| found.cards.iter().map(of).sum::<u64>();
        assert_eq!(counted(|c| c.accepted), of(|s| *s == AttemptState::Accepted));
        assert_eq!(counted(|c| c.rejected), of(|s| matches!(s, AttemptState::Rejected { .. })));
        assert_eq!(
            counted(|c| c.lost),
            of(|s| matches!(s, AttemptState::Void { code, .. } if code == "expired"))
        );
        let slashed = |a: &&Attempt| a.provider == *owner;
        let slashed = history.attempts.values().filter(slashed).map(|a| match a.state {
            AttemptState::Rejected { slashed, .. } => slashed.0,
            _ => 0,
        });
        assert_eq!(sum(|c| c.slashed), slashed.sum::<i64>());
        seen += all.0;
        forfeited += sum(|c| c.forfeited);
        at_once += counted(|c| c.lost);
        for node in market.nodes.values().filter(|n| n.owner == *owner) {
            let own = reader.earned(*owner, Some(node.id), Millis(day), Millis(month)).unwrap().unwrap();
            assert!(own.cards.iter().all(|c| c.node == node.id));
        }
    }
    assert!(seen > 0 && forfeited > 0 && at_once > 0, "the dice had it all: {seen} {forfeited} {at_once}");
    assert_eq!(reader.earned(Address([0xee; 20]), None, Millis(0), Millis(0)).unwrap(), None);
    let report = store.audit_books().unwrap();
    assert!(report.balanced(), "{:?}", report.problems);
}

#[test]
fn earnings_of_an_older_journal_are_found_in_it() {
    let (folder, store, reader, market, _) = filled();
    let all = |reader: &Reader| -> Vec<_> {
        let of = |owner| reader.earned(owner, None, Millis(0), Millis(0)).unwrap();
        market.accounts.keys().map(|owner| of(*owner)).collect()
    };
    let before = all(&reader);
    drop((store, reader));
    let path = folder.path().join("tatau.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("DROP TABLE earned; DROP TABLE earned_quarters").unwrap();
    raw.execute_batch(include_str!("../../migrations/0004_earned.sql")).unwrap();
    drop(raw);
    let store = Store::open(&path).unwrap();
    assert_eq!(all(&store.reader().unwrap()), before);
    // The audit sees a row that was changed beside the journal.
    drop(store);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("UPDATE earned SET earned = earned + 1, paid = paid + 1").unwrap();
    let store = Store::open(&path).unwrap();
    assert!(!store.audit_books().unwrap().balanced());
}
