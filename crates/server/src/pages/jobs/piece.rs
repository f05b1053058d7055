//! One task of a job, as far as its page shows it: small, because a job has many.

use crate::{archive::History, words};
use tatau_model::{
    Address, Attempt, AttemptId, AttemptState, Audit, AuditState, Millis, OutputFile, TaskState, Verdict,
    Work,
};

/// One task.
pub(super) struct Piece {
    pub work: Work,
    pub state: TaskState,
    /// Tries that came to nothing.
    pub lost: usize,
    /// Who works on it now.
    pub worker: Option<Worker>,
    /// Accepted files that a buyer wants: frames, pictures, the video.
    pub files: Vec<OutputFile>,
    /// What went wrong and was dealt with, in plain words.
    pub news: Vec<(AttemptId, String)>,
    /// The accepted attempt.
    pub done: Option<Done>,
    /// Audits that agreed with a result, and those that contradicted one.
    pub agreed: usize,
    pub contradicted: usize,
}

/// Who works on a task.
#[derive(Clone, Copy)]
pub(super) struct Worker {
    pub node: Address,
    pub card: u16,
    pub since: Millis,
    /// Working, sending, or being checked.
    pub doing: &'static str,
}

/// Where an accepted attempt ran, and what it used.
#[derive(Clone, Copy)]
pub(super) struct Done {
    pub node: Address,
    pub card: u16,
    /// 0: not measured.
    pub energy_j: u64,
}

impl Piece {
    pub(super) fn of(history: History) -> Self {
        let History { task, attempts, audits, .. } = history;
        let judged = |verdict| audits.iter().filter(|a| a.state == AuditState::Judged { verdict }).count();
        let accepted = attempts.iter().rev().find(|a| a.state == AttemptState::Accepted);
        let label = task.work.label();
        Self {
            state: task.state,
            lost: attempts.iter().filter(|a| lost(a)).count(),
            worker: attempts.last().and_then(worker),
            files: accepted.map_or_else(Vec::new, |a| wanted(&task.work, &a.outputs)),
            news: attempts.iter().filter_map(|a| Some((a.id, news(&label, a, &audits)?))).collect(),
            done: accepted.filter(|a| a.copy_of.is_none()).map(|a| Done {
                node: a.node,
                card: a.card,
                energy_j: a.receipt.as_ref().map_or(0, |r| r.energy_j),
            }),
            agreed: judged(Verdict::Pass),
            contradicted: judged(Verdict::Fail) + judged(Verdict::Malformed),
            work: task.work,
        }
    }
}

/// Results that a buyer wants; reports and traces are the platform's. Of a bundle's task everything is its buyer's.
fn wanted(work: &Work, outputs: &[OutputFile]) -> Vec<OutputFile> {
    let all = matches!(work, Work::Task { .. });
    outputs.iter().filter(|f| all || super::files::kind(&f.name).is_some()).cloned().collect()
}

fn lost(attempt: &Attempt) -> bool {
    matches!(attempt.state, AttemptState::Rejected { .. } | AttemptState::Void { .. })
}

fn worker(attempt: &Attempt) -> Option<Worker> {
    let doing = match attempt.state {
        AttemptState::Leased => "working",
        AttemptState::Committed => "sending its result",
        AttemptState::Delivered => "done, being checked",
        _ => return None,
    };
    Some(Worker { node: attempt.node, card: attempt.card, since: attempt.leased, doing })
}

/// What a buyer should hear of an attempt; nothing where all went as usual.
fn news(label: &str, attempt: &Attempt, audits: &[Audit]) -> Option<String> {
    let subject = crate::pages::capital(label);
    let subject = subject.trim_end_matches('.');
    match &attempt.state {
        AttemptState::Rejected { code, sentence, slashed } => {
            let proved = audits.iter().filter(|a| {
                a.attempt == attempt.id && a.state == AuditState::Judged { verdict: Verdict::Fail }
            });
            let what = match (code.as_str(), proved.count()) {
                ("wrong_result", n) if n > 0 => {
                    "sent a wrong or cheaper result; it was caught, not paid".into()
                }
                ("silent", _) => "promised a result and never sent it; it was not paid".into(),
                _ => format!("sent a result that was refused ({}); it was not paid", end_of(sentence)),
            };
            let cost = if slashed.is_positive() {
                format!(", lost {slashed} TATAU of its own")
            } else {
                String::new()
            };
            Some(format!("{subject}: a provider {what}{cost}, and the work was given to another."))
        }
        AttemptState::Void { code, sentence } => match code.as_str() {
            "returned" | "cancelled" => None,
            "vanished" => {
                Some(format!("{subject}: a machine went offline while working; another took over."))
            }
            "expired" => {
                Some(format!("{subject}: a machine was too slow; another took over, and it was not paid."))
            }
            _ => Some(format!("{subject}: a try failed ({}); it was not paid.", end_of(sentence))),
        },
        _ => None,
    }
}

fn end_of(sentence: &str) -> &str {
    sentence.trim_end_matches('.')
}

/// What happened to a task, oldest first, for whoever wants to know all of it.
pub(super) fn story(history: &History) -> Vec<String> {
    words::story(&history.attempts, &history.audits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn attempt(state: &serde_json::Value) -> Attempt {
        let mut whole = json!({
            "id": 7, "task": 1, "job": 1, "node": Address::default(), "provider": Address::default(), "card": 0, "price": 1,
            "reserved": 0, "pay": 0, "leased": 5, "due": 9, "committed": null, "receipt": null, "outputs": [], "epoch": null,
            "challenge": null, "newcomer": false, "dispute_until": null
        });
        for (key, value) in state.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    fn audit(verdict: &str) -> Audit {
        serde_json::from_value(json!({
            "id": 1, "attempt": 7, "task": 1, "job": 1, "part": "rerun", "state": "judged", "verdict": verdict, "node": null,
            "validator": null, "excluded": [], "created": 0, "due": 0, "commitment": null, "files": [], "work_ms": 0,
            "measurement": null, "agrees_with": [], "fee": 0
        }))
        .unwrap()
    }

    #[test]
    fn a_cheat_a_crash_and_a_quiet_life_are_told_as_they_were() {
        let cheat = attempt(
            &json!({"state": "rejected", "code": "wrong_result", "sentence": "x.", "slashed": 1_500_000_000}),
        );
        assert_eq!(
            news("frame 12", &cheat, &[audit("fail"), audit("fail")]).unwrap(),
            "Frame 12: a provider sent a wrong or cheaper result; it was caught, not paid, lost 1.50 TATAU of its own, and the \
             work was given to another."
        );
        let crash = attempt(&json!({"state": "void", "code": "crashed", "sentence": "out of memory."}));
        assert_eq!(
            news("video", &crash, &[]).unwrap(),
            "Video: a try failed (out of memory); it was not paid."
        );
        for quiet in
            [json!({"state": "accepted"}), json!({"state": "void", "code": "returned", "sentence": "s"})]
        {
            assert_eq!(news("frame 1", &attempt(&quiet), &[]), None);
        }
        assert_eq!(worker(&attempt(&json!({"state": "committed"}))).unwrap().doing, "sending its result");
        assert!(worker(&cheat).is_none());
    }
}
