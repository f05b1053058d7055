//! What was applied is what is recovered; the books follow; a refused batch leaves nothing.

#![allow(clippy::unwrap_used)] // a panic here is a failed test

use crate::market::Market;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tatau_model::{
    AccountKey, Address, Amount, Change, Entry, EntryKind, JobId, Leg, Millis, Purpose, TaskId,
};
use tatau_store::{Store, StoreError};

/// Random events in batches of random size; then a second life. Prints its seed.
fn lives(seed: u64, events: usize) {
    println!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tatau.db");
    let mut market = Market::default();
    for life in 0..3 {
        let mut store = Store::open(&path).unwrap();
        let loaded = store.load().unwrap();
        assert_eq!(loaded, market.expected(), "life {life}");
        market = Market::resume(loaded);
        let mut done = 0;
        while done < events {
            let size = rng.random_range(1..60);
            let batch: Vec<Change> = (0..size).flat_map(|_| market.step(&mut rng)).collect();
            store.commit(&batch).unwrap();
            done += size;
        }
        assert_eq!(store.load().unwrap(), market.expected());
        let report = store.audit_books().unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
        assert_eq!((report.entries, report.sum), (market.books.last(), Amount::ZERO));
        assert_eq!(store.reader().unwrap().audit_books().unwrap(), report, "a reader finds the same");
    }
    assert!(market.last_epoch.is_some() && market.expected().last_audit > 3, "the dice reached every event");
}

#[test]
fn what_was_applied_is_recovered() {
    for seed in [1, 2, 3] {
        lives(seed, 1_500);
    }
}

fn busy(seed: u64, events: usize) -> (tempfile::TempDir, Store, Market, SmallRng) {
    println!("seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path().join("tatau.db")).unwrap();
    let (mut market, mut rng) = (Market::default(), SmallRng::seed_from_u64(seed));
    for _ in 0..events {
        store.commit(&market.step(&mut rng)).unwrap();
    }
    (folder, store, market, rng)
}

#[test]
fn a_batch_that_fails_in_the_middle_leaves_nothing() {
    let (_folder, mut store, mut market, mut rng) = busy(7, 300);
    let before = market.expected();
    let good: Vec<Change> = (0..50).flat_map(|_| market.step(&mut rng)).collect();
    let last = market.books.last();
    let leg = |account, amount| Leg { account, amount: Amount(amount) };
    let (fees, burned) = (AccountKey::Fees, AccountKey::Burned);
    let entry = |id, legs| Change::Entry(Entry { id, at: Millis(1), kind: EntryKind::Float, legs });
    let nobody = AccountKey::Owner(Address([9; 20]), Purpose::Pending);
    let mut orphan = market.tasks.values().next().unwrap().clone();
    (orphan.id, orphan.job) = (TaskId(9_999_999), JobId(9_999_999));
    let bad = [
        ("unbalanced", entry(last + 1, vec![leg(fees, 5), leg(burned, -4)])),
        ("one leg", entry(last + 1, vec![leg(fees, 0)])),
        ("a gap", entry(last + 2, vec![leg(AccountKey::Outside, -5), leg(burned, 5)])),
        ("an entry twice", entry(last, vec![leg(AccountKey::Outside, -5), leg(burned, 5)])),
        ("below zero", entry(last + 1, vec![leg(nobody, -5), leg(burned, 5)])),
        (
            "beyond i64",
            entry(last + 1, vec![leg(AccountKey::Outside, i64::MIN), leg(burned, i64::MAX), leg(fees, 1)]),
        ),
        (
            "an account twice",
            entry(last + 1, vec![leg(AccountKey::Outside, -5), leg(burned, 2), leg(burned, 3)]),
        ),
        ("a task without job", Change::Task(Box::new(orphan))),
        (
            "a meter without job",
            Change::JobMeter { job: JobId(9_999_999), spent: Amount(1), reference_ms: 1 },
        ),
        ("closing what is not there", Change::CloseJob(JobId(9_999_999))),
        ("unbonding what is not there", Change::Unbonded { owner: Address([1; 20]), at: Millis(3) }),
    ];
    for (what, change) in bad {
        let mut batch = good.clone();
        batch.insert(batch.len() / 2, change.clone());
        if matches!(change, Change::Entry(_)) {
            // In the middle it would break the numbering; what is tested is its own fault.
            batch = good.iter().cloned().chain([change]).collect();
        }
        let error = store.commit(&batch).unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{what}: {error}");
        assert_eq!(store.load().unwrap(), before, "{what}");
    }
    store.commit(&good).unwrap();
    assert_eq!(store.load().unwrap(), market.expected(), "a refused batch spoils nothing");
    assert!(store.audit_books().unwrap().balanced());
}

#[test]
fn nothing_but_sightings_is_no_commit() {
    let (_folder, mut store, market, _) = busy(8, 10);
    let node = *market.nodes.keys().next().unwrap();
    store.commit(&[Change::Seen { node, at: Millis(5) }]).unwrap();
    store.commit(&[]).unwrap();
    assert_eq!(store.load().unwrap(), market.expected());
}

#[test]
fn tampered_books_are_noticed() {
    let (folder, store, _market, _) = busy(9, 600);
    let path = folder.path().join("tatau.db");
    assert!(store.audit_books().unwrap().balanced());
    drop(store);
    let tampers = [
        ("UPDATE balances SET amount = amount + 1 WHERE account LIKE '%available'", "its journal sums to"),
        ("DROP TRIGGER legs_are_kept; UPDATE legs SET amount = amount + 1 WHERE entry = 3", "that sum to"),
        ("DROP TRIGGER legs_are_whole; DELETE FROM legs WHERE entry = 3", "have no legs"),
        (
            "DROP TRIGGER journal_is_whole; PRAGMA foreign_keys = off; DELETE FROM journal WHERE id = 2",
            "numbered",
        ),
        (
            "DROP TRIGGER legs_are_kept; UPDATE legs SET balance = balance + 1 WHERE entry = 3",
            "is said to hold",
        ),
        (
            "UPDATE attempts SET body = replace(body, '\"price\":1000000', '\"price\":1') WHERE open = 1",
            "open work",
        ),
        ("UPDATE unbonding SET amount = amount + 1", "open work"),
    ];
    for (n, (sql, sign)) in tampers.into_iter().enumerate() {
        let copy = folder.path().join(format!("copy-{n}.db"));
        std::fs::copy(&path, &copy).unwrap();
        rusqlite::Connection::open(&copy).unwrap().execute_batch(sql).unwrap();
        let problems = Store::open(&copy).unwrap().audit_books().unwrap().problems;
        assert!(problems.iter().any(|p| p.contains(sign)), "{sql}: {problems:?}");
    }
    let journal = rusqlite::Connection::open(&path).unwrap();
    for sql in ["UPDATE legs SET amount = 1", "DELETE FROM journal", "UPDATE journal SET at = 0"] {
        let error = journal.execute_batch(sql).unwrap_err().to_string();
        assert!(error.contains("final"), "{sql}: {error}");
    }
}
