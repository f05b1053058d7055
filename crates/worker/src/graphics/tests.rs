//! What the system says of cards, from folders that look like `/sys`.

use super::*;
use std::fs;

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A node of the compute driver: its version, and the minor number of its device node.
fn node(root: &Path, number: u32, version: u64, render: u64) {
    let dir = format!("class/kfd/kfd/topology/nodes/{number}");
    let text = format!(
        "cpu_cores_count 0\nsimd_count 144\ngfx_target_version {version}\ndrm_render_minor {render}\n"
    );
    write(root, &format!("{dir}/properties"), &text);
    write(
        root,
        &format!("{dir}/mem_banks/0/properties"),
        "heap_type 1\nsize_in_bytes 17163091968\nflags 0\n",
    );
    write(root, &format!("dev/dri/renderD{render}"), "");
}

#[test]
fn amd_cards_of_rdna_are_tried_and_older_ones_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "class/kfd/kfd/topology/nodes/0/properties",
        "cpu_cores_count 16\ngfx_target_version 0\n",
    );
    write(root.path(), "dev/kfd", "");
    for (number, version) in [(1, 80_003), (2, 90_006), (3, 100_300), (4, 110_000), (5, 90_010)] {
        node(root.path(), number, version, 127 + u64::from(number));
    }
    let found = amd::cards(root.path(), root.path());
    let of = |i: usize| (found.cards[i].card.name.as_str(), found.cards[i].card.devices.as_slice());
    assert_eq!(of(0), ("AMD Polaris or older (gfx803)", &[][..]));
    assert_eq!(of(1), ("AMD Vega or CDNA (gfx906)", &[][..]));
    assert_eq!(of(2), ("AMD RDNA 2 (gfx1030)", &[Device::Hip][..]));
    assert_eq!(of(3), ("AMD RDNA 3 (gfx1100)", &[Device::Hip][..]));
    assert_eq!(of(4), ("AMD Vega or CDNA (gfx90a)", &[][..]));
    assert_eq!(found.cards[2].card.memory_mib, 16_368);
    assert_eq!(found.cards[2].nodes, [root.path().join("dev/kfd"), root.path().join("dev/dri/renderD130")]);
    assert_eq!((found.refused.len(), found.warnings.len()), (3, 0), "{found:?}");
    assert!(found.refused[0].contains("Polaris") && found.refused[0].contains("RX 5000"));
}

#[test]
fn a_memory_that_cannot_be_read_is_not_taken_for_none() {
    let root = tempfile::tempdir().unwrap();
    node(root.path(), 1, 100_300, 128);
    write(root.path(), "dev/kfd", "");
    fs::remove_dir_all(root.path().join("class/kfd/kfd/topology/nodes/1/mem_banks")).unwrap();
    let found = amd::cards(root.path(), root.path());
    assert!(found.cards.is_empty() && found.warnings[0].contains("does not tell its memory"), "{found:?}");
}

#[test]
fn cards_of_nvidia_are_known_as_theirs() {
    assert_eq!(nvidia::vendors("Tesla T4"), "NVIDIA Tesla T4");
    assert_eq!(nvidia::vendors("NVIDIA GeForce RTX 3080"), "NVIDIA GeForce RTX 3080");
}

#[test]
fn a_card_without_its_device_node_is_listed_and_not_tried() {
    let root = tempfile::tempdir().unwrap();
    node(root.path(), 1, 100_100, 128);
    let found = amd::cards(root.path(), root.path());
    assert_eq!(found.cards[0].card.devices, []);
    assert!(found.warnings[0].contains("dev/kfd is missing"), "{:?}", found.warnings);
}

#[test]
fn cards_on_the_bus_without_a_driver_are_spoken_of() {
    let root = tempfile::tempdir().unwrap();
    let empty = (amd::cards(root.path(), root.path()), nvidia::without_driver(root.path()));
    assert_eq!(empty, (Gpus::default(), Gpus::default()), "a machine without cards is no complaint");
    for (slot, vendor, class) in [
        ("01:00.0", "0x10de", "0x030000"),
        ("01:00.1", "0x10de", "0x040300"),
        ("02:00.0", "0x1002", "0x038000"),
    ] {
        write(root.path(), &format!("bus/pci/devices/0000:{slot}/vendor"), &format!("{vendor}\n"));
        write(root.path(), &format!("bus/pci/devices/0000:{slot}/class"), &format!("{class}\n"));
    }
    let (amd, nvidia) = (amd::cards(root.path(), root.path()), nvidia::without_driver(root.path()));
    assert!(amd.cards.is_empty() && amd.warnings[0].starts_with("1 AMD graphics card is here"), "{amd:?}");
    assert!(nvidia.cards.is_empty() && nvidia.warnings[0].starts_with("1 NVIDIA card is here"), "{nvidia:?}");
}
