//! Load and heat of the processor.

use super::{Reading, folders, line};
use std::path::Path;

/// Sensors that sit in or on a processor.
const CHIPS: [&str; 8] =
    ["coretemp", "k10temp", "k8temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal", "acpitz"];
const ZONES: [&str; 4] = ["x86_pkg_temp", "cpu-thermal", "cpu_thermal", "acpitz"];
/// What a sensor shows beyond these is no temperature of a running processor, °C.
const CREDIBLE: std::ops::RangeInclusive<i64> = 1..=150;

/// The kernel's counters of CPU time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks {
    busy: u64,
    all: u64,
}

/// Busy share since the last call, percent.
pub(super) fn load(root: &Path, last: &mut Option<Ticks>) -> Reading<u32> {
    let now = match std::fs::read_to_string(root.join("proc/stat")) {
        Ok(text) => ticks(&text),
        Err(e) => return Reading::Failed(format!("/proc/stat cannot be read: {e}")),
    };
    let Some(now) = now else { return Reading::Failed("/proc/stat has no line of all processors".into()) };
    let Some(before) = last.replace(now) else { return Reading::NotHere("measured from the next moment on") };
    let (busy, all) = (now.busy.saturating_sub(before.busy), now.all.saturating_sub(before.all));
    match busy.checked_mul(100).and_then(|busy| busy.checked_div(all)) {
        Some(percent) => Reading::Is(u32::try_from(percent.min(100)).unwrap_or(100)),
        None => Reading::NotHere("measured from the next moment on"),
    }
}

fn ticks(stat: &str) -> Option<Ticks> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // user nice system idle iowait irq softirq steal; guests are counted in user already.
    let parts: Vec<u64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let idle = parts.get(3)? + parts.get(4)?;
    let all = parts.iter().sum::<u64>();
    Some(Ticks { busy: all - idle, all })
}

/// The hottest sensor of the processor.
pub(super) fn celsius(root: &Path) -> Reading<u32> {
    let mut sensors = Vec::new();
    for chip in folders(&root.join("sys/class/hwmon"), |name| name.starts_with("hwmon")) {
        if line(&chip.join("name")).is_ok_and(|name| CHIPS.contains(&name.as_str())) {
            let input = |name: &str| name.starts_with("temp") && name.ends_with("_input");
            sensors.extend(folders(&chip, input));
        }
    }
    if sensors.is_empty() {
        for zone in folders(&root.join("sys/class/thermal"), |name| name.starts_with("thermal_zone")) {
            if line(&zone.join("type")).is_ok_and(|kind| ZONES.contains(&kind.as_str())) {
                sensors.push(zone.join("temp"));
            }
        }
    }
    let mut hottest = None;
    let mut failed = None;
    for sensor in sensors {
        match line(&sensor).map(|text| text.parse::<i64>()) {
            Ok(Ok(milli)) if CREDIBLE.contains(&(milli / 1_000)) => {
                hottest = hottest.max(u32::try_from(milli / 1_000).ok());
            }
            // A sensor that shows nothing sensible is not connected.
            Ok(_) => {}
            Err(e) => {
                failed = Some(format!("the temperature sensor {} cannot be read: {e}", sensor.display()));
            }
        }
    }
    match (hottest, failed) {
        (Some(celsius), _) => Reading::Is(celsius),
        (None, Some(why)) => Reading::Failed(why),
        (None, None) => Reading::NotHere("this machine shows no processor temperature"),
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
    fn load_is_what_was_busy_between_two_readings() {
        let dir = tempfile::tempdir().unwrap();
        let mut last = None;
        put(dir.path(), "proc/stat", "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 1 1\n");
        assert!(matches!(load(dir.path(), &mut last), Reading::NotHere(_)));
        put(dir.path(), "proc/stat", "cpu  160 0 115 715 110 0 0 0 90 0\n");
        assert_eq!(load(dir.path(), &mut last), Reading::Is(75));
        put(dir.path(), "proc/stat", "cpu  x\n");
        assert!(matches!(load(dir.path(), &mut last), Reading::Failed(_)));
    }

    #[test]
    fn the_hottest_sensor_of_the_processor_counts_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert!(matches!(celsius(root), Reading::NotHere(_)));
        put(root, "sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
        put(root, "sys/class/thermal/thermal_zone0/temp", "48000\n");
        assert_eq!(celsius(root), Reading::Is(48));
        put(root, "sys/class/hwmon/hwmon0/name", "nvme\n");
        put(root, "sys/class/hwmon/hwmon0/temp1_input", "91000\n");
        put(root, "sys/class/hwmon/hwmon1/name", "k10temp\n");
        put(root, "sys/class/hwmon/hwmon1/temp1_input", "61500\n");
        put(root, "sys/class/hwmon/hwmon1/temp3_input", "64250\n");
        put(root, "sys/class/hwmon/hwmon1/temp4_input", "-273000\n");
        assert_eq!(celsius(root), Reading::Is(64));
    }

    #[test]
    fn a_sensor_that_cannot_be_read_has_failed_and_is_not_zero() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "sys/class/hwmon/hwmon1/name", "coretemp\n");
        // A folder in place of the file: reading it is an error, whoever reads.
        fs::create_dir_all(dir.path().join("sys/class/hwmon/hwmon1/temp1_input")).unwrap();
        assert!(matches!(celsius(dir.path()), Reading::Failed(_)));
    }
}
