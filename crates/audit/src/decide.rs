//! From several judged audits of one attempt to a decision.
//!
//! Slash only on agreement: two independently drawn re-computations must both contradict the claim *and* agree with
//! each other. If re-computations disagree among themselves, nobody is slashed.

use tatau_model::{AuditId, Verdict};

/// One judged audit, reduced to what the decision needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Its number.
    pub id: AuditId,
    /// The comparator's verdict against the claim.
    pub verdict: Verdict,
    /// Audits of the same attempt whose re-computation agrees with this one's.
    pub agrees_with: Vec<AuditId>,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This many audits more must be open or under way.
    More(u32),
    /// The claim stands.
    Accept,
    /// The claim is wrong; these audits prove it.
    Reject(Vec<AuditId>),
    /// No agreement: pay is withheld, nobody is slashed.
    Withhold,
}

/// Decides on `judged` where `passes` audits must pass and at most `max` audits are made.
pub fn decide(passes: u32, max: u32, judged: &[Judged]) -> Decision {
    if let Some(malformed) = judged.iter().find(|j| j.verdict == Verdict::Malformed) {
        return Decision::Reject(vec![malformed.id]);
    }
    let passed = judged.iter().filter(|j| j.verdict == Verdict::Pass).count() as u32;
    let failed: Vec<&Judged> = judged.iter().filter(|j| j.verdict == Verdict::Fail).collect();
    for (i, one) in failed.iter().enumerate() {
        let mut provers = vec![one.id];
        provers.extend(failed[i + 1..].iter().filter(|o| agree(one, o)).map(|o| o.id));
        if provers.len() >= 2 && provers.len() as u32 > passed {
            return Decision::Reject(provers);
        }
    }
    let contradicted = failed.len() as u32;
    if contradicted == 0 && passed >= passes {
        return Decision::Accept;
    }
    if contradicted > 0 && passed >= passes.max(2) && passed > contradicted {
        return Decision::Accept;
    }
    if judged.len() as u32 >= max {
        return Decision::Withhold;
    }
    let more = if contradicted == 0 { passes - passed } else { 1 };
    Decision::More(more.min(max - judged.len() as u32))
}

fn agree(a: &Judged, b: &Judged) -> bool {
    a.agrees_with.contains(&b.id) || b.agrees_with.contains(&a.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Fail, Inconclusive, Malformed, Pass};

    fn judged(id: u64, verdict: Verdict, agrees: &[u64]) -> Judged {
        Judged { id: AuditId(id), verdict, agrees_with: agrees.iter().map(|n| AuditId(*n)).collect() }
    }

    #[test]
    fn one_contradiction_never_slashes() {
        assert_eq!(decide(1, 5, &[judged(1, Fail, &[])]), Decision::More(1));
        assert_eq!(
            decide(1, 5, &[judged(1, Fail, &[]), judged(2, Fail, &[])]),
            Decision::More(1),
            "no agreement"
        );
        let both = [judged(1, Fail, &[]), judged(2, Fail, &[1])];
        assert_eq!(decide(1, 5, &both), Decision::Reject(vec![AuditId(1), AuditId(2)]));
    }

    #[test]
    fn a_lone_liar_among_validators_does_not_stop_honest_work() {
        assert_eq!(decide(1, 5, &[judged(1, Fail, &[]), judged(2, Pass, &[])]), Decision::More(1));
        let outvoted = [judged(1, Fail, &[]), judged(2, Pass, &[]), judged(3, Pass, &[])];
        assert_eq!(decide(1, 5, &outvoted), Decision::Accept);
    }

    #[test]
    fn endless_disagreement_withholds() {
        let all: Vec<Judged> = (1..=5).map(|n| judged(n, Inconclusive, &[])).collect();
        assert_eq!(decide(2, 5, &all), Decision::Withhold);
        assert_eq!(decide(2, 5, &all[..2]), Decision::More(2));
    }

    #[test]
    fn what_contradicts_its_own_receipt_needs_no_second_opinion() {
        assert_eq!(decide(2, 5, &[judged(4, Malformed, &[])]), Decision::Reject(vec![AuditId(4)]));
    }

    #[test]
    fn newcomers_need_two_passes() {
        assert_eq!(decide(2, 5, &[]), Decision::More(2));
        assert_eq!(decide(2, 5, &[judged(1, Pass, &[])]), Decision::More(1));
        assert_eq!(decide(2, 5, &[judged(1, Pass, &[]), judged(2, Pass, &[])]), Decision::Accept);
    }
}
