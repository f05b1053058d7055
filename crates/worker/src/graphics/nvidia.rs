//! NVIDIA cards, by the driver's library.

use super::{Gpu, Gpus, NVIDIA_VENDOR, on_the_bus, usual_first};
use nvml_wrapper::{Nvml, error::NvmlError};
use std::path::{Path, PathBuf};
use tatau_model::{Card, CardKind, Device};

/// The oldest compute capability that Blender 4.5 and 5.0 have kernels for: major number.
const OLDEST: i32 = 5;

pub(super) fn cards(sys: &Path) -> Gpus {
    let nvml = match Nvml::init() {
        Ok(nvml) => nvml,
        Err(NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound | NvmlError::DriverNotLoaded) => {
            return without_driver(sys);
        }
        Err(e) => {
            let warning = format!(
                "the NVIDIA driver is installed but does not answer ({e}); its cards are not offered: see nvidia-smi"
            );
            return Gpus { warnings: vec![warning], ..Gpus::default() };
        }
    };
    let mut found = Gpus::default();
    let count = nvml.device_count().unwrap_or_else(|e| {
        found.warnings.push(format!("the NVIDIA cards cannot be counted ({e}); none is offered"));
        0
    });
    for i in 0..count {
        match card(&nvml, i, &mut found) {
            Ok(card) => found.cards.push(card),
            Err(e) => {
                found.warnings.push(format!("NVIDIA card {i} does not answer ({e}); it is not offered"));
            }
        }
    }
    found
}

/// No library, no driver: a machine without such cards, or one that lacks the driver.
pub(super) fn without_driver(sys: &Path) -> Gpus {
    let warning = match on_the_bus(sys, NVIDIA_VENDOR) {
        0 => return Gpus::default(),
        n => format!(
            "{n} NVIDIA card{} without a driver; install NVIDIA's (Debian: nvidia-driver) and start anew to offer {}",
            if n == 1 { " is here" } else { "s are here" },
            if n == 1 { "it" } else { "them" }
        ),
    };
    Gpus { warnings: vec![warning], ..Gpus::default() }
}

/// Some drivers leave the vendor out ("Tesla T4"), by which cards without a row of their own are known.
pub(super) fn vendors(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    if name.to_lowercase().contains("nvidia") { name } else { format!("NVIDIA {name}") }
}

fn card(nvml: &Nvml, i: u32, found: &mut Gpus) -> Result<Gpu, NvmlError> {
    let device = nvml.device_by_index(i)?;
    let mut card = Card {
        kind: CardKind::Gpu,
        name: vendors(&device.name()?),
        memory_mib: device.memory_info()?.total >> 20,
        threads: 1,
        devices: Vec::new(),
        score_milli: None,
    };
    let capability = device.cuda_compute_capability()?;
    if capability.major >= OLDEST {
        usual_first(&mut card, &[Device::Cuda, Device::Optix]);
    } else {
        found.refused.push(format!(
            "the card '{}' is too old to render: Blender needs compute capability {OLDEST}.0, it has {}.{}",
            card.name, capability.major, capability.minor
        ));
    }
    let nodes: Vec<PathBuf> =
        [format!("/dev/nvidia{}", device.minor_number()?), "/dev/nvidiactl".into(), "/dev/nvidia-uvm".into()]
            .map(PathBuf::from)
            .into();
    if let Some(missing) = nodes.iter().find(|node| !node.exists()) {
        found.warnings.push(format!(
            "the card '{}' cannot compute: {} is missing; run nvidia-modprobe -u -c=0 as root",
            card.name,
            missing.display()
        ));
        card.devices.clear();
    }
    Ok(Gpu { number: Some(i), card, nodes, shown: Vec::new() })
}
