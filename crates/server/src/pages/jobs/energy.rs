//! Energy and CO₂ of a job's accepted work, against the same work on processors. Measured where a receipt says so, else estimated.

use super::board::Board;
use tatau_workload::{
    energy::{GRID_GRAMS_PER_KWH, grams, joules, joules_on_cpus},
    units,
};

/// What a page says.
pub(super) struct Energy {
    pub used: String,
    pub co2: String,
    pub on_cpus: String,
    pub co2_on_cpus: String,
    /// `less`, `more`, or nothing to tell.
    pub against: Option<String>,
    /// All of it, a part of it, or nothing of it was measured.
    pub how: &'static str,
    pub grid: String,
}

/// `None` before anything was accepted.
pub(super) fn of(board: &Board) -> Option<Energy> {
    let (mut used, mut on_cpus) = (0.0, 0.0);
    let (mut measured, mut estimated) = (0u64, 0u64);
    for piece in board.pieces.values() {
        let Some(done) = &piece.done else { continue };
        let reference_ms = units::reference_ms(&piece.work, &board.job);
        on_cpus += joules_on_cpus(reference_ms);
        if done.energy_j > 0 {
            used += done.energy_j as f64;
            measured += 1;
        } else if let Some(estimate) = board.class_of(done).and_then(|class| joules(class, reference_ms)) {
            used += estimate;
            estimated += 1;
        } else {
            // A machine that is gone: as if it had been a processor.
            used += joules_on_cpus(reference_ms);
            estimated += 1;
        }
    }
    if measured + estimated == 0 {
        return None;
    }
    Some(Energy {
        used: watt_hours(used),
        co2: mass(grams(used)),
        on_cpus: watt_hours(on_cpus),
        co2_on_cpus: mass(grams(on_cpus)),
        against: against(used, on_cpus),
        how: match (measured, estimated) {
            (_, 0) => "measured by the machines",
            (0, _) => "estimated",
            _ => "partly measured, the rest estimated",
        },
        grid: format!("{GRID_GRAMS_PER_KWH:.0}"),
    })
}

fn against(used: f64, on_cpus: f64) -> Option<String> {
    const SAME: f64 = 0.02;
    if on_cpus <= 0.0 || (used / on_cpus - 1.0).abs() < SAME {
        return None;
    }
    let percent = ((used / on_cpus - 1.0) * 100.0).round();
    Some(if percent < 0.0 { format!("{} % less", -percent) } else { format!("{percent} % more") })
}

fn watt_hours(joules: f64) -> String {
    let wh = joules / 3_600.0;
    if wh < 1.0 {
        format!("{wh:.3} Wh")
    } else if wh < 1_000.0 {
        format!("{wh:.1} Wh")
    } else {
        format!("{:.2} kWh", wh / 1_000.0)
    }
}

fn mass(grams: f64) -> String {
    if grams < 1.0 {
        format!("{:.1} mg", grams * 1_000.0)
    } else if grams < 1_000.0 {
        format!("{grams:.1} g")
    } else {
        format!("{:.2} kg", grams / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_comparisons_honest() {
        assert_eq!(watt_hours(360.0), "0.100 Wh");
        assert_eq!(watt_hours(7_200_000.0), "2.00 kWh");
        assert_eq!(mass(0.0123), "12.3 mg");
        assert_eq!(against(50.0, 100.0).unwrap(), "50 % less");
        assert_eq!(against(250.0, 100.0).unwrap(), "150 % more");
        assert_eq!(against(100.0, 100.5), None);
    }
}
