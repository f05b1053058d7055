use super::*;
use crate::fixtures::{benchmark_job, inspect_job, render_job};

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
        assert_eq!((total_tasks(&job), after_accept(&job, &work, 0)), (1, vec![]));
    }
}

#[test]
fn the_earliest_frame_comes_first_and_the_others_as_the_buyer_wrote_them() {
    let job = render_job(&[9, 3, 7, 5], true);
    let frames: Vec<i32> = next(&job, &Progress { tasks: &[] })
        .into_iter()
        .map(|work| match work {
            Work::Render { frame } => frame,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(frames, [3, 9, 7, 5]);
}

/// Both ways of planning walk the same life, whatever the order of acceptance, and never make a task twice.
#[test]
fn scanning_and_following_plan_the_same_tasks() {
    for (video, seed) in [(true, 1u64), (false, 2), (true, 3), (true, 4)] {
        println!("seed {seed}");
        let job = render_job(&[1, 2, 3, 4, 5], video);
        let mut tasks = states(&next(&job, &Progress { tasks: &[] }), TaskState::Ready);
        let (mut finished, mut accepted, mut random) = (0, 0, seed);
        while let Some(open) = pick(&tasks, &mut random) {
            assert!(!is_last(&job, accepted), "done, yet task {open} is open");
            tasks[open].1 = TaskState::Accepted;
            accepted += 1;
            let work = tasks[open].0.clone();
            finished += usize::from(matches!(work, Work::Finish { .. }));
            let followed = after_accept(&job, &work, finished);
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
    let tasks =
        [(Work::Render { frame: 1 }, TaskState::Failed), (Work::Render { frame: 2 }, TaskState::Accepted)];
    assert_eq!(next(&job, &Progress { tasks: &tasks }), vec![Work::Finish { frame: 2 }]);
}
