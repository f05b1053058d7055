//! Every invariant of the open state, walked after each test and on demand.

use crate::State;
use std::collections::BTreeMap;
use tatau_model::{
    AccountKey, Amount, AttemptState, AuditState, JobKind, JobState, Purpose, TaskState, Who, Work,
};

/// All broken invariants, one sentence each; empty when all is well.
pub fn sanity_check(state: &State) -> Vec<String> {
    let mut problems = Vec::new();
    if let Err(error) = state.books.check() {
        problems.push(format!("the books are not conserved: {error}"));
    }
    money(state, &mut problems);
    tasks(state, &mut problems);
    audits(state, &mut problems);
    nodes(state, &mut problems);
    problems
}

/// What attempts hold is what the ledger holds for them.
fn money(state: &State, problems: &mut Vec<String>) {
    let mut expected: BTreeMap<AccountKey, i128> = BTreeMap::new();
    let mut add = |key, amount: Amount| *expected.entry(key).or_default() += i128::from(amount.0);
    for attempt in state.attempts.values() {
        let provider = |purpose| AccountKey::Owner(attempt.provider, purpose);
        if !attempt.state.is_ended() {
            match state.jobs.get(&attempt.job) {
                Some(job) => add(AccountKey::Owner(job.owner, Purpose::Held(job.id)), attempt.price),
                None => problems.push(format!("{} is open, its job is closed", attempt.id)),
            }
            add(provider(Purpose::StakeReserved), attempt.reserved);
        }
        if attempt.dispute_until.is_some() {
            add(provider(Purpose::Pending), attempt.pay);
            add(provider(Purpose::StakeReserved), attempt.reserved);
        }
    }
    for (_, owner, amount) in &state.unbonding {
        add(AccountKey::Owner(*owner, Purpose::StakeUnbonding), *amount);
    }
    for (key, balance) in state.books.iter() {
        let derived = matches!(
            key,
            AccountKey::Owner(
                _,
                Purpose::Held(_) | Purpose::StakeReserved | Purpose::Pending | Purpose::StakeUnbonding
            )
        );
        if derived {
            let wanted = expected.remove(key).unwrap_or(0);
            if wanted != i128::from(balance.0) {
                problems.push(format!("{key} holds {balance}, its attempts account for {wanted} nano-TATAU"));
            }
        }
        if let AccountKey::Owner(_, Purpose::Escrow(job)) = key
            && state.jobs.get(job).is_none_or(|j| j.state.is_ended())
        {
            problems.push(format!("{key} holds {balance} after the job's end"));
        }
    }
    for (key, wanted) in expected {
        if wanted != 0 {
            problems.push(format!("{key} is empty, its attempts account for {wanted} nano-TATAU"));
        }
    }
}

fn tasks(state: &State, problems: &mut Vec<String>) {
    for task in state.tasks.values() {
        let open = task.current.and_then(|id| state.attempts.get(&id));
        let fine = match task.state {
            TaskState::Ready => task.current.is_none(),
            TaskState::Leased => open.is_some_and(|a| a.state == AttemptState::Leased && a.task == task.id),
            TaskState::Auditing => open.is_some_and(|a| {
                matches!(a.state, AttemptState::Committed | AttemptState::Delivered) && a.task == task.id
            }),
            TaskState::Accepted => {
                open.is_some_and(|a| a.state == AttemptState::Accepted && a.task == task.id)
            }
            TaskState::Failed | TaskState::Cancelled => true,
        };
        if !fine {
            problems.push(format!(
                "{} is {} but its attempt is {:?}",
                task.id,
                task.state.name(),
                open.map(|a| &a.state)
            ));
        }
        let ready = state
            .ready
            .get(&task.job)
            .is_some_and(|set| set.contains(&(crate::state::rank(&task.work), task.id)));
        if ready != (task.state == TaskState::Ready) {
            problems.push(format!("{} is {} but the queue says otherwise", task.id, task.state.name()));
        }
    }
    for job in state.jobs.values() {
        if job.spent > job.cap {
            problems.push(format!("{} cost {} of a cap of {}", job.id, job.spent, job.cap));
        }
        let open = state.tasks_of(job.id).any(|t| !t.state.is_ended());
        if job.state == JobState::Running && !open {
            problems.push(format!("{} is running, but nothing is left to do", job.id));
        }
    }
}

/// The owner's word stands, whatever the node says.
fn nodes(state: &State, problems: &mut Vec<String>) {
    for node in state.nodes.values() {
        let settings = &node.settings;
        if settings.floor.is_some_and(|floor| node.offer.ask_per_reference_hour < floor) {
            problems.push(format!("{} asks less than its owner's floor", node.id));
        }
        if (settings.draining || settings.removed) && !node.draining {
            problems.push(format!("{} takes work against its owner's word", node.id));
        }
        if node.heard > settings.revision {
            problems.push(format!("{} heard what its owner never said", node.id));
        }
    }
}

/// No pay without a verdict, no double lease, no audit by its own provider.
fn audits(state: &State, problems: &mut Vec<String>) {
    for attempt in state.attempts.values() {
        let work = state.tasks.get(&attempt.task).map(|t| &t.work);
        let audits: Vec<_> = state.audits_of(attempt.id).collect();
        let passed = audits
            .iter()
            .filter(|a| matches!(a.state, AuditState::Judged { verdict: tatau_model::Verdict::Pass }))
            .count();
        let job = state.jobs.get(&attempt.job);
        if attempt.copy_of.is_some() {
            if attempt.state != AttemptState::Accepted || attempt.price != Amount::ZERO || !audits.is_empty()
            {
                problems.push(format!("{} takes over a result, yet is open, priced or audited", attempt.id));
            }
            continue;
        }
        if job.is_some_and(|job| job.is_own_work(&attempt.provider)) {
            if attempt.price != Amount::ZERO || !audits.is_empty() {
                problems.push(format!("{} is its buyer's own work, yet priced or audited", attempt.id));
            }
            continue;
        }
        if job
            .is_some_and(|job| job.machines.who == Who::Own && !matches!(job.kind, JobKind::Benchmark { .. }))
        {
            problems.push(format!("{} is a stranger's, of a job for own machines alone", attempt.id));
        }
        if job.is_some_and(tatau_model::Job::is_unchecked) {
            continue;
        }
        let checked = attempt.newcomer
            || matches!(work, Some(Work::Render { .. } | Work::Stitch { .. } | Work::Benchmark));
        if attempt.state == AttemptState::Accepted && checked && passed == 0 {
            problems.push(format!("{} was accepted without a passed audit", attempt.id));
        }
        if audits.iter().any(|a| a.validator == Some(attempt.provider)) {
            problems.push(format!("{} was audited by its own provider", attempt.id));
        }
        let mut owners: Vec<_> = audits.iter().filter_map(|a| a.validator).collect();
        let all = owners.len();
        owners.sort_unstable();
        owners.dedup();
        if owners.len() != all {
            problems.push(format!("{} was audited twice by one owner", attempt.id));
        }
        let waiting = audits.iter().any(|a| !a.state.is_ended());
        let drawn = attempt.challenge.is_some();
        if attempt.state == AttemptState::Delivered && drawn && !waiting {
            problems.push(format!("{} is delivered and challenged, but no audit is open", attempt.id));
        }
    }
}
