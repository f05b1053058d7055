use super::*;
use crate::fixtures::{inspect_job, render_job};
use tatau_model::{BlobId, Layered};

fn tiles_file(width: u32, height: u32, tile: u32, channels: u32, hashes: usize) -> Vec<u8> {
    let mut file = MAGIC.to_vec();
    for number in [width, height, tile, channels] {
        file.extend(number.to_le_bytes());
    }
    for n in 0..hashes {
        file.extend([n as u8; 32]);
    }
    file
}

#[test]
fn a_trace_is_read_exactly_and_its_root_binds_every_tile_and_the_shape() {
    // 480 x 270 pixels: 8 x 5 tiles.
    let good = tiles_file(480, 270, 64, 4, 40);
    let tiles = Tiles::parse(&good).unwrap();
    assert_eq!((tiles.width, tiles.height, tiles.channels, tiles.hashes.len()), (480, 270, 4, 40));
    let root = tiles.root().unwrap();
    assert_eq!(root, trace_root(480, 270, 4, &tiles.hashes).unwrap());
    for at in [6, 10, 18, 22, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        let other = Tiles::parse(&changed).and_then(|t| t.root());
        assert_ne!(other, Ok(root), "byte {at}");
    }
}

#[test]
fn whatever_is_no_trace_is_refused() {
    let good = tiles_file(480, 270, 64, 4, 40);
    for cut in [0, 5, 6, 21, 22, good.len() - 1] {
        assert!(Tiles::parse(&good[..cut]).is_err(), "cut at {cut}");
    }
    let mut long = good.clone();
    long.push(0);
    assert!(Tiles::parse(&long).is_err());
    for bad in [
        tiles_file(480, 270, 32, 4, 40),
        tiles_file(480, 270, 64, 0, 40),
        tiles_file(480, 270, 64, MAX_CHANNELS + 1, 40),
        tiles_file(0, 270, 64, 4, 0),
        tiles_file(16_385, 1, 64, 4, 257),
        tiles_file(u32::MAX, u32::MAX, 64, 4, 0),
    ] {
        assert!(Tiles::parse(&bad).is_err());
    }
    assert!(Tiles::parse(b"TTIL2\0").is_err());
}

#[test]
fn names_are_those_of_the_runtime() {
    assert_eq!(
        expected_files(&Work::Render { frame: 1, tile: None }),
        ["frame_0001.exr", "frame_0001.tiles", "result.json"]
    );
    assert_eq!(expected_files(&Work::Finish { frame: -5 }), ["frame_-005.png", "result.json"]);
    assert_eq!(frame_name(123_456), "frame_123456");
    assert_eq!(expected_files(&Work::Benchmark)[0], "frame_0001.exr");
    assert_eq!(expected_files(&Work::Video), ["video.mp4", "result.json"]);
    assert_eq!(expected_files(&Work::Inspect), ["result.json"]);
}

fn delivered(files: &[(&str, u64)]) -> Vec<OutputFile> {
    files
        .iter()
        .map(|(name, bytes)| OutputFile { name: (*name).into(), blob: BlobId([1; 32]), bytes: *bytes })
        .collect()
}

#[test]
fn deliveries_are_complete_without_extras_and_of_possible_size() {
    let work = Work::Render { frame: 1, tile: None };
    let good = [("result.json", 200), ("frame_0001.tiles", 1_302), ("frame_0001.exr", 1_400_000)];
    let job = render_job(&[1], true);
    let both = |files: &[(&str, u64)]| {
        let files = delivered(files);
        check_sizes(&work, &job, &files).and(check_outputs(&work, &files))
    };
    assert_eq!(both(&good), Ok(()));
    assert!(both(&good[..2]).is_err(), "missing");
    assert!(both(&[good[0], good[1], good[2], ("extra.bin", 1)]).is_err(), "extra");
    assert!(both(&[good[0], good[0], good[1], good[2]]).is_err(), "twice");
    assert!(both(&[good[0], good[1], ("frame_0002.exr", 1_400_000)]).is_err(), "another frame");
    assert!(both(&[good[0], good[1], (good[2].0, 0)]).is_err(), "empty");
    assert!(both(&[(good[0].0, MAX_RESULT_BYTES + 1), good[1], good[2]]).is_err(), "too large a report");
    let huge = delivered(&[good[0], good[1], (good[2].0, 10_000_000)]);
    assert_eq!(check_outputs(&work, &huge), Ok(()));
    assert!(check_sizes(&work, &job, &huge).is_err(), "10 MB are no 480 x 270 pixels");
    let mut rich = job.clone();
    if let JobKind::Render(spec) = &mut rich.kind {
        let layered = Layered { channels: 22, picture: (480, 540), finish_reference_ms: 9 };
        spec.layered = Some(layered);
    }
    assert_eq!(check_sizes(&work, &rich, &huge), Ok(()), "with 22 channels they may be");
    let picture = |bytes| delivered(&[good[0], ("frame_0001.png", bytes)]);
    let finish = Work::Finish { frame: 1 };
    let most = 480 * 270 * 9 + (1 << 20);
    assert!(check_sizes(&finish, &job, &picture(most)).is_ok());
    assert!(check_sizes(&finish, &job, &picture(most + 1)).is_err());
    assert!(check_sizes(&finish, &rich, &picture(most + 1)).is_ok(), "a picture of two eyes may be larger");
    assert_eq!(check_sizes(&Work::Inspect, &inspect_job(), &delivered(&[("result.json", 9)])), Ok(()));
}

#[test]
fn the_trace_root_of_work_without_a_trace_is_its_manifest() {
    let files = delivered(&[("frame_0001.png", 10), ("result.json", 10)]);
    let none = |_: &str| None;
    assert_eq!(task_root(&Work::Finish { frame: 1 }, &files, &none), Ok(manifest_root(&files)));
    assert!(
        task_root(&Work::Render { frame: 1, tile: None }, &files, &none).is_err(),
        "a missing trace is no empty one"
    );
    let read = |name: &str| (name == "frame_0001.tiles").then(|| tiles_file(64, 64, 64, 4, 1));
    assert_eq!(
        task_root(&Work::Render { frame: 1, tile: None }, &files, &read),
        Ok(trace_root(64, 64, 4, &[[0; 32]]).unwrap())
    );
}
