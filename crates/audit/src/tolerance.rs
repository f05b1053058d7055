//! Tolerances per kind of work, and the verdict on one measurement.

use tatau_model::{AuditWork, Device, Measurement, Verdict, Work};

/// What still counts as the same result; shares in ppm of the compared values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// At most this share differs by more than 1e-3, relatively: pass.
    pub pass_over_1e3_ppm: u32,
    /// At most this relative L1 distance: pass.
    pub pass_rel_l1_ppm: u32,
    /// More than this share differs by more than 1e-3: fail. Between the two: inconclusive.
    pub fail_over_1e3_ppm: u32,
}

impl Tolerance {
    /// Crops of a linear render. Honest renders of one build stay under 0.9% of pixels beyond 1e-3 even on another
    /// SIMD level; 31 of 32 samples exceed 2% (runtimes/blender/CALIBRATION.md).
    pub const CROPS: Self =
        Self { pass_over_1e3_ppm: 9_500, pass_rel_l1_ppm: 5_000, fail_over_1e3_ppm: 15_000 };
    /// Whole re-runs that are bit-deterministic (pictures, videos, reports): a pixel in a thousand may differ.
    pub const RERUN: Self =
        Self { pass_over_1e3_ppm: 1_000, pass_rel_l1_ppm: 1_000, fail_over_1e3_ppm: 1_000 };

    /// The tolerance for this kind of audit.
    pub fn of(work: &Work, part: &AuditWork) -> Self {
        match (part, work) {
            (AuditWork::Crops { .. }, _) => Self::CROPS,
            (AuditWork::Rerun, _) => Self::RERUN,
        }
    }
}

/// Was it measured how far honest results of this device differ? Where not, a contradiction costs the pay, and nobody's stake.
pub fn is_measured(device: Device) -> bool {
    match device {
        Device::Cpu => true,
        Device::Cuda | Device::Optix | Device::Hip => false,
    }
}

/// Faults of a measurement that are the validator's, not the claim's.
const VALIDATOR_FAULTS: &[&str] = &["crop_malformed", "validator_file", "comparator_failed"];
/// Faults that a hostile or odd scene can cause in honest hands: judged, never slashed on their own.
const SCENE_FAULTS: &[&str] = &["nan"];

/// The verdict on one measurement; the worst part decides.
pub fn verdict(work: &Work, part: &AuditWork, measured: &Measurement) -> Verdict {
    if let Some(fault) = measured.fault.as_deref() {
        return if VALIDATOR_FAULTS.contains(&fault) || SCENE_FAULTS.contains(&fault) {
            Verdict::Inconclusive
        } else {
            Verdict::Malformed
        };
    }
    if measured.parts.is_empty() || measured.parts.iter().any(|p| p.pixels == 0) {
        return Verdict::Inconclusive;
    }
    let limits = Tolerance::of(work, part);
    if measured.parts.iter().any(|p| p.over_1e3_ppm > limits.fail_over_1e3_ppm) {
        return Verdict::Fail;
    }
    let fits = measured
        .parts
        .iter()
        .all(|p| p.over_1e3_ppm <= limits.pass_over_1e3_ppm && p.rel_l1_ppm <= limits.pass_rel_l1_ppm);
    if fits { Verdict::Pass } else { Verdict::Inconclusive }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tatau_model::audit::PartMeasurement;

    fn measured(over_1e3_ppm: u32, rel_l1_ppm: u32) -> Measurement {
        let part = PartMeasurement { pixels: 600, equal_ppm: 0, over_1e3_ppm, over_1e2_ppm: 0, rel_l1_ppm };
        let clean = PartMeasurement { equal_ppm: 1_000_000, over_1e3_ppm: 0, rel_l1_ppm: 0, ..part };
        Measurement { fault: None, sentence: String::new(), parts: vec![clean, part] }
    }

    #[test]
    fn one_bad_crop_among_good_ones_fails() {
        let work = Work::Render { frame: 1, tile: None };
        let part = AuditWork::Crops { crops: vec![] };
        let of = |m: &Measurement| verdict(&work, &part, m);
        assert_eq!(of(&measured(0, 0)), Verdict::Pass);
        assert_eq!(of(&measured(9_000, 100)), Verdict::Pass);
        assert_eq!(of(&measured(12_000, 100)), Verdict::Inconclusive);
        assert_eq!(of(&measured(20_000, 100)), Verdict::Fail);
        assert_eq!(of(&measured(0, 30_000)), Verdict::Inconclusive);
    }

    #[test]
    fn no_reading_is_never_a_pass() {
        let work = Work::Render { frame: 1, tile: None };
        let part = AuditWork::Crops { crops: vec![] };
        let mut empty = measured(0, 0);
        empty.parts.clear();
        assert_eq!(verdict(&work, &part, &empty), Verdict::Inconclusive);
        let mut faulty = measured(0, 0);
        for (fault, expected) in [
            ("tiles_mismatch", Verdict::Malformed),
            ("nan", Verdict::Inconclusive),
            ("crop_malformed", Verdict::Inconclusive),
        ] {
            faulty.fault = Some(fault.into());
            assert_eq!(verdict(&work, &part, &faulty), expected, "{fault}");
        }
    }
}
