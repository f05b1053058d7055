//! Graphics cards of this machine: what the system says of them, what a task on one is shown, and what was seen to render on it.
//!
//! Nothing is offered on a driver's word: a card works only by devices that rendered a picture here, in the sandbox.

mod amd;
mod nvidia;
mod trial;

pub(crate) use trial::Trial;

use std::path::{Path, PathBuf};
use tatau_model::{Card, Device};

/// What the kernel calls every card of a vendor, in `/sys/bus/pci`.
const NVIDIA_VENDOR: &str = "0x10de";
const AMD_VENDOR: &str = "0x1002";

/// One graphics card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// NVIDIA's number of it, which names its meters.
    pub number: Option<u32>,
    /// As it would be offered; its devices are those to be tried.
    pub card: Card,
    /// Device nodes that a task on it needs.
    pub nodes: Vec<PathBuf>,
    /// What else such a task has to be shown, read-only.
    pub shown: Vec<PathBuf>,
}

/// Graphics cards, and words where something lacks or nothing can be done. A machine without any has none, silently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpus {
    /// The cards.
    pub cards: Vec<Gpu>,
    /// What can be mended, one sentence each.
    pub warnings: Vec<String>,
    /// Cards that nothing will ever be rendered on, one sentence each.
    pub refused: Vec<String>,
}

/// The graphics cards of this machine.
pub fn gpus() -> Gpus {
    let sys = Path::new("/sys");
    let mut found = nvidia::cards(sys);
    let amd = amd::cards(sys, Path::new("/"));
    found.cards.extend(amd.cards);
    found.warnings.extend(amd.warnings);
    found.refused.extend(amd.refused);
    found
}

/// How many display controllers of this vendor the kernel sees; `sys` is `/sys`. None where it does not tell.
fn on_the_bus(sys: &Path, vendor: &str) -> usize {
    let Ok(slots) = std::fs::read_dir(sys.join("bus/pci/devices")) else { return 0 };
    let of = |slot: &Path, what: &str| std::fs::read_to_string(slot.join(what)).unwrap_or_default();
    slots
        .flatten()
        .map(|slot| slot.path())
        // Class 0x03….: displays, with a screen or without.
        .filter(|slot| of(slot, "vendor").trim() == vendor && of(slot, "class").starts_with("0x03"))
        .count()
}

/// Those of `devices` that cards of this class know, the usual first.
fn usual_first(card: &mut Card, devices: &[Device]) {
    let known = card.class().map_or(&[][..], |class| class.devices);
    card.devices = known.iter().copied().filter(|device| devices.contains(device)).collect();
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
