//! Cards (one GPU, or one CPU slot) and the table of classes.

use crate::Device;
use serde::{Deserialize, Serialize};

/// What sort of device a card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CardKind {
    /// A slot of CPU threads.
    Cpu,
    /// A graphics card.
    Gpu,
}

/// One card of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// CPU slot or GPU.
    pub kind: CardKind,
    /// The vendor's product name.
    pub name: String,
    /// Device memory (GPU) or memory limit of the slot (CPU), MiB.
    pub memory_mib: u64,
    /// CPU threads this slot may use.
    pub threads: u32,
    /// What a graphics card renders on, the first measured; empty where it cannot render. A CPU slot names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// Speed relative to a GTX 1080 Ti = 1000, from the platform's verified benchmark; `None` until verified.
    pub score_milli: Option<u64>,
}

/// A row of the class table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CardClass {
    /// Class name as buyers write it.
    pub name: &'static str,
    /// Least memory, MiB.
    pub memory_mib: u64,
    /// Seed score, GTX 1080 Ti = 1000. A slot's own benchmark replaces it; a graphics card has it from its own on.
    pub score_milli: u64,
    /// Gathers all cards of a vendor or an architecture that have no row of their own.
    pub family: bool,
    /// What its cards render on, the usual first.
    pub devices: &'static [Device],
    /// Where the seed score comes from.
    pub source: &'static str,
}

const OPEN_DATA: &str = "Blender Open Data medians (Cycles, CUDA/OptiX), rounded";
const ESTIMATE: &str = "estimate for a middle card of the family";
const RTX: &[Device] = &[Device::Optix, Device::Cuda];
const NVIDIA: &[Device] = &[Device::Cuda, Device::Optix];

const fn row(
    name: &'static str,
    memory_mib: u64,
    score_milli: u64,
    devices: &'static [Device],
    source: &'static str,
) -> CardClass {
    CardClass { name, memory_mib, score_milli, family: false, devices, source }
}

const fn family(
    name: &'static str,
    memory_mib: u64,
    score_milli: u64,
    devices: &'static [Device],
) -> CardClass {
    CardClass { family: true, ..row(name, memory_mib, score_milli, devices, ESTIMATE) }
}

/// The class table: name, memory, seed score, devices, source of the score. `nvidia` is every card of theirs that has no row of its own.
pub const CLASSES: &[CardClass] = &[
    row("cpu", 2_048, 40, &[Device::Cpu], "own measurement: benchmark scene on one server core"),
    row("gtx-1080-ti", 11_264, 1_000, NVIDIA, "definition"),
    row("rtx-2080-ti", 11_264, 2_600, RTX, OPEN_DATA),
    row("rtx-3060", 12_288, 2_500, RTX, OPEN_DATA),
    row("rtx-3080", 10_240, 5_000, RTX, OPEN_DATA),
    row("rtx-3090", 24_576, 5_700, RTX, OPEN_DATA),
    row("rtx-4070", 12_288, 5_400, RTX, OPEN_DATA),
    row("rtx-4090", 24_576, 11_500, RTX, OPEN_DATA),
    family("nvidia", 4_096, 2_000, NVIDIA),
    family("rdna-1", 4_096, 1_000, &[Device::Hip]),
    family("rdna-2", 4_096, 1_500, &[Device::Hip]),
    family("rdna-3", 4_096, 2_500, &[Device::Hip]),
    family("rdna-4", 8_192, 3_000, &[Device::Hip]),
];

/// The class of that name.
pub fn class(name: &str) -> Option<&'static CardClass> {
    CLASSES.iter().find(|c| c.name == name)
}

impl Card {
    /// The class this card belongs to: `cpu` for CPU slots; for a GPU the row whose name its product name contains.
    pub fn class(&self) -> Option<&'static CardClass> {
        match self.kind {
            CardKind::Cpu => class("cpu"),
            CardKind::Gpu => {
                let flat: String = self
                    .name
                    .to_lowercase()
                    .chars()
                    .map(|c| if c.is_alphanumeric() { c } else { '-' })
                    .collect();
                let cards = CLASSES.iter().filter(|class| !class.devices.contains(&Device::Cpu));
                cards.filter(|c| flat.contains(c.name)).max_by_key(|c| c.name.len())
            }
        }
    }

    /// Can anything be done on it?
    pub fn works(&self) -> bool {
        self.kind == CardKind::Cpu || !self.devices.is_empty()
    }

    /// Does it render on that device? A CPU slot on the processor, a graphics card on what was tried on it.
    pub fn renders_on(&self, device: Device) -> bool {
        match self.kind {
            CardKind::Cpu => device.is_cpu(),
            CardKind::Gpu => self.devices.contains(&device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gpu(name: &str) -> Card {
        let name = name.to_owned();
        Card { kind: CardKind::Gpu, name, memory_mib: 1, threads: 1, devices: vec![], score_milli: None }
    }

    #[test]
    fn cards_belong_to_the_row_that_names_them_most_closely() {
        for (name, wanted) in [
            ("NVIDIA GeForce RTX 3080", Some("rtx-3080")),
            ("NVIDIA GeForce GTX 1080 Ti", Some("gtx-1080-ti")),
            ("NVIDIA H100 80GB HBM3", Some("nvidia")),
            ("AMD RDNA 2 (gfx1030)", Some("rdna-2")),
            ("AMD Polaris (gfx803)", None),
            ("xcpu", None),
        ] {
            assert_eq!(gpu(name).class().map(|class| class.name), wanted, "{name}");
        }
    }

    #[test]
    fn a_card_renders_on_what_was_tried_on_it() {
        let mut card = gpu("NVIDIA GeForce RTX 3080");
        assert!(!card.renders_on(Device::Cuda) && !card.renders_on(Device::Cpu));
        card.devices = vec![Device::Cuda];
        assert!(card.renders_on(Device::Cuda) && !card.renders_on(Device::Optix));
        card.kind = CardKind::Cpu;
        assert!(card.renders_on(Device::Cpu) && !card.renders_on(Device::Cuda));
    }
}
