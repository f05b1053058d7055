//! What this machine has to offer: slots of CPU threads.

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
            devices: Vec::new(),
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
