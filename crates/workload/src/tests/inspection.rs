use super::*;
use serde_json::json;

/// A report as the runtime writes it, with that probe.
#[allow(clippy::needless_pass_by_value)] // read where it is written
pub(crate) fn report(probe: Value) -> Vec<u8> {
    json!({
        "kind": "inspect", "blender": "5.0.1", "saved_by": "5.0", "engine": "CYCLES", "scene": "Scene", "camera": true,
        "width": 480, "height": 270, "samples": 64, "fps": {"num": 24, "den": 1},
        "frame_start": 1, "frame_end": 24, "frame_step": 1, "denoise": false, "adaptive": false,
        "files": [{"kind": "image", "path": "//textures/a.png", "resolved": "textures/a.png", "absolute": false,
            "from": null, "found": true, "bytes": 12}],
        "files_total": 1, "refusals": [], "warnings": [{"code": "device", "sentence": "The scene is set to GPU."}],
        "probe": probe,
    })
    .to_string()
    .into_bytes()
}

fn probe(frame_ms: f64) -> Value {
    json!({"frames": [1, 12, 24], "ref": [], "load_ms": 512, "fixed_ms": 20.5, "frame_ms": frame_ms})
}

fn changed(pointer: &str, value: Value) -> Result<Report, ReportError> {
    let mut document: Value = serde_json::from_slice(&report(probe(4_000.0))).unwrap();
    *document.pointer_mut(pointer).unwrap() = value;
    Report::parse(document.to_string().as_bytes())
}

#[test]
fn a_closed_set_freezes_the_scene_s_own_values() {
    let report = Report::parse(&report(probe(4_000.0))).unwrap();
    let spec = render_spec(&report, &[3, 1], true, 40).unwrap();
    assert_eq!((spec.width, spec.height, spec.samples, spec.fps, spec.video), (480, 270, 64, (24, 1), true));
    assert_eq!(spec.frames, [3, 1]);
    assert_eq!(report.frames(), (1..=24).collect::<Vec<_>>());
    assert_eq!(reference_ms(&report, 40), Ok(160), "4 s on one core");
    assert_eq!(reference_ms(&report, 11_500), Ok(46_000));
}

#[test]
fn layers_eyes_and_denoising_are_frozen_with_their_cost() {
    let mut document: Value = serde_json::from_slice(&report(probe(4_000.0))).unwrap();
    let plain =
        render_spec(&Report::parse(document.to_string().as_bytes()).unwrap(), &[1], true, 40).unwrap();
    assert_eq!((plain.layered, plain.channels(), plain.picture()), (None, 4, (480, 270)));
    document["channels"] = json!(22);
    document["picture"] = json!({"width": 480, "height": 540});
    document["denoise"] = json!(true);
    document["probe"]["finish_ms"] = json!(50_000.0);
    document["panorama"] = json!({"kind": "equirectangular", "full": true, "stereo": "top_bottom"});
    let report = Report::parse(document.to_string().as_bytes()).unwrap();
    let spec = render_spec(&report, &[1], true, 40).unwrap();
    let expected = Layered { channels: 22, picture: (480, 540), finish_reference_ms: 2_000 };
    assert_eq!(spec.layered, Some(expected));
    assert!(report.panorama.is_some_and(|p| p.full));
    document["probe"]["finish_ms"] = json!(0.0);
    let report = Report::parse(document.to_string().as_bytes()).unwrap();
    let spec = render_spec(&report, &[1], true, 40).unwrap();
    assert_eq!(units::picture_reference_ms(&spec), units::finish_reference_ms(480, 540), "no cost of zero");
    for (key, value) in [
        ("channels", json!(129)),
        ("channels", json!(0)),
        ("picture", json!({"width": 481, "height": 270})),
        ("picture", json!({"width": 960, "height": 100_000})),
        ("layers", json!(vec!["l"; 65])),
        ("cameras", json!(["c".repeat(5_000)])),
        ("stereo", json!("s".repeat(5_000))),
        ("probe", json!({"load_ms": 1.0, "frame_ms": 1.0, "finish_ms": -1.0})),
    ] {
        let mut wrong = document.clone();
        wrong[key] = value;
        assert!(Report::parse(wrong.to_string().as_bytes()).is_err(), "{key}");
    }
}

#[test]
fn refusals_and_missing_files_are_told_before_anything_is_paid() {
    let refusals = json!([{"code": "denoise_on", "sentence": "Denoising is on; turn it off."}]);
    let refused = changed("/refusals", refusals).unwrap();
    let sentence = "Denoising is on; turn it off.".to_owned();
    assert_eq!(render_spec(&refused, &[1], false, 40), Err(ReportError::Refused(sentence)));
    let missing = changed("/files/0/found", json!(false)).unwrap();
    assert_eq!(missing.missing().count(), 1);
    let first = "textures/a.png".to_owned();
    assert_eq!(render_spec(&missing, &[1], false, 40), Err(ReportError::Missing { count: 1, first }));
    let many: Vec<Value> = (0..9).map(|n| json!({"code": "x", "sentence": format!("No {n}.")})).collect();
    assert_eq!(
        changed("/refusals", json!(many)).unwrap().refusal().as_deref(),
        Some("No 0. No 1. No 2. (6 more reasons)")
    );
}

#[test]
fn no_cost_is_never_a_cost_of_zero() {
    assert_eq!(reference_ms(&Report::parse(&report(Value::Null)).unwrap(), 40), Err(ReportError::NoProbe));
    let of = |frame_ms: f64, score| reference_ms(&Report::parse(&report(probe(frame_ms))).unwrap(), score);
    assert!(of(0.0, 40).is_err());
    assert_eq!(of(0.1, 1), Ok(1));
    assert!(matches!(of(1e15, 1_000), Err(ReportError::TooMuch(_))));
    assert!(of(1e300, u64::MAX).is_err());
}

#[test]
fn memory_follows_what_was_held_and_the_size_of_a_frame() {
    let probe = |mib: u64| json!({"load_ms": 1.0, "frame_ms": 10.0, "memory_mib": mib});
    let need = |mib| {
        let report = Report::parse(&report(probe(mib))).unwrap();
        let spec = render_spec(&report, &[1], false, 1_000).unwrap();
        (memory_mib(&report, &spec), spec)
    };
    let (small, spec) = need(300);
    let buffers = (u64::from(spec.width) * u64::from(spec.height) * u64::from(spec.channels()) * 12) >> 20;
    assert_eq!(small, (375 + buffers).next_multiple_of(256));
    let (whole, mut spec) = need(4_096);
    assert_eq!(whole, (5_120 + buffers).next_multiple_of(256));
    (spec.width, spec.height) = (8_192, 8_192);
    let report = Report::parse(&report(probe(300))).unwrap();
    assert!(
        memory_mib(&report, &spec) >= 375 + 3 * 4 * 64 * u64::from(spec.channels()),
        "a frame of 64 megapixels"
    );
    let untold = Report::parse(&super::tests::report(json!({"load_ms": 1.0, "frame_ms": 10.0}))).unwrap();
    assert_eq!(memory_mib(&untold, &spec), 0);
}

#[test]
fn strange_reports_are_refused() {
    for (pointer, value) in [
        ("/width", json!(0)),
        ("/width", json!(-1)),
        ("/width", json!(4_000_000)),
        ("/frame_start", json!(2_000_000)),
        ("/scene", json!("x".repeat(5_000))),
        ("/files", json!("none")),
        ("/files_total", json!(0)),
        ("/probe/frame_ms", json!(-1.0)),
        ("/probe/frame_ms", Value::Null),
        ("/refusals", Value::Null),
    ] {
        assert!(changed(pointer, value.clone()).is_err(), "{pointer} {value}");
    }
    let files: Vec<Value> = (0..=MAX_FILES)
        .map(|_| json!({"kind": "image", "path": "a", "resolved": "a", "from": null, "found": true, "bytes": 1}))
        .collect();
    assert!(changed("/files", json!(files)).is_err());
    assert!(Report::parse(&vec![b' '; (1 << 20) + 1]).is_err());
    assert!(Report::parse("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn what_a_job_cannot_hold_is_refused() {
    let good = Report::parse(&report(probe(1.0))).unwrap();
    assert!(render_spec(&good, &[], false, 40).is_err());
    let many: Vec<i32> = (0..=MAX_VIDEO_FRAMES as i32).collect();
    assert!(render_spec(&good, &many, false, 40).is_ok());
    assert!(render_spec(&good, &many, true, 40).is_err());
    for (pointer, value) in [
        ("/width", json!(20_000)),
        ("/samples", Value::Null),
        ("/samples", json!(0)),
        ("/camera", json!(false)),
        ("/fps/den", json!(0)),
    ] {
        assert!(render_spec(&changed(pointer, value).unwrap(), &[1], false, 40).is_err(), "{pointer}");
    }
}
