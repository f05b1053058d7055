//! AMD cards, by what the kernel's compute driver (amdgpu, KFD) says of them in `/sys`.

use super::{AMD_VENDOR, Gpu, Gpus, on_the_bus, usual_first};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};
use tatau_model::{Card, CardKind, Device};

/// Where the driver lists its nodes, below `/sys`.
const TOPOLOGY: &str = "class/kfd/kfd/topology/nodes";
/// The driver's device node, and where the runtime for HIP is installed where not among the system's libraries, both below `/`.
const COMPUTE: &str = "dev/kfd";
const ROCM: &str = "opt/rocm";
/// Nodes of one machine that are looked at.
const MOST: usize = 256;

/// `sys` is `/sys`, `root` is `/`.
pub(super) fn cards(sys: &Path, root: &Path) -> Gpus {
    let mut found = Gpus::default();
    let Ok(nodes) = fs::read_dir(sys.join(TOPOLOGY)) else {
        match on_the_bus(sys, AMD_VENDOR) {
            0 => {}
            n => found.warnings.push(format!(
                "{n} AMD graphics card{} without the compute driver (amdgpu with KFD); without it nothing renders on {}",
                if n == 1 { " is here" } else { "s are here" },
                if n == 1 { "it" } else { "them" }
            )),
        }
        return found;
    };
    let mut nodes: Vec<PathBuf> = nodes.flatten().take(MOST).map(|node| node.path()).collect();
    nodes.sort();
    for node in nodes {
        let Some(properties) = properties(&node.join("properties")) else { continue };
        // Processors are nodes, too, and have no such version.
        let Some(version) = properties.get("gfx_target_version").copied().filter(|v| *v > 0) else {
            continue;
        };
        let render_minor = properties.get("drm_render_minor").copied();
        let Some(memory_mib) = memory_mib(&node) else {
            found.warnings.push(format!("{} does not tell its memory; it is not offered", node.display()));
            continue;
        };
        let gpu = card(version, memory_mib, render_minor, sys, root);
        if gpu.card.devices.is_empty() {
            found.refused.push(format!(
                "the card '{}' cannot render: Blender's HIP kernels are for RDNA (Radeon RX 5000) and newer",
                gpu.card.name
            ));
        } else if let Some(missing) = gpu.nodes.iter().find(|node| !node.exists()) {
            found.warnings.push(format!(
                "the card '{}' cannot compute: {} is missing",
                gpu.card.name,
                missing.display()
            ));
            found.cards.push(Gpu { card: Card { devices: Vec::new(), ..gpu.card }, ..gpu });
            continue;
        }
        found.cards.push(gpu);
    }
    found
}

/// `version` is major × 10,000 + minor × 100 + stepping, as the driver writes it.
fn card(version: u64, memory_mib: u64, render_minor: Option<u64>, sys: &Path, root: &Path) -> Gpu {
    let (major, minor, stepping) = (version / 10_000, version / 100 % 100, version % 100);
    let family = match (major, minor) {
        (..=8, _) => "Polaris or older",
        (9, _) => "Vega or CDNA",
        (10, ..3) => "RDNA 1",
        (10, _) => "RDNA 2",
        (11, _) => "RDNA 3",
        (12, _) => "RDNA 4",
        _ => "unknown family",
    };
    let mut card = Card {
        kind: CardKind::Gpu,
        name: format!("AMD {family} (gfx{major}{minor:x}{stepping:x})"),
        memory_mib,
        threads: 1,
        devices: Vec::new(),
        score_milli: None,
    };
    usual_first(&mut card, &[Device::Hip]);
    let mut nodes = vec![root.join(COMPUTE)];
    nodes.extend(render_minor.map(|minor| root.join(format!("dev/dri/renderD{minor}"))));
    let mut shown = vec![sys.join("class/kfd"), sys.join("devices/virtual/kfd")];
    shown.extend(render_minor.map(|minor| sys.join(format!("dev/char/226:{minor}"))));
    shown.push(root.join(ROCM));
    Gpu { number: None, card, nodes, shown }
}

/// Lines of a word and a number.
fn properties(file: &Path) -> Option<HashMap<String, u64>> {
    let text = fs::read_to_string(file).ok()?;
    let line = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        Some((key.to_owned(), value.trim().parse().ok()?))
    };
    Some(text.lines().filter_map(line).collect())
}

/// The largest of its memories; `None` where none can be read.
fn memory_mib(node: &Path) -> Option<u64> {
    let banks = fs::read_dir(node.join("mem_banks")).ok()?;
    let size =
        |bank: fs::DirEntry| properties(&bank.path().join("properties"))?.get("size_in_bytes").copied();
    Some(banks.flatten().filter_map(size).max()? >> 20)
}
