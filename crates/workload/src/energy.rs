//! What work costs in energy, where nobody measured it: a card's rated power times the seconds that its work is billed for. Pure.
//!
//! An estimate of the chips alone: no cooling, no rest of the machine, no idle hours. Method and sources: docs/economics.md.

use tatau_model::card::{CLASSES, CardClass, class};

/// Grams of CO₂ a kilowatt-hour: the world's mean of 2024 (IEA, Electricity 2025, chapter Emissions). Where a machine stands is not
/// known, so its own grid is not known either.
pub const GRID_GRAMS_PER_KWH: f64 = 445.0;
/// Joules in a kilowatt-hour.
const KWH_J: f64 = 3_600_000.0;

/// Rated power of each class, watts. Graphics cards: the vendor's board power. `cpu`, one core: a share of the processor's rated
/// power, AMD EPYC 9654: 360 W for 96 cores.
const WATTS: &[(&str, f64)] = &[
    ("cpu", 3.75),
    ("gtx-1080-ti", 250.0),
    ("rtx-2080-ti", 250.0),
    ("rtx-3060", 170.0),
    ("rtx-3080", 320.0),
    ("rtx-3090", 350.0),
    ("rtx-4070", 200.0),
    ("rtx-4090", 450.0),
];

/// Rated power of a class, watts.
pub fn watts(class: &CardClass) -> Option<f64> {
    WATTS.iter().find(|(name, _)| *name == class.name).map(|(_, watts)| *watts)
}

/// Joules of so much work on a card of that class. The class's own score counts, because a CPU slot of many cores draws as much
/// more as it is faster.
pub fn joules(class: &CardClass, reference_ms: u64) -> Option<f64> {
    let seconds = reference_ms as f64 / class.score_milli.max(1) as f64;
    Some(watts(class)? * seconds)
}

/// Joules of the same work on processors.
pub fn joules_on_cpus(reference_ms: u64) -> f64 {
    class("cpu").and_then(|cpu| joules(cpu, reference_ms)).unwrap_or(0.0)
}

/// Grams of CO₂ of so many joules.
pub fn grams(joules: f64) -> f64 {
    joules / KWH_J * GRID_GRAMS_PER_KWH
}

/// Every class of one model has its power.
pub fn complete() -> bool {
    CLASSES.iter().all(|class| class.family || watts(class).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joules_are_watts_times_seconds() {
        assert!(complete());
        // A reference hour: 25 cores for an hour at 3.75 W, or a 1080 Ti for an hour at 250 W.
        let hour = 3_600_000;
        assert_eq!(joules_on_cpus(hour), 25.0 * 3_600.0 * 3.75);
        assert_eq!(joules(class("gtx-1080-ti").unwrap(), hour), Some(250.0 * 3_600.0));
        assert!(joules(class("rtx-4090").unwrap(), hour).unwrap() < joules_on_cpus(hour));
        assert_eq!(grams(KWH_J), GRID_GRAMS_PER_KWH);
    }
}
