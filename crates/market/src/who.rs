//! Whom a job lets see its scene.

use tatau_model::Who;

/// What a buyer, and the platform, know of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// It is the buyer's own.
    pub own: bool,
    /// The buyer marked it as trusted.
    pub marked: bool,
    /// Its record and its stake are above the platform's line.
    pub proven: bool,
}

/// May a machine of such an account see the scene: work on it, or check work on it?
pub fn may_see(who: Who, standing: Standing) -> bool {
    let Standing { own, marked, proven } = standing;
    match who {
        Who::Any => true,
        Who::Trusted => own || marked || proven,
        Who::Own => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_circle_lies_within_the_next() {
        let all = [false, true];
        for (own, marked, proven) in all.iter().flat_map(|a| all.map(|b| all.map(|c| (*a, b, c)))).flatten() {
            let sees = |who| may_see(who, Standing { own, marked, proven });
            assert!(sees(Who::Any) && (!sees(Who::Own) || sees(Who::Trusted)));
            assert_eq!((sees(Who::Own), sees(Who::Trusted)), (own, own || marked || proven));
        }
    }
}
