//! Passwords, browsers, tokens, join codes, and the market's samples.

#![allow(clippy::unwrap_used)] // a panic here is a failed test

use crate::market::Market;
use rand::{SeedableRng, rngs::SmallRng};
use tatau_model::{
    Account, AccountKey, Address, Amount, AttemptState, AuditState, Change, EntryKind, Millis, Purpose, Work,
};
use tatau_store::{
    JoinCode, PasswordRecord, Reader, Sample, SessionRecord, Store, StoreError, TokenRecord, Verified,
};

const ANA: Address = Address([1; 20]);
const BEN: Address = Address([2; 20]);

fn two_people() -> (tempfile::TempDir, Store, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path().join("tatau.db")).unwrap();
    let changes = [ANA, BEN].map(|owner| Change::Account(Account::new(owner, Millis(1))));
    store.commit(&changes).unwrap();
    let reader = store.reader().unwrap();
    (folder, store, reader)
}

fn session(owner: Address) -> SessionRecord {
    SessionRecord { owner: Some(owner), created: Millis(1), expires: Millis(1_000), limited: true }
}

#[test]
fn a_name_is_one_accounts_and_a_new_password_signs_others_out() {
    let (_folder, mut store, reader) = two_people();
    for (n, owner) in [(1, ANA), (2, ANA), (3, BEN)] {
        store.put_session(&[n; 32], &session(owner)).unwrap();
    }
    let ana = PasswordRecord { owner: ANA, name: "ana".into(), hash: "$x".into(), changed: Millis(5) };
    store.put_password(&ana, Some(&[2; 32])).unwrap();
    assert_eq!(reader.password_by_name("ana").unwrap(), Some(ana.clone()));
    assert_eq!(reader.password_of(ANA).unwrap(), Some(ana.clone()));
    assert_eq!(reader.password_by_name("Ana").unwrap(), None);
    let left = |owner| -> Vec<u8> {
        reader.sessions_of(owner, Millis(10)).unwrap().iter().map(|(hash, _)| hash[0]).collect()
    };
    assert_eq!((left(ANA), left(BEN)), (vec![2], vec![3]));
    assert!(reader.session(&[2; 32]).unwrap().unwrap().limited);
    assert!(reader.sessions_of(BEN, Millis(1_000)).unwrap().is_empty(), "ended ones are not signed in");

    let thief = PasswordRecord { owner: BEN, ..ana.clone() };
    assert!(matches!(store.put_password(&thief, None), Err(StoreError::Refused(_))));
    assert_eq!(left(BEN), [3], "a refusal signs nobody out");
    let renamed = PasswordRecord { name: "anna".into(), ..ana };
    store.put_password(&renamed, None).unwrap();
    assert_eq!(reader.password_by_name("ana").unwrap(), None);
    store.put_password(&thief, None).unwrap();
}

#[test]
fn tokens_are_listed_for_their_owner_only() {
    let (_folder, mut store, reader) = two_people();
    for (n, owner) in [(1, ANA), (2, ANA), (3, BEN)] {
        let token =
            TokenRecord { hash: [n; 32], owner, name: format!("t{n}"), created: Millis(i64::from(n)) };
        store.put_token(&token).unwrap();
    }
    let names =
        |owner| -> Vec<String> { reader.tokens_of(owner).unwrap().into_iter().map(|t| t.name).collect() };
    assert_eq!((names(ANA), names(BEN)), (vec!["t2".into(), "t1".into()], vec!["t3".to_owned()]));
    assert!(!store.remove_token(ANA, &[3; 32]).unwrap());
    assert!(store.remove_token(ANA, &[1; 32]).unwrap());
    assert_eq!(names(ANA), ["t2"]);
}

#[test]
fn a_join_code_adds_so_many_machines_until_it_ends() {
    let (_folder, mut store, reader) = two_people();
    let code =
        JoinCode { hash: [9; 32], owner: ANA, created: Millis(0), expires: Millis(100), uses: 2, used: 0 };
    store.put_join_code(&code).unwrap();
    let mut join = |n: u8, at: i64| store.use_join_code(&[9; 32], Address([n; 20]), Millis(at)).unwrap();
    assert_eq!(join(1, 1), Some(ANA));
    assert_eq!(join(1, 2), Some(ANA), "again, and nothing is used up");
    assert_eq!(join(2, 3), Some(ANA));
    assert_eq!(join(3, 4), None, "used up");
    assert_eq!(join(1, 100), None, "over");
    assert_eq!(reader.join_codes_of(ANA, Millis(5)).unwrap(), [JoinCode { used: 2, ..code.clone() }]);
    assert!(reader.join_codes_of(ANA, Millis(100)).unwrap().is_empty());
    assert!(reader.join_codes_of(BEN, Millis(5)).unwrap().is_empty());
    assert_eq!(store.use_join_code(&[8; 32], ANA, Millis(1)).unwrap(), None);
    assert!(!store.remove_join_code(BEN, &[9; 32]).unwrap());
    assert!(store.remove_join_code(ANA, &[9; 32]).unwrap());
    assert_eq!(store.use_join_code(&[9; 32], Address([1; 20]), Millis(5)).unwrap(), None, "revoked");
    let none = JoinCode { uses: 0, ..code };
    assert!(matches!(store.put_join_code(&none), Err(StoreError::Refused(_))));
}

#[test]
fn samples_thin_with_age_and_lose_no_work() {
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 86_400_000;
    let (_folder, mut store, reader) = two_people();
    let sample = |at: i64| Sample {
        at: Millis(at),
        verified: Verified { frames: (at / MINUTE) as u64, ..Verified::default() },
        ..Sample::default()
    };
    // Four days, a sample every ten minutes; then one 70 days later, and one after two years.
    for n in 0..4 * 144 {
        store.put_sample(&sample(n * 10 * MINUTE)).unwrap();
    }
    let kept = reader.samples(Millis(0)).unwrap();
    let (old, fresh): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(|s| s.at.0 < 4 * DAY - 10 * MINUTE - 2 * DAY);
    assert_eq!(fresh.len(), 289);
    assert_eq!(old.len(), 47, "one an hour");
    assert!(old.iter().all(|s| s.at.0 % (60 * MINUTE) == 50 * MINUTE), "the last of each hour");
    store.put_sample(&sample(70 * DAY)).unwrap();
    let days: Vec<i64> = reader.samples(Millis(0)).unwrap().iter().map(|s| s.at.0 / DAY).collect();
    assert_eq!(days, [0, 1, 2, 3, 70]);
    assert_eq!(reader.sample_before(Millis(70 * DAY)).unwrap().unwrap().at.0 / DAY, 3);
    store.put_sample(&sample(800 * DAY)).unwrap();
    assert_eq!(reader.samples(Millis(0)).unwrap().len(), 1);
    assert_eq!(reader.sample_before(Millis(0)).unwrap(), None);
}

/// What the entries themselves say, added up one by one.
#[test]
fn verified_work_is_what_the_journal_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path().join("tatau.db")).unwrap();
    let (mut market, mut rng) = (Market::default(), SmallRng::seed_from_u64(33));
    let mut posts = Vec::new();
    let (mut attempts, mut audits, mut tasks) = (
        std::collections::BTreeMap::new(),
        std::collections::BTreeMap::new(),
        std::collections::BTreeMap::new(),
    );
    let reader = store.reader().unwrap();
    let mut half = (Verified::default(), 0);
    for n in 0..2_000 {
        let changes = market.step(&mut rng);
        for change in &changes {
            match change {
                Change::Attempt(a) => drop(attempts.insert(a.id, (**a).clone())),
                Change::Audit(a) => drop(audits.insert(a.id, (**a).clone())),
                Change::Task(t) => drop(tasks.insert(t.id, (**t).clone())),
                Change::Entry(e) => {
                    if let EntryKind::Post { attempt } = e.kind {
                        posts.push((attempt, e.legs.clone()));
                    }
                }
                _ => {}
            }
        }
        store.commit(&changes).unwrap();
        if n == 1_000 {
            half = reader.verified_since(0).unwrap();
        }
    }
    let (all, last) = reader.verified_since(0).unwrap();
    assert_eq!(last, market.books.last());
    // Accepted work goes to pending; what its buyer cut short goes to its provider at once.
    let mut paid = 0;
    for (id, legs) in &posts {
        let attempt = &attempts[id];
        let at_once = attempt.state != AttemptState::Accepted;
        paid += legs
            .iter()
            .filter(|leg| leg.amount.is_positive())
            .filter(|leg| match leg.account {
                AccountKey::Owner(owner, Purpose::Pending) => owner == attempt.provider,
                AccountKey::Owner(owner, Purpose::Available) => owner == attempt.provider && at_once,
                _ => false,
            })
            .map(|leg| leg.amount.0)
            .sum::<i64>();
    }
    assert!(posts.len() > 20 && all.paid == Amount(paid), "{all:?} {paid:?}");
    let accepted: Vec<_> = attempts.values().filter(|a| a.state == AttemptState::Accepted).collect();
    assert_eq!(all.tasks, accepted.len() as u64);
    let frames = accepted.iter().filter(|a| matches!(tasks[&a.task].work, Work::Render { .. })).count();
    assert_eq!(all.frames, frames as u64);
    let judged = |a: &&tatau_model::Audit| {
        matches!(a.state, AuditState::Judged { .. })
            && matches!(attempts[&a.attempt].state, AttemptState::Accepted | AttemptState::Rejected { .. })
    };
    assert_eq!(all.audits, audits.values().filter(judged).count() as u64);
    // In two steps it is the same, but for what changed its mind in between.
    let (rest, _) = reader.verified_since(half.1).unwrap();
    assert_eq!(half.0.paid.add(rest.paid).unwrap(), all.paid);
    assert_eq!(half.0.tasks + rest.tasks, all.tasks);
    assert_eq!(reader.verified_since(last).unwrap(), (Verified::default(), last));
    // A result that was proven wrong is a cheat caught; one that was refused otherwise is not.
    assert_eq!(all.caught, 0);
    let mut wrong = attempts.values().find(|a| a.state.name() == "rejected").unwrap().clone();
    wrong.state = AttemptState::Rejected {
        code: "wrong_result".into(),
        sentence: "two audits contradicted it".into(),
        slashed: Amount(1),
    };
    store.commit(&[Change::Attempt(Box::new(wrong))]).unwrap();
    assert_eq!(reader.verified_since(0).unwrap().0.caught, 1);
}
