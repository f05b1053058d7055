//! CPU seconds of this process by the names of its threads.

use crate::crowd::Any;
use std::{collections::BTreeMap, fs};

/// Clock ticks a second in `/proc`; the same on every Linux.
const TICKS: f64 = 100.0;

/// Seconds of every thread that lives, added up by name.
pub fn cpu() -> Any<BTreeMap<String, f64>> {
    let mut sums = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task")? {
        let stat = fs::read_to_string(task?.path().join("stat"))?;
        let (head, tail) = stat.rsplit_once(')').ok_or("a thread's stat has no name")?;
        let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
        let ticks: f64 =
            tail.split_whitespace().skip(11).take(2).map(|t| t.parse::<f64>().unwrap_or(f64::NAN)).sum();
        *sums.entry(name).or_default() += ticks / TICKS;
    }
    Ok(sums)
}

/// Seconds that the threads of this name spent between two looks.
pub fn between(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>, name: &str) -> f64 {
    let at = |sums: &BTreeMap<String, f64>| sums.get(name).copied().unwrap_or_default();
    at(after) - at(before)
}
