use super::*;
use std::io::Write;

/// First bytes, version, environment.
type Saved = (&'static [u8], Option<(u8, u8)>, &'static str);

const SAVED: &[Saved] = &[
    (b"BLENDER-v405RENDH\0\0\0", Some((4, 5)), "blender-4.5"),
    (b"BLENDER_V279REND", Some((2, 79)), "blender-4.5"),
    (b"BLENDER-v293REND", Some((2, 93)), "blender-4.5"),
    (b"BLENDER17-01v0500REND", Some((5, 0)), "blender-5.0"),
    (b"BLENDER17-01v0512REND", Some((5, 12)), "blender-5.0"),
    (b"BLENDER-v4", None, "blender-5.0"),
    (b"BLENDER17-01v05", None, "blender-5.0"),
    (b"BLENDER-vXYZ", None, "blender-5.0"),
    (b"BLENDER\xff\xff\xff\xff\xff\xff\xff", None, "blender-5.0"),
    (b"hello, world", None, "blender-5.0"),
    (b"", None, "blender-5.0"),
];

#[test]
fn the_first_bytes_choose_the_environment() {
    for (head, version, name) in SAVED {
        assert_eq!((saved_by(head), environment(head)), (*version, *name), "{head:?}");
    }
    for name in ["blender-5.0", "blender-4.5"] {
        assert!(crate::runtime::environment(name).is_some(), "{name}");
    }
}

#[test]
fn packed_files_are_looked_into() {
    for (plain, version, name) in SAVED.iter().filter(|(_, version, _)| version.is_some()) {
        let mut long = plain.to_vec();
        long.resize(300_000, 7);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&long).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = ruzstd::encoding::compress_to_vec(&long[..], ruzstd::encoding::CompressionLevel::Fastest);
        for packed in [gzip, zstd] {
            let head = &packed[..packed.len().min(HEAD_BYTES)];
            assert_eq!((saved_by(head), environment(head)), (*version, *name));
        }
    }
}

#[test]
fn damaged_and_hostile_heads_tell_nothing() {
    let zstd = ruzstd::encoding::compress_to_vec(SAVED[0].0, ruzstd::encoding::CompressionLevel::Fastest);
    for cut in 0..zstd.len() {
        let mut torn = zstd.clone();
        torn.truncate(cut);
        environment(&torn);
        for bit in 0..8 {
            let mut bent = zstd.clone();
            bent[cut] ^= 1 << bit;
            environment(&bent);
        }
    }
    // A window of 3.75 TB.
    assert_eq!(saved_by(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xff, 0x01, 0x00, 0x00]), None);
    assert_eq!(saved_by(&[0x1f, 0x8b, 8, 0, 0]), None);
}
