use super::*;
use crate::fixtures::{inspect_job, render_job};
use tatau_model::Rect;

const FRAME: Work = Work::Render { frame: 1, tile: None };

fn crops() -> AuditWork {
    AuditWork::Crops { crops: vec![Rect { x: 0, y: 0, w: 34, h: 19 }, Rect { x: 5, y: 6, w: 34, h: 19 }] }
}

fn placed(names: &[&str], folder: &str) -> Vec<Placed> {
    names.iter().map(|n| ((*n).to_owned(), format!("/in/files/{folder}/{n}"))).collect()
}

fn asked() -> String {
    let claim = placed(&["frame_0001.exr", "frame_0001.tiles", "result.json"], "attempt-1");
    let mine = placed(&["crop_1.f32", "crop_0.f32", "result.json"], "audit-1");
    judge_request(&FRAME, &crops(), &render_job(&[1], true), &claim, &mine).unwrap()
}

fn answer(changes: &[(&str, Value)]) -> Vec<u8> {
    let row = json!({"pixels": 646, "equal": 0.5, "over_1e3": 0.000_000_4, "over_1e2": 0.0, "rel_l1": 0.002, "max_rel": 1.0});
    let mut answer =
        json!({"kind": "compare", "ok": true, "fault": null, "sentence": null, "crops": [row, row]});
    for (pointer, value) in changes {
        *answer.pointer_mut(pointer).unwrap() = value.clone();
    }
    answer.to_string().into_bytes()
}

#[test]
fn crops_are_asked_of_the_claim_in_their_drawn_order() {
    let asked: Value = serde_json::from_str(&asked()).unwrap();
    assert_eq!(asked["claim"], "/in/files/attempt-1/frame_0001.exr");
    assert_eq!((asked["width"].as_u64(), asked["height"].as_u64()), (Some(480), Some(270)));
    assert_eq!(asked["channels"], 4);
    assert_eq!(
        asked["crops"][1],
        json!({"x": 5, "y": 6, "w": 34, "h": 19, "file": "/in/files/audit-1/crop_1.f32"})
    );
}

#[test]
fn nothing_is_asked_where_a_file_is_missing() {
    let job = render_job(&[1], true);
    let claim = placed(&["frame_0001.exr", "frame_0001.tiles"], "a");
    let two = placed(&["crop_0.f32", "crop_1.f32"], "b");
    let one = two[..1].to_vec();
    let missing = |name: &str| Err(JudgeError::Missing(name.to_owned()));
    assert_eq!(judge_request(&FRAME, &crops(), &job, &claim, &one), missing("crop_1.f32"));
    assert_eq!(judge_request(&FRAME, &crops(), &job, &claim[..1], &two), missing("frame_0001.tiles"));
    assert_eq!(agree_request(&FRAME, &crops(), &job, &one, &one), missing("crop_1.f32"));
    let picture = Work::Finish { frame: 1 };
    assert_eq!(judge_request(&picture, &AuditWork::Rerun, &job, &claim, &one), missing("frame_0001.png"));
    let inspect = judge_request(&Work::Inspect, &AuditWork::Rerun, &inspect_job(), &claim, &one);
    assert!(matches!(inspect, Err(JudgeError::NotPixels(_))));
}

#[test]
fn whole_results_and_validators_are_compared_by_kind() {
    let job = render_job(&[1], true);
    let kind = |request: Result<String, JudgeError>| -> String {
        serde_json::from_str::<Value>(&request.unwrap()).unwrap()["kind"].as_str().unwrap().to_owned()
    };
    let (a, b) =
        (placed(&["video.mp4", "frame_0001.png"], "a"), placed(&["video.mp4", "frame_0001.png"], "b"));
    let picture = Work::Finish { frame: 1 };
    assert_eq!(kind(judge_request(&picture, &AuditWork::Rerun, &job, &a, &b)), "compare_images");
    assert_eq!(kind(agree_request(&Work::Video, &AuditWork::Rerun, &job, &a, &b)), "compare_video");
    let crop = placed(&["crop_0.f32", "crop_1.f32"], "c");
    assert_eq!(kind(agree_request(&FRAME, &crops(), &job, &crop, &crop)), "compare_crops");
}

#[test]
fn shares_become_ppm_rounded_against_the_claim() {
    let measured = parse_measurement(&asked(), &crops(), &answer(&[])).unwrap();
    assert_eq!((measured.fault, measured.parts.len()), (None, 2));
    let part = measured.parts[0];
    assert_eq!((part.pixels, part.equal_ppm, part.over_1e3_ppm, part.rel_l1_ppm), (646, 500_000, 1, 2_000));
}

#[test]
fn an_answer_that_does_not_fit_the_question_is_no_measurement() {
    let bad = |bytes: &[u8]| {
        assert!(
            matches!(parse_measurement(&asked(), &crops(), bytes), Err(JudgeError::Answer(_))),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    };
    for (pointer, value) in [
        ("/kind", json!("compare_images")),
        ("/crops", json!([])),
        ("/crops", Value::Null),
        ("/crops/1/pixels", json!(645)),
        ("/crops/1/equal", json!(1.1)),
        ("/crops/1/over_1e3", json!(-0.1)),
        ("/crops/1/over_1e3", Value::Null),
        ("/crops/1/rel_l1", json!(-1)),
        ("/fault", json!("made_up")),
    ] {
        bad(&answer(&[(pointer, value)]));
    }
    let infinite = String::from_utf8(answer(&[])).unwrap().replace("0.002", "1e999");
    bad(infinite.as_bytes());
    bad(infinite.replace("1e999", "NaN").as_bytes());
    for bytes in [&b""[..], b"null", b"[]", b"{}", &vec![b' '; MAX_ANSWER_BYTES + 1]] {
        bad(bytes);
    }
}

#[test]
fn faults_are_held_against_the_claim_only_where_they_are_its_own() {
    let of = |fault: &str, side: Option<&str>| {
        let answer = json!({"kind": "compare", "ok": false, "fault": fault, "side": side, "sentence": "x\u{1b}[31my", "crops": []});
        parse_measurement(&asked(), &crops(), answer.to_string().as_bytes()).unwrap()
    };
    assert_eq!(of("tiles_mismatch", None).fault.as_deref(), Some("tiles_mismatch"));
    assert_eq!(of("bad_file", Some("a")).fault.as_deref(), Some("bad_file"));
    assert_eq!(of("bad_file", Some("b")).fault.as_deref(), Some("validator_file"));
    assert_eq!(of("bad_file", Some("both")).fault.as_deref(), Some("validator_file"));
    assert_eq!(of("nan", None).sentence, "x[31my");
}

#[test]
fn decoded_pictures_count_every_pixel_that_is_not_equal() {
    let request = r#"{"kind":"compare_images"}"#;
    let answer = |pixels: u64, equal: f64, max_diff: f64| {
        let text = json!({"kind": "compare_images", "ok": true, "fault": null, "side": null, "pixels": pixels, "equal": equal, "max_diff": max_diff});
        parse_measurement(request, &AuditWork::Rerun, text.to_string().as_bytes())
    };
    let same = answer(129_600, 1.0, 0.0).unwrap().parts[0];
    assert_eq!((same.equal_ppm, same.over_1e3_ppm, same.over_1e2_ppm, same.rel_l1_ppm), (1_000_000, 0, 0, 0));
    let other = answer(129_600, 0.9, 51.0).unwrap().parts[0];
    assert_eq!((other.over_1e3_ppm, other.over_1e2_ppm, other.rel_l1_ppm), (100_000, 100_000, 20_000));
    assert!(answer(0, 1.0, 0.0).is_err(), "nothing was compared");
    assert!(answer(1, 1.0, -1.0).is_err());
}

#[test]
fn inspections_agree_apart_from_what_each_machine_measured() {
    let report = crate::inspection::tests::report;
    let (a, b) = (report(json!({"load_ms": 5.0, "frame_ms": 100.0})), report(Value::Null));
    let same = compare_inspections(&a, &b);
    assert_eq!((same.fault, same.parts[0].equal_ppm, same.parts[0].over_1e3_ppm), (None, 1_000_000, 0));
    let forged = String::from_utf8(a.clone()).unwrap().replace("\"width\":480", "\"width\":481");
    let differs = compare_inspections(forged.as_bytes(), &b);
    assert_eq!((differs.fault, differs.parts[0].over_1e3_ppm), (None, 1_000_000));
    assert!(differs.sentence.contains("width"), "{}", differs.sentence);
    assert_eq!(compare_inspections(b"{}", &b).fault.as_deref(), Some("bad_file"));
    assert_eq!(compare_inspections(&a, b"{}").fault.as_deref(), Some("validator_file"));
    assert_eq!(compare_inspections(b"{}", b"{}").fault.as_deref(), Some("validator_file"));
}
