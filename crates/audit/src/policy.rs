//! How many audits an attempt needs.

use tatau_evidence::draw::Draw;
use tatau_model::{Digest, Work};

/// The answer for one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditNeed {
    /// Independent audits that must pass. Zero only where the draw spared a re-run of an established provider.
    pub passes: u32,
}

/// Newcomers: every task by two. Established: every render (and every benchmark) by one light audit, and every joining of tiles by one re-run, which costs little; other work is
/// re-run for a random share `rerun_ppm`, drawn from the challenge, so that nobody can know before committing.
pub fn need(newcomer: bool, work: &Work, challenge: &Digest, rerun_ppm: u64) -> AuditNeed {
    let passes = match (newcomer, work) {
        // A benchmark decides a card's score, moves no money, and is the first thing a node does.
        (_, Work::Benchmark) | (false, Work::Render { .. } | Work::Stitch { .. }) => 1,
        (true, _) => 2,
        (false, _) => {
            let ppm = u32::try_from(rerun_ppm.min(1_000_000)).unwrap_or(1_000_000);
            u32::from(Draw::new(challenge, "rerun").happens(ppm))
        }
    };
    AuditNeed { passes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_established_reruns_is_audited_and_every_render_is() {
        let mut audited = 0;
        for n in 0..1_000u32 {
            let mut bytes = [0u8; 32];
            bytes[..4].copy_from_slice(&n.to_be_bytes());
            let challenge = Digest(bytes);
            assert_eq!(need(false, &Work::Render { frame: 1, tile: None }, &challenge, 0).passes, 1);
            assert_eq!(need(true, &Work::Video, &challenge, 0).passes, 2);
            audited += need(false, &Work::Finish { frame: 1 }, &challenge, 200_000).passes;
        }
        assert!((150..250).contains(&audited), "{audited} of 1000 at 20%");
    }
}
