//! What an inspection says, in the words of the person who made the scene. Pure.

use tatau_model::{Device, Strategy};
use tatau_workload::inspection::Report;

/// Names of layers or cameras that are listed.
const SHOWN_NAMES: usize = 6;

/// What sort of file a scene misses or has.
pub(super) fn kind(kind: &str) -> &'static str {
    match kind {
        "image" => "Texture",
        "library" => "Linked library",
        "sequence" => "Image sequence",
        "movie" => "Movie",
        "font" => "Font",
        "sound" => "Sound",
        "cache" => "Cache (Alembic, USD, mesh)",
        "volume" => "Volume (VDB)",
        "ies" => "Light profile (IES)",
        _ => "File",
    }
}

/// The render engine's name.
pub(super) fn engine(engine: &str) -> String {
    match engine {
        "CYCLES" => "Cycles".into(),
        "BLENDER_EEVEE" | "BLENDER_EEVEE_NEXT" => "EEVEE".into(),
        "BLENDER_WORKBENCH" => "Workbench".into(),
        other => other.chars().filter(|c| !c.is_control()).take(40).collect(),
    }
}

/// What is special about a scene's pictures, a few words each.
pub(super) fn special(report: &Report) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(panorama) = &report.panorama {
        all.push(if panorama.full {
            "360° all around".to_owned()
        } else {
            "a panorama, not all around".into()
        });
    }
    if report.stereo.is_some() {
        all.push("for two eyes (stereo)".into());
    }
    if report.denoise {
        all.push("denoised".into());
    }
    if report.compositor {
        all.push("through the compositor".into());
    }
    for (names, many) in [(&report.layers, "view layers"), (&report.cameras, "cameras")] {
        if names.len() > 1 {
            let listed: Vec<String> = names.iter().take(SHOWN_NAMES).map(|name| plain(name)).collect();
            let more = if names.len() > SHOWN_NAMES { ", …" } else { "" };
            all.push(format!("{} {many}: {}{more}", names.len(), listed.join(", ")));
        }
    }
    all
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// A card class as people write it.
pub(crate) fn class(name: &str) -> String {
    if name == "cpu" {
        return "CPU cores".into();
    }
    name.split('-')
        .map(|part| match part {
            "gtx" | "rtx" | "nvidia" | "rdna" => part.to_uppercase(),
            "ti" => "Ti".into(),
            other => other.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// What renders, as people choose it.
pub(super) fn device(device: Device) -> &'static str {
    match device {
        Device::Cpu => "Processors",
        Device::Cuda => "Graphics cards (CUDA)",
        Device::Optix => "Graphics cards (OptiX)",
        Device::Hip => "Graphics cards (HIP)",
    }
}

/// A strategy's name.
pub(crate) fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Cheapest => "Cheapest",
        Strategy::Balanced => "Balanced",
        Strategy::Fastest => "Fastest",
    }
}

/// A strategy's name in forms and commands.
pub(super) fn strategy_key(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Cheapest => "cheapest",
        Strategy::Balanced => "balanced",
        Strategy::Fastest => "fastest",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_people_use() {
        assert_eq!(class("gtx-1080-ti"), "GTX 1080 Ti");
        assert_eq!(class("rtx-3090"), "RTX 3090");
        assert_eq!(class("cpu"), "CPU cores");
        assert_eq!(engine("BLENDER_EEVEE_NEXT"), "EEVEE");
    }
}
