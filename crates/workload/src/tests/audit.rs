use super::*;
use crate::fixtures::{benchmark_job, inspect_job, render_job};

fn crops(work: &Work, job: &Job, challenge: u8, count: u32) -> Vec<tatau_model::Rect> {
    match audit_work(work, job, &Digest([challenge; 32]), count, 5_000) {
        AuditWork::Crops { crops } => crops,
        AuditWork::Rerun => panic!("not re-run"),
    }
}

#[test]
fn frames_are_audited_by_crops_that_the_challenge_alone_decides() {
    let (job, work) = (render_job(&[1], true), Work::Render { frame: 1, tile: None });
    let drawn = crops(&work, &job, 1, 2);
    assert_eq!(drawn.len(), 2);
    assert_eq!(drawn, crops(&work, &job, 1, 2), "anyone repeats the draw");
    assert_ne!(drawn, crops(&work, &job, 2, 2), "another challenge, other places");
    for crop in &drawn {
        assert!(crop.x + crop.w <= 480 && crop.y + crop.h <= 270);
        let share = f64::from(crop.w * crop.h) / f64::from(480 * 270);
        assert!((0.004..0.006).contains(&share), "{share}");
    }
    let on_benchmark = crops(&Work::Benchmark, &benchmark_job(), 1, 2);
    assert!(on_benchmark.iter().all(|c| c.x + c.w <= 256 && c.y + c.h <= 256));
}

#[test]
fn a_configuration_of_no_crops_or_too_many_still_audits() {
    let (job, work) = (render_job(&[1], true), Work::Render { frame: 1, tile: None });
    assert_eq!(crops(&work, &job, 1, 0).len(), 1);
    assert_eq!(crops(&work, &job, 1, 5_000).len(), 64);
}

#[test]
fn what_is_no_raw_frame_is_run_again() {
    let job = render_job(&[1], true);
    for (work, job) in
        [(Work::Finish { frame: 1 }, &job), (Work::Video, &job), (Work::Inspect, &inspect_job())]
    {
        assert_eq!(audit_work(&work, job, &Digest([0; 32]), 2, 5_000), AuditWork::Rerun, "{work:?}");
    }
}
