use super::*;
use crate::fixtures::{benchmark_job, inspect_job, render_job};
use tatau_model::BundleStep;

const NONE: Accepted = Accepted { finishes: 0, tiles: 0, steps: Vec::new() };

fn states(works: &[Work], state: TaskState) -> Vec<(Work, TaskState)> {
    works.iter().map(|work| (work.clone(), state)).collect()
}

#[test]
fn small_jobs_have_one_task() {
    for (job, work) in [(inspect_job(), Work::Inspect), (benchmark_job(), Work::Benchmark)] {
        assert_eq!(next(&job, &Progress { tasks: &[] }), vec![work.clone()]);
        assert_eq!(next(&job, &Progress { tasks: &[(work.clone(), TaskState::Leased)] }), vec![]);
        assert!(!is_complete(&job, &Progress { tasks: &[(work.clone(), TaskState::Auditing)] }));
        assert!(is_complete(&job, &Progress { tasks: &[(work.clone(), TaskState::Accepted)] }));
        assert_eq!((total_tasks(&job), after_accept(&job, &work, &NONE)), (1, vec![]));
    }
}

#[test]
fn the_earliest_frame_comes_first_and_the_others_as_the_buyer_wrote_them() {
    let job = render_job(&[9, 3, 7, 5], true);
    let frames: Vec<i32> = next(&job, &Progress { tasks: &[] })
        .into_iter()
        .map(|work| match work {
            Work::Render { frame, tile: None } => frame,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(frames, [3, 9, 7, 5]);
}

/// Both ways of planning walk the same life, whatever the order of acceptance, and never make a task twice.
#[test]
fn scanning_and_following_plan_the_same_tasks() {
    for (video, tiles, seed) in [
        (true, None, 1u64),
        (false, None, 2),
        (true, Some((3, 2)), 3),
        (false, Some((1, 1)), 4),
        (true, Some((2, 1)), 5),
    ] {
        println!("seed {seed}");
        let mut job = render_job(&[1, 2, 3, 4, 5], video);
        if let JobKind::Render(spec) = &mut job.kind {
            spec.tiles = tiles.map(|(columns, rows)| tatau_model::Grid { columns, rows });
        }
        let mut tasks = states(&next(&job, &Progress { tasks: &[] }), TaskState::Ready);
        let (mut finishes, mut accepted, mut random) = (0, 0, seed);
        let mut tiles = std::collections::HashMap::<i32, usize>::new();
        while let Some(open) = pick(&tasks, &mut random) {
            assert!(!is_last(&job, accepted), "done, yet task {open} is open");
            tasks[open].1 = TaskState::Accepted;
            accepted += 1;
            let work = tasks[open].0.clone();
            finishes += usize::from(matches!(work, Work::Finish { .. }));
            let tiles = match work {
                Work::Render { frame, tile: Some(_) } => {
                    let done = tiles.entry(frame).or_default();
                    *done += 1;
                    *done
                }
                _ => 0,
            };
            let followed = after_accept(&job, &work, &Accepted { finishes, tiles, ..NONE });
            assert_eq!(next(&job, &Progress { tasks: &tasks }), followed, "after {work:?}");
            tasks.extend(states(&followed, TaskState::Ready));
        }
        assert_eq!(tasks.len(), total_tasks(&job));
        assert!(is_last(&job, accepted) && is_complete(&job, &Progress { tasks: &tasks }));
        assert_eq!(tasks.iter().any(|(work, _)| *work == Work::Video), video);
    }
}

fn pick(tasks: &[(Work, TaskState)], random: &mut u64) -> Option<usize> {
    let open: Vec<usize> = (0..tasks.len()).filter(|i| tasks[*i].1 == TaskState::Ready).collect();
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (!open.is_empty()).then(|| open[(*random >> 33) as usize % open.len()])
}

#[test]
fn a_failed_frame_gets_no_picture_and_no_second_task() {
    let job = render_job(&[1, 2], true);
    let tasks = [
        (Work::Render { frame: 1, tile: None }, TaskState::Failed),
        (Work::Render { frame: 2, tile: None }, TaskState::Accepted),
    ];
    assert_eq!(next(&job, &Progress { tasks: &tasks }), vec![Work::Finish { frame: 2 }]);
}

#[test]
fn a_preview_is_the_first_the_middle_and_the_last_frame_until_it_is_approved() {
    let mut job = render_job(&[9, 3, 7, 5, 4], false);
    let set = |job: &mut Job, preview| match &mut job.kind {
        JobKind::Render(spec) => spec.preview = preview,
        other => panic!("{other:?}"),
    };
    set(&mut job, Preview::Waiting);
    let first = next(&job, &Progress { tasks: &[] });
    assert_eq!(first, [3, 5, 9].map(|frame| Work::Render { frame, tile: None }));
    assert!(!preview_is_ready(&job, 5) && preview_is_ready(&job, 6));
    assert_eq!(total_tasks(&job), 10, "the whole job is still all of it");
    let accepted = states(&first, TaskState::Accepted);
    let pictures = first.iter().map(|w| match w {
        Work::Render { frame, .. } => (Work::Finish { frame: *frame }, TaskState::Accepted),
        other => panic!("{other:?}"),
    });
    let there: Vec<_> = accepted.into_iter().chain(pictures).collect();
    assert_eq!(next(&job, &Progress { tasks: &there }), vec![]);
    set(&mut job, Preview::Approved);
    assert_eq!(
        next(&job, &Progress { tasks: &there }),
        [7, 4].map(|frame| Work::Render { frame, tile: None })
    );
    assert!(!preview_is_ready(&job, 6));

    let mut small = render_job(&[1, 2, 3], false);
    set(&mut small, Preview::Waiting);
    assert_eq!(next(&small, &Progress { tasks: &[] }).len(), 3);
    assert!(!preview_is_ready(&small, 6), "nothing would be left to approve");
}

/// A diamond and a step of its own: each step begins once all that it waits for are complete, by both ways of planning.
#[test]
fn steps_of_a_bundle_begin_when_those_before_them_are_complete() {
    let step =
        |name: &str, tasks, after: &[u16]| BundleStep { name: name.into(), tasks, after: after.to_vec() };
    let steps = vec![
        step("last", 1, &[1, 2, 3]),
        step("left", 3, &[3]),
        step("right", 2, &[3]),
        step("first", 2, &[]),
        step("alone", 4, &[]),
    ];
    for seed in 1..=20u64 {
        println!("seed {seed}");
        let mut job = render_job(&[1], false);
        job.kind = JobKind::Bundle(BundleSpec { steps: steps.clone(), reproducible: true });
        let mut tasks = states(&next(&job, &Progress { tasks: &[] }), TaskState::Ready);
        assert_eq!(tasks.len(), 6, "{tasks:?}");
        let mut random = seed;
        let mut counts = vec![0; steps.len()];
        while let Some(open) = pick(&tasks, &mut random) {
            tasks[open].1 = TaskState::Accepted;
            let work = tasks[open].0.clone();
            let Work::Task { step, .. } = work else { panic!("{work:?}") };
            let step = usize::from(step);
            for before in &steps[step].after {
                let before = usize::from(*before);
                assert_eq!(counts[before], steps[before].tasks as usize, "{work:?} began too early");
            }
            counts[step] += 1;
            let complete = counts[step] == steps[step].tasks as usize;
            let so_far = Accepted { steps: if complete { counts.clone() } else { Vec::new() }, ..NONE };
            let followed = after_accept(&job, &work, &so_far);
            assert_eq!(next(&job, &Progress { tasks: &tasks }), followed, "after {work:?}");
            tasks.extend(states(&followed, TaskState::Ready));
        }
        assert_eq!(tasks.len(), total_tasks(&job));
    }
}
