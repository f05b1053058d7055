use super::*;
use crate::fixtures::{benchmark_job, inspect_job, render_job};
use tatau_model::{Rect, amount::NANO};

#[test]
fn frames_weigh_their_pixel_samples_and_other_work_one() {
    let job = render_job(&[1], true);
    assert_eq!(units(&Work::Render { frame: 1, tile: None }, &job), 480 * 270 * 64);
    assert_eq!(units(&Work::Benchmark, &benchmark_job()), u64::from(256 * 256 * BENCHMARK.samples));
    for (work, job) in
        [(Work::Finish { frame: 1 }, &job), (Work::Video, &job), (Work::Inspect, &inspect_job())]
    {
        assert_eq!(units(&work, job), 1, "{work:?}");
    }
}

#[test]
fn reference_times_grow_with_the_work_and_are_never_nothing() {
    let mut job = render_job(&[1], true);
    assert_eq!(reference_ms(&Work::Render { frame: 1, tile: None }, &job), 160);
    let small = (reference_ms(&Work::Finish { frame: 1 }, &job), reference_ms(&Work::Video, &job));
    if let JobKind::Render(spec) = &mut job.kind {
        (spec.width, spec.height, spec.frames) = (16_384, 16_384, (1..=20_000).collect());
    }
    let large = (reference_ms(&Work::Finish { frame: 1 }, &job), reference_ms(&Work::Video, &job));
    assert!(small.0 >= 1 && small.1 >= 1 && large.0 > 100 * small.0 && large.1 > 1_000 * small.1);
    if let JobKind::Render(spec) = &mut job.kind {
        let layered = tatau_model::Layered { channels: 11, picture: (480, 270), finish_reference_ms: 777 };
        spec.layered = Some(layered);
    }
    assert_eq!(reference_ms(&Work::Finish { frame: 1 }, &job), 777, "denoising is paid for as it was probed");
    job.reference_ms = 0;
    assert_eq!(reference_ms(&Work::Render { frame: 1, tile: None }, &job), 1);
}

#[test]
fn the_benchmark_gives_one_core_the_score_of_the_class_table() {
    let cpu = tatau_model::card::class("cpu").unwrap().score_milli;
    assert_eq!(cpu, CORE_SCORE_MILLI);
    assert_eq!(BENCHMARK_REFERENCE_MS * 1_000 / 7_000, cpu);
}

#[test]
fn light_audits_are_light() {
    let mut job = render_job(&[1], false);
    job.reference_ms = 1_000_000;
    let crop = Rect { x: 0, y: 0, w: 48, h: 27 };
    let crops = AuditWork::Crops { crops: vec![crop, crop] };
    let work = Work::Render { frame: 1, tile: None };
    assert_eq!(audit_reference_ms(&crops, &work, &job), 20_000 + AUDIT_OVERHEAD_REFERENCE_MS);
    assert_eq!(audit_reference_ms(&AuditWork::Rerun, &work, &job), 1_000_000);
}

#[test]
fn prices_round_up_and_never_vanish() {
    let ask = Amount(NANO);
    assert_eq!(price(ask, 3_600_000).unwrap(), ask);
    assert_eq!(price(ask, 3_600_001).unwrap(), Amount(NANO + 278));
    assert_eq!(price(Amount(1), 1).unwrap(), Amount(1));
    assert_eq!(price(Amount(0), 1_000).unwrap(), Amount(1));
    assert!(price(Amount(i64::MAX), u64::MAX).is_err());
    assert!(price(Amount(i64::MAX), 3_600_000).is_ok());
}
