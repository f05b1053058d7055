//! What the processor draws, and where the machine's power comes from.

use super::{Reading, Supply, folders, line};
use std::{
    io::ErrorKind,
    path::Path,
    time::{Duration, Instant},
};

/// Readings closer together than this would mostly measure the clock.
const LEAST: Duration = Duration::from_millis(400);

/// The processor's energy counters at a moment.
#[derive(Debug, Clone)]
pub(super) struct Energy {
    at: Instant,
    /// Microjoules of each package, and where its counter begins again.
    packages: Vec<(u64, u64)>,
    watts: Option<u32>,
}

/// Mean draw of all processor packages since the last call (RAPL).
pub(super) fn watts(root: &Path, last: &mut Option<Energy>) -> Reading<u32> {
    let zones = folders(&root.join("sys/class/powercap"), |name| {
        name.strip_prefix("intel-rapl:").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    });
    let mut packages = Vec::new();
    for zone in zones {
        if !line(&zone.join("name")).is_ok_and(|name| name.starts_with("package")) {
            continue;
        }
        let number = |name| line(&zone.join(name)).map(|text| text.parse::<u64>());
        match (number("energy_uj"), number("max_energy_range_uj")) {
            (Ok(Ok(energy)), Ok(Ok(range))) => packages.push((energy, range)),
            (Err(e), _) if e.kind() == ErrorKind::PermissionDenied => {
                return Reading::NotHere("only the administrator may read the processor's power here");
            }
            (Err(e), _) | (_, Err(e)) => {
                return Reading::Failed(format!("the processor's power meter cannot be read: {e}"));
            }
            _ => return Reading::Failed("the processor's power meter shows no number".into()),
        }
    }
    if packages.is_empty() {
        return Reading::NotHere("this machine does not measure what the processor draws");
    }
    let at = Instant::now();
    let before = last.take();
    let watts = match &before {
        Some(before) if at.duration_since(before.at) < LEAST => {
            let shown = before.watts;
            *last = Some(before.clone());
            return shown.map_or(Reading::NotHere("measured from the next moment on"), Reading::Is);
        }
        Some(before) => mean(&before.packages, &packages, at.duration_since(before.at)),
        None => None,
    };
    *last = Some(Energy { at, packages, watts });
    watts.map_or(Reading::NotHere("measured from the next moment on"), Reading::Is)
}

/// Watts between two sets of counters; a counter that is lower than before has begun again.
fn mean(before: &[(u64, u64)], now: &[(u64, u64)], between: Duration) -> Option<u32> {
    if before.len() != now.len() {
        return None;
    }
    let spent = before.iter().zip(now).map(|((old, _), (new, range))| {
        new.checked_sub(*old).unwrap_or_else(|| new.saturating_add(range.saturating_sub(*old)))
    });
    let micro_joules = spent.sum::<u64>();
    let watts = u128::from(micro_joules).checked_div(between.as_micros())?;
    u32::try_from(watts).ok()
}

/// Batteries of the machine itself and its plug; those of mice and phones do not count.
pub(super) fn supply(root: &Path) -> Reading<Supply> {
    let (mut plugged, mut battery, mut failed) = (false, None, None);
    for supply in folders(&root.join("sys/class/power_supply"), |_| true) {
        let text = |name| line(&supply.join(name));
        if text("scope").is_ok_and(|scope| scope == "Device") {
            continue;
        }
        match text("type").as_deref() {
            Ok("Mains" | "USB") => plugged |= text("online").is_ok_and(|online| online == "1"),
            Ok("Battery") => match text("status") {
                Ok(status) => {
                    let percent = text("capacity").ok().and_then(|percent| percent.parse::<u8>().ok());
                    let drains = status == "Discharging";
                    let before = battery.is_some_and(|(drains, _)| drains);
                    battery = Some((drains || before, percent));
                }
                Err(e) => failed = Some(format!("the battery {} cannot be read: {e}", supply.display())),
            },
            _ => {}
        }
    }
    match (plugged, battery, failed) {
        (false, Some((true, percent)), _) => Reading::Is(Supply::Battery(percent)),
        (false, _, Some(why)) => Reading::Failed(why),
        (true, ..) | (false, Some((false, _)), None) => Reading::Is(Supply::Mains),
        (false, None, None) => Reading::NotHere("this machine has no battery"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn watts_are_energy_over_time_also_where_a_counter_begins_again() {
        let second = Duration::from_secs(1);
        assert_eq!(mean(&[(5, 100)], &[(65_000_005, 100)], second), Some(65));
        assert_eq!(mean(&[(90_000_000, 100_000_000)], &[(30_000_000, 100_000_000)], second), Some(40));
        assert_eq!(mean(&[(0, 9), (0, 9)], &[(10_000_000, 9), (20_000_000, 9)], second * 2), Some(15));
        assert_eq!(mean(&[(0, 9)], &[(1, 9), (1, 9)], second), None);
    }

    #[test]
    fn a_machine_without_a_meter_draws_an_unknown_number_of_watts() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let mut last = None;
        assert!(matches!(watts(root, &mut last), Reading::NotHere(_)));
        put(root, "sys/class/powercap/intel-rapl:0/name", "package-0\n");
        put(root, "sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
        put(root, "sys/class/powercap/intel-rapl:0/energy_uj", "1000000\n");
        put(root, "sys/class/powercap/intel-rapl:0:0/name", "core\n");
        put(root, "sys/class/powercap/intel-rapl:0:0/energy_uj", "nonsense\n");
        assert!(matches!(watts(root, &mut last), Reading::NotHere(_)), "one look is no power");
        last.as_mut().unwrap().at -= Duration::from_secs(2);
        put(root, "sys/class/powercap/intel-rapl:0/energy_uj", "131000000\n");
        let Reading::Is(shown) = watts(root, &mut last) else { panic!() };
        assert!((60..=65).contains(&shown), "130 J in two seconds and a moment: {shown}");
        assert_eq!(watts(root, &mut last), Reading::Is(shown), "too soon for another");
        put(root, "sys/class/powercap/intel-rapl:0/energy_uj", "?\n");
        assert!(matches!(watts(root, &mut last), Reading::Failed(_)));
    }

    #[test]
    fn a_plug_a_battery_and_a_mouse() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert!(matches!(supply(root), Reading::NotHere(_)));
        put(root, "sys/class/power_supply/hidpp_battery_0/type", "Battery\n");
        put(root, "sys/class/power_supply/hidpp_battery_0/scope", "Device\n");
        put(root, "sys/class/power_supply/hidpp_battery_0/status", "Discharging\n");
        assert!(matches!(supply(root), Reading::NotHere(_)), "a mouse");
        put(root, "sys/class/power_supply/BAT0/type", "Battery\n");
        put(root, "sys/class/power_supply/BAT0/status", "Discharging\n");
        put(root, "sys/class/power_supply/BAT0/capacity", "57\n");
        put(root, "sys/class/power_supply/AC/type", "Mains\n");
        put(root, "sys/class/power_supply/AC/online", "0\n");
        assert_eq!(supply(root), Reading::Is(Supply::Battery(Some(57))));
        put(root, "sys/class/power_supply/AC/online", "1\n");
        assert_eq!(supply(root), Reading::Is(Supply::Mains));
        put(root, "sys/class/power_supply/AC/online", "0\n");
        fs::remove_file(root.join("sys/class/power_supply/BAT0/status")).unwrap();
        assert!(matches!(supply(root), Reading::Failed(_)));
    }
}
