use super::*;
use crate::fixtures::{benchmark_job, inspect_job, render_job};
use tatau_model::{BlobId, Rect};

fn file(name: &str) -> OrderFile {
    OrderFile { name: name.into(), blob: BlobId([9; 32]), bytes: 5 }
}

fn request(order: &Order) -> Value {
    serde_json::from_str(order.request.as_deref().unwrap()).unwrap()
}

fn crops() -> AuditWork {
    AuditWork::Crops { crops: vec![Rect { x: 1, y: 2, w: 34, h: 19 }] }
}

#[test]
fn all_frames_of_a_job_share_one_session() {
    let job = render_job(&[1, 2], true);
    let order = |n: u64, frame: i32| {
        task_order(&job, None, AttemptId(n), &Work::Render { frame, tile: None }, vec![], 9_000).unwrap()
    };
    let (a, b) = (order(1, 1), order(2, -2));
    assert_eq!(a.session, b.session);
    assert_eq!(a.session.parameters["Scene"], "/in/scene/sets/scene.blend");
    assert_eq!(b.parameters, BTreeMap::from([("Frame".into(), "-2".into())]));
    let each: Value = serde_json::from_str(&a.session.parameters["Request"]).unwrap();
    assert_eq!(each, json!({"kind": "render", "width": 480, "height": 270, "samples": 64, "device": "cpu"}));
    assert_eq!((a.request, a.limit_ms, a.session.inputs), (None, 9_000, job.inputs));
}

#[test]
fn audits_and_pictures_of_a_job_share_one_session_and_never_see_the_claim() {
    let job = render_job(&[1, 2], true);
    let work = Work::Render { frame: 2, tile: None };
    let audit =
        audit_order(&job, None, AuditId(7), &crops(), &work, vec![file("frame_0002.exr")], 1).unwrap();
    assert_eq!(audit.files, [], "nothing of the claim travels");
    assert_eq!(audit.parameters["Request"], "/in/requests/audit-7.json");
    assert_eq!(
        request(&audit),
        json!({"kind": "crops", "frame": 2, "width": 480, "height": 270, "samples": 64, "device": "cpu", "crops": [{"x": 1, "y": 2, "w": 34, "h": 19}]})
    );
    let picture = Work::Finish { frame: 2 };
    let rerun =
        audit_order(&job, None, AuditId(8), &AuditWork::Rerun, &picture, vec![file("frame_0002.exr")], 1)
            .unwrap();
    assert_eq!(rerun.session, audit.session);
    assert_eq!(request(&rerun)["exr"], "/in/files/audit-8/frame_0002.exr");
    assert_eq!(rerun.files.len(), 1);
}

#[test]
fn a_benchmark_is_audited_with_its_own_seed_and_without_a_scene() {
    let job = benchmark_job();
    let run = task_order(&job, None, AttemptId(1), &Work::Benchmark, vec![], 1).unwrap();
    let asked = request(&run);
    assert_eq!((asked["kind"].as_str(), asked["seed"].as_u64()), (Some("benchmark"), Some(0x7fff_fff7)));
    assert_eq!((run.session.parameters["Scene"].as_str(), run.session.inputs), ("-", None));
    let audit = audit_order(&job, None, AuditId(1), &crops(), &Work::Benchmark, vec![], 1).unwrap();
    let asked = request(&audit);
    assert_eq!(
        asked["benchmark"],
        json!({"seed": 0x7fff_fff7, "width": 256, "height": 256, "samples": crate::audit::BENCHMARK.samples})
    );
    assert_eq!(asked["frame"], 1);
    assert_eq!(audit.session, run.session);
}

#[test]
fn a_picture_needs_its_frame_and_a_video_every_picture_in_frame_order() {
    let job = render_job(&[3, -1, 2], true);
    let none = task_order(&job, None, AttemptId(1), &Work::Finish { frame: 3 }, vec![], 1);
    assert!(matches!(none, Err(OrderError::MissingFile { .. })));
    let pictures = ["frame_0003.png", "frame_-001.png", "frame_0002.png"];
    let files: Vec<OrderFile> = pictures.iter().map(|name| file(name)).collect();
    let short = task_order(&job, None, AttemptId(5), &Work::Video, files[..2].to_vec(), 1);
    assert!(matches!(short, Err(OrderError::MissingFile { .. })));
    let video = task_order(&job, None, AttemptId(5), &Work::Video, files, 1).unwrap();
    let asked = request(&video);
    let at = |name: &str| format!("/in/files/attempt-5/{name}");
    assert_eq!(asked["pngs"], json!([at(pictures[1]), at(pictures[2]), at(pictures[0])]));
    assert_eq!(asked["fps"], json!({"num": 24, "den": 1}));
}

#[test]
fn the_largest_video_fits_the_runtime_s_request() {
    let frames: Vec<i32> = (1_000_000..1_020_000).collect();
    assert_eq!(frames.len(), crate::inspection::MAX_VIDEO_FRAMES);
    let job = render_job(&frames, true);
    let files = frames.iter().map(|f| file(&format!("frame_{f}.png"))).collect();
    let order = task_order(&job, None, AttemptId(99_999_999), &Work::Video, files, 1).unwrap();
    assert!(order.request.unwrap().len() < 1 << 20);
}

#[test]
fn tasks_of_another_kind_of_job_have_no_order() {
    let of = |job: &Job, work: &Work| task_order(job, None, AttemptId(1), work, vec![], 1);
    assert!(of(&inspect_job(), &Work::Inspect).is_ok());
    assert!(matches!(
        of(&inspect_job(), &Work::Render { frame: 1, tile: None }),
        Err(OrderError::WrongJob(_))
    ));
    assert!(matches!(of(&render_job(&[1], true), &Work::Inspect), Err(OrderError::WrongJob(_))));
    assert!(matches!(of(&inspect_job(), &Work::Benchmark), Err(OrderError::WrongJob(_))));
    let crops = audit_order(&inspect_job(), None, AuditId(1), &crops(), &Work::Inspect, vec![], 1);
    assert!(matches!(crops, Err(OrderError::WrongJob(_))));
}

#[test]
fn a_scene_outside_the_inputs_has_no_order() {
    for scene in ["../other.blend", "/etc/passwd", ""] {
        let mut job = render_job(&[1], true);
        job.scene = scene.into();
        let frame = task_order(&job, None, AttemptId(1), &Work::Render { frame: 1, tile: None }, vec![], 1);
        assert!(matches!(frame, Err(OrderError::Scene(_))), "{scene:?}");
        let audit =
            audit_order(&job, None, AuditId(1), &crops(), &Work::Render { frame: 1, tile: None }, vec![], 1);
        assert!(matches!(audit, Err(OrderError::Scene(_))), "{scene:?}");
    }
}

#[test]
fn what_is_rendered_and_what_checks_it_name_the_jobs_device_and_nothing_else_does() {
    let mut job = render_job(&[1], false);
    let JobKind::Render(spec) = &mut job.kind else { panic!("{:?}", job.kind) };
    spec.device = Device::Optix;
    let frame = Work::Render { frame: 1, tile: None };
    let render = task_order(&job, None, AttemptId(1), &frame, vec![], 1).unwrap();
    let asked: Value = serde_json::from_str(&render.session.parameters["Request"]).unwrap();
    assert_eq!((render.device, asked["device"].as_str()), (Device::Optix, Some("optix")));
    let audit = audit_order(&job, None, AuditId(1), &crops(), &frame, vec![], 1).unwrap();
    assert_eq!((audit.device, request(&audit)["device"].as_str()), (Device::Optix, Some("optix")));
    let picture = Work::Finish { frame: 1 };
    let finish = task_order(&job, None, AttemptId(2), &picture, vec![file("frame_0001.exr")], 1).unwrap();
    assert_eq!((finish.device, request(&finish).get("device")), (Device::Cpu, None));

    let mut benchmark = benchmark_job();
    let JobKind::Benchmark { device, .. } = &mut benchmark.kind else { panic!("{:?}", benchmark.kind) };
    *device = Device::Hip;
    let run = task_order(&benchmark, None, AttemptId(1), &Work::Benchmark, vec![], 1).unwrap();
    let audit = audit_order(&benchmark, None, AuditId(1), &crops(), &Work::Benchmark, vec![], 1).unwrap();
    for order in [run, audit] {
        assert_eq!((order.device, request(&order)["device"].as_str()), (Device::Hip, Some("hip")));
    }
}
