//! Plain words for buyers and account holders: what happened to a task, why money moved. Pure.

use tatau_model::{Address, Attempt, AttemptState, Audit, AuditState, EntryKind, Verdict};

/// The first digits of an address.
pub(crate) fn short(address: &Address) -> String {
    let whole = address.to_string();
    format!("{}…", &whole[..8])
}

/// One line an attempt, oldest first. `audits` are those of the attempts given, in any order.
pub(crate) fn story(attempts: &[Attempt], audits: &[Audit]) -> Vec<String> {
    attempts.iter().map(|attempt| line(attempt, audits)).collect()
}

fn line(attempt: &Attempt, audits: &[Audit]) -> String {
    if let Some(from) = attempt.copy_of {
        return format!("taken over from {from} of an earlier job of yours; nothing was paid");
    }
    let who = format!("{} by {}", attempt.id, short(&attempt.provider));
    let judged = |wanted: Verdict| {
        let is = |a: &&Audit| a.attempt == attempt.id && a.state == AuditState::Judged { verdict: wanted };
        audits.iter().filter(is).count()
    };
    match &attempt.state {
        AttemptState::Leased => format!("{who}: is working on it"),
        AttemptState::Committed => format!("{who}: signed its receipt; its files are on their way"),
        AttemptState::Delivered => match judged(Verdict::Pass) {
            0 => format!("{who}: delivered; audits are under way"),
            n => format!("{who}: delivered; {} agreed so far, more are under way", count(n, "audit")),
        },
        AttemptState::Accepted => match judged(Verdict::Pass) {
            0 => format!("{who}: accepted; the draw asked for no audit"),
            n => format!("{who}: accepted; {} agreed with it", count(n, "audit")),
        },
        AttemptState::Rejected { code, sentence, slashed } => {
            let what = match (code.as_str(), judged(Verdict::Fail)) {
                ("wrong_result", n) if n > 0 => {
                    format!("sent a result that {} contradicted", count(n, "audit"))
                }
                _ => format!("was refused: {}", end_of(sentence)),
            };
            if slashed.is_positive() {
                format!("{who}: {what}; it was not paid, and {slashed} TATAU were taken from it")
            } else {
                format!("{who}: {what}; it was not paid")
            }
        }
        AttemptState::Void { code, sentence } => match code.as_str() {
            "returned" => format!("{who}: gave the task back"),
            _ => format!("{who}: ended without a result: {}", end_of(sentence)),
        },
    }
}

fn count(n: usize, noun: &str) -> String {
    const NAMES: [&str; 6] = ["no", "one", "two", "three", "four", "five"];
    let number = NAMES.get(n).map_or_else(|| n.to_string(), |name| (*name).to_owned());
    format!("{number} {noun}{}", if n == 1 { "" } else { "s" })
}

fn end_of(sentence: &str) -> &str {
    sentence.trim_end_matches('.')
}

/// Why money moved: a word for programs and a sentence for people.
pub(crate) fn entry(kind: &EntryKind) -> (&'static str, String) {
    match kind {
        EntryKind::Credit { .. } => ("credit", "starter credit of this local server".into()),
        EntryKind::Float => ("float", "the operator's float for audits".into()),
        EntryKind::Escrow { job } => ("escrow", format!("the cap of {job} moved to its escrow")),
        EntryKind::Hold { attempt } => ("hold", format!("{attempt} was leased: price held, stake reserved")),
        EntryKind::Post { attempt } => {
            ("post", format!("{attempt} was accepted: paid, the fee taken, the rest returned"))
        }
        EntryKind::Release { attempt } => {
            ("release", format!("{attempt} ended without pay: price and stake returned"))
        }
        EntryKind::Settle { attempt } => {
            ("settle", format!("the dispute window of {attempt} closed: pay and stake are free"))
        }
        EntryKind::Slash { attempt } => {
            ("slash", format!("{attempt} was judged wrong: stake and unsettled pay taken"))
        }
        EntryKind::AuditFee { audit } => ("audit_fee", format!("{audit} was paid")),
        EntryKind::Refund { job } => ("refund", format!("what {job} did not use was returned")),
        EntryKind::Stake { .. } => ("stake", "stake was put up".into()),
        EntryKind::Unbond { .. } => ("unbond", "stake started its way out".into()),
        EntryKind::Unbonded { .. } => ("unbonded", "unbonded stake is free".into()),
        #[allow(unreachable_patterns)]
        _ => ("other", "another movement".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_model::{Amount, AttemptId, JobId, Millis, TaskId};

    fn attempt(id: u64, state: AttemptState) -> Attempt {
        Attempt {
            id: AttemptId(id),
            task: TaskId(1),
            job: JobId(1),
            node: Address([3; 20]),
            provider: Address([0x12; 20]),
            card: 0,
            state,
            price: Amount(10),
            reserved: Amount(0),
            pay: Amount(0),
            leased: Millis(0),
            due: Millis(1),
            committed: None,
            receipt: None,
            outputs: vec![],
            epoch: None,
            challenge: None,
            newcomer: false,
            dispute_until: None,
            copy_of: None,
        }
    }

    #[test]
    fn a_caught_cheat_is_told_in_plain_words() {
        let slashed = Amount(1_200_000_000);
        let state = AttemptState::Rejected { code: "wrong_result".into(), sentence: "x.".into(), slashed };
        let one = attempt(7, state);
        let audit = |id, verdict| -> Audit {
            serde_json::from_value(serde_json::json!({
                "id": id, "attempt": 7, "task": 1, "job": 1, "part": "rerun", "state": "judged", "verdict": verdict,
                "node": null, "validator": null, "excluded": [], "created": 0, "due": 0, "commitment": null,
                "files": [], "work_ms": 0, "measurement": null, "agrees_with": [], "fee": 0
            }))
            .unwrap()
        };
        let told = story(&[one], &[audit(1, "fail"), audit(2, "fail")]);
        assert_eq!(
            told,
            [
                "attempt-7 by 0x121212…: sent a result that two audits contradicted; it was not paid, and 1.20 TATAU \
              were taken from it"
            ]
        );
        let back = AttemptState::Void { code: "returned".into(), sentence: "s".into() };
        assert_eq!(story(&[attempt(8, back)], &[]), ["attempt-8 by 0x121212…: gave the task back"]);
    }
}
