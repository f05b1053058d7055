//! What this machine has to offer: slots of CPU threads, and NVIDIA cards.

use nvml_wrapper::{Nvml, error::NvmlError};
use std::path::PathBuf;
use tatau_model::{Card, CardKind};

/// Memory that stays with the machine itself, MiB.
const KEPT_MIB: u64 = 512;
/// Least memory of a slot, MiB.
const SLOT_LEAST_MIB: u64 = 512;
/// Most slots of one node.
const MOST_SLOTS: u32 = 1_024;

/// Why the machine cannot be read or divided.
#[derive(Debug, thiserror::Error)]
pub enum CardsError {
    /// The system does not say.
    #[error("this machine's {what} cannot be read ({reason}); name it by hand")]
    Unknown {
        /// `memory`, `threads`.
        what: &'static str,
        /// The system's answer.
        reason: String,
    },
    /// The division does not come out.
    #[error("{slots} slots cannot be made of {threads} threads and {memory_mib} MiB; ask for fewer")]
    TooMany {
        /// Asked for.
        slots: u32,
        /// Threads to share.
        threads: u32,
        /// Memory to share, MiB.
        memory_mib: u64,
    },
}

/// What is shared among the CPU slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Name of the processor.
    pub processor: String,
    /// Threads that this process may use.
    pub threads: u32,
    /// Memory for tasks, MiB.
    pub memory_mib: u64,
}

/// One NVIDIA card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// The driver's number of it, which names its device node and its meters.
    pub number: u32,
    /// As it is offered.
    pub card: Card,
}

/// NVIDIA cards, and words where something is broken. A machine without their library has none, silently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpus {
    /// The cards.
    pub cards: Vec<Gpu>,
    /// One sentence each.
    pub warnings: Vec<String>,
}

impl Machine {
    /// Reads this machine, and the limits of the control group that it runs in.
    pub fn read() -> Result<Self, CardsError> {
        let unknown = |what| move |e: std::io::Error| CardsError::Unknown { what, reason: e.to_string() };
        let threads = std::thread::available_parallelism().map_err(unknown("threads"))?.get();
        let text = std::fs::read_to_string("/proc/meminfo").map_err(unknown("memory"))?;
        let all = total_mib(&text)
            .ok_or(CardsError::Unknown { what: "memory", reason: "no MemTotal in /proc/meminfo".into() })?;
        let limit = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .filter_map(|text| text.trim().parse::<u64>().ok())
            .map(|bytes| bytes >> 20)
            .fold(all, u64::min);
        Ok(Self {
            processor: processor().unwrap_or_else(|| "CPU".into()),
            threads: u32::try_from(threads).unwrap_or(u32::MAX),
            memory_mib: limit.saturating_sub(KEPT_MIB.min(limit / 4)),
        })
    }

    /// Divides threads and memory evenly among `slots`; the first slots take what is left over of the threads.
    pub fn slots(&self, slots: u32) -> Result<Vec<Card>, CardsError> {
        let memory_mib = self.memory_mib / u64::from(slots.max(1));
        if slots > self.threads.min(MOST_SLOTS) || (slots > 0 && memory_mib < SLOT_LEAST_MIB) {
            return Err(CardsError::TooMany { slots, threads: self.threads, memory_mib: self.memory_mib });
        }
        let card = |i| Card {
            kind: CardKind::Cpu,
            name: self.processor.clone(),
            memory_mib,
            threads: self.threads / slots + u32::from(i < self.threads % slots),
            score_milli: None,
        };
        Ok((0..slots).map(card).collect())
    }
}

fn total_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? >> 10)
}

fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    let name: String = line.split_once(':')?.1.trim().chars().filter(|c| !c.is_control()).take(80).collect();
    (!name.is_empty()).then_some(name)
}

/// The NVIDIA cards of this machine.
pub fn gpus() -> Gpus {
    let nvml = match Nvml::init() {
        Ok(nvml) => nvml,
        // No library, no driver: a machine without such cards.
        Err(NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound | NvmlError::DriverNotLoaded) => {
            return Gpus::default();
        }
        Err(e) => {
            let warning = format!(
                "the NVIDIA driver is installed but does not answer ({e}); its cards are not offered: see nvidia-smi"
            );
            return Gpus { cards: Vec::new(), warnings: vec![warning] };
        }
    };
    let mut found = Gpus::default();
    let count = nvml.device_count().unwrap_or_else(|e| {
        found.warnings.push(format!("the NVIDIA cards cannot be counted ({e}); none is offered"));
        0
    });
    for i in 0..count {
        match gpu(&nvml, i) {
            Ok(card) => found.cards.push(Gpu { number: i, card }),
            Err(e) => {
                found.warnings.push(format!("NVIDIA card {i} does not answer ({e}); it is not offered"));
            }
        }
    }
    found
}

fn gpu(nvml: &Nvml, i: u32) -> Result<Card, NvmlError> {
    let device = nvml.device_by_index(i)?;
    Ok(Card {
        kind: CardKind::Gpu,
        name: device.name()?.chars().filter(|c| !c.is_control()).take(80).collect(),
        memory_mib: device.memory_info()?.total >> 20,
        threads: 1,
        score_milli: None,
    })
}

/// Device nodes that a task on the GPU with this number needs, those that exist.
pub fn gpu_devices(number: u32) -> Vec<PathBuf> {
    let own = format!("/dev/nvidia{number}");
    [own.as_str(), "/dev/nvidiactl", "/dev/nvidia-uvm"]
        .iter()
        .map(PathBuf::from)
        .filter(|path| path.exists())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_share_everything_and_no_more() {
        let machine = Machine { processor: "X".into(), threads: 7, memory_mib: 6_000 };
        let slots = machine.slots(3).unwrap();
        assert_eq!(slots.iter().map(|c| c.threads).collect::<Vec<_>>(), [3, 2, 2]);
        assert!(slots.iter().all(|c| c.memory_mib == 2_000 && c.kind == CardKind::Cpu));
        assert!(machine.slots(8).is_err());
        assert!(Machine { memory_mib: 900, ..machine.clone() }.slots(2).is_err());
        assert_eq!(machine.slots(0).unwrap(), []);
    }

    #[test]
    fn this_machine_can_be_read() {
        let machine = Machine::read().unwrap();
        assert!(machine.threads >= 1 && machine.memory_mib > 100, "{machine:?}");
        assert_eq!(total_mib("MemTotal:       24684860 kB\n"), Some(24_106));
        assert_eq!(total_mib("nothing"), None);
    }
}
