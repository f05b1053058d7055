//! NVIDIA cards by the driver's library: load, heat, power, and who else computes on them.

use super::Reading;
use nvml_wrapper::{Device, Nvml, enum_wrappers::device::TemperatureSensor, error::NvmlError};
use serde::Serialize;
use std::{fmt, fs, path::Path};

/// Ancestors followed from a process to see whether it is one of ours.
const GENERATIONS: usize = 64;
/// Strangers' programs named.
const NAMED: usize = 8;

/// One card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GraphicsReading {
    /// The driver's number of the card.
    pub number: u32,
    /// Busy share, percent.
    pub load_percent: Reading<u32>,
    /// °C.
    pub celsius: Reading<u32>,
    /// Watts.
    pub watts: Reading<u32>,
    /// Names of programs that compute on it and were not started by this one.
    pub others: Reading<Vec<String>>,
}

/// The library, opened once.
#[derive(Default)]
pub(super) struct Graphics {
    library: Library,
}

#[derive(Default)]
enum Library {
    #[default]
    Unopened,
    Absent,
    Open(Box<Nvml>),
}

impl fmt::Debug for Graphics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Graphics")
    }
}

impl Graphics {
    /// All cards; none where there is no driver. A card that does not answer has failed readings, it does not vanish.
    pub fn read(&mut self, root: &Path) -> Vec<GraphicsReading> {
        if matches!(self.library, Library::Unopened) {
            self.library = match Nvml::init() {
                Ok(nvml) => Library::Open(Box::new(nvml)),
                Err(
                    NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound | NvmlError::DriverNotLoaded,
                ) => Library::Absent,
                // A driver that does not answer now may answer later.
                Err(_) => Library::Unopened,
            };
        }
        let Library::Open(nvml) = &self.library else { return Vec::new() };
        let count = nvml.device_count().unwrap_or(0);
        (0..count).map(|number| card(nvml, number, root)).collect()
    }
}

fn card(nvml: &Nvml, number: u32, root: &Path) -> GraphicsReading {
    match nvml.device_by_index(number) {
        Ok(device) => GraphicsReading {
            number,
            load_percent: shown(device.utilization_rates().map(|u| u.gpu)),
            celsius: shown(device.temperature(TemperatureSensor::Gpu)),
            watts: shown(device.power_usage().map(|milli| milli / 1_000)),
            others: shown(others(&device, root)),
        },
        Err(e) => {
            let failed = format!("the driver does not answer for this card ({e}); see nvidia-smi");
            GraphicsReading {
                number,
                load_percent: Reading::Failed(failed.clone()),
                celsius: Reading::Failed(failed.clone()),
                watts: Reading::Failed(failed.clone()),
                others: Reading::Failed(failed),
            }
        }
    }
}

fn shown<T>(read: Result<T, NvmlError>) -> Reading<T> {
    match read {
        Ok(value) => Reading::Is(value),
        Err(NvmlError::NotSupported) => Reading::NotHere("this card does not show it"),
        Err(NvmlError::NoPermission) => Reading::NotHere("only the administrator may read it here"),
        Err(e) => Reading::Failed(format!("the driver does not say ({e}); see nvidia-smi")),
    }
}

fn others(device: &Device<'_>, root: &Path) -> Result<Vec<String>, NvmlError> {
    let own = std::process::id();
    let running = device.running_compute_processes()?;
    let strangers = running.into_iter().map(|p| p.pid).filter(|pid| !descends(root, *pid, own));
    Ok(strangers.take(NAMED).map(|pid| name(root, pid)).collect())
}

fn name(root: &Path, pid: u32) -> String {
    let text = fs::read_to_string(root.join(format!("proc/{pid}/comm"))).unwrap_or_default();
    let name: String = text.trim().chars().filter(|c| !c.is_control()).take(40).collect();
    if name.is_empty() { format!("process {pid}") } else { name }
}

/// Is `pid` this process or one of its descendants?
fn descends(root: &Path, pid: u32, from: u32) -> bool {
    let mut at = pid;
    for _ in 0..GENERATIONS {
        if at == from {
            return true;
        }
        match parent(root, at) {
            Some(parent) if parent > 0 => at = parent,
            _ => return false,
        }
    }
    false
}

fn parent(root: &Path, pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(root.join(format!("proc/{pid}/stat"))).ok()?;
    // The name in brackets may hold anything; state and parent follow the last bracket.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ours_if_it_descends_from_us() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for (pid, parent, name) in
            [(10, 1, "tatau"), (20, 10, "bwrap"), (30, 20, "a) R 99 (b"), (40, 1, "game")]
        {
            fs::create_dir_all(root.join(format!("proc/{pid}"))).unwrap();
            fs::write(root.join(format!("proc/{pid}/stat")), format!("{pid} ({name}) S {parent} 1 1"))
                .unwrap();
            fs::write(root.join(format!("proc/{pid}/comm")), format!("{name}\n")).unwrap();
        }
        assert!(descends(root, 30, 10) && descends(root, 10, 10));
        assert!(!descends(root, 40, 10) && !descends(root, 50, 10));
        assert_eq!((name(root, 40), name(root, 50)), ("game".into(), "process 50".into()));
    }

    #[test]
    fn this_machine_can_be_asked() {
        let mut graphics = Graphics::default();
        for card in graphics.read(Path::new("/")) {
            assert!(card.celsius.value().is_none_or(|c| (5..120).contains(c)), "{card:?}");
        }
    }
}
