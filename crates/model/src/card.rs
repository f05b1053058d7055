//! Cards (one GPU, or one CPU slot) and the table of classes.

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
    /// Seed score, GTX 1080 Ti = 1000; a card's own benchmark replaces it.
    pub score_milli: u64,
    /// Where the seed score comes from.
    pub source: &'static str,
}

const OPEN_DATA: &str =
    "Blender Open Data medians (Cycles, CUDA/OptiX), rounded; replaced by each card's own benchmark";

/// The class table: name, memory, seed score, source of the score.
pub const CLASSES: &[CardClass] = &[
    CardClass {
        name: "cpu",
        memory_mib: 2_048,
        score_milli: 40,
        source: "own measurement: benchmark scene on one server core",
    },
    CardClass { name: "gtx-1080-ti", memory_mib: 11_264, score_milli: 1_000, source: "definition" },
    CardClass { name: "rtx-2080-ti", memory_mib: 11_264, score_milli: 2_600, source: OPEN_DATA },
    CardClass { name: "rtx-3060", memory_mib: 12_288, score_milli: 2_500, source: OPEN_DATA },
    CardClass { name: "rtx-3080", memory_mib: 10_240, score_milli: 5_000, source: OPEN_DATA },
    CardClass { name: "rtx-3090", memory_mib: 24_576, score_milli: 5_700, source: OPEN_DATA },
    CardClass { name: "rtx-4070", memory_mib: 12_288, score_milli: 5_400, source: OPEN_DATA },
    CardClass { name: "rtx-4090", memory_mib: 24_576, score_milli: 11_500, source: OPEN_DATA },
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
                CLASSES.iter().filter(|c| flat.contains(c.name)).max_by_key(|c| c.name.len())
            }
        }
    }
}
