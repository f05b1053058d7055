//! Jobs for this crate's tests.

use tatau_model::{
    Address, Amount, BlobId, Job, JobId, JobKind, JobState, Millis, Preview, RenderSpec, Strategy,
};

pub(crate) fn render_job(frames: &[i32], video: bool) -> Job {
    let spec = RenderSpec {
        frames: frames.to_vec(),
        width: 480,
        height: 270,
        samples: 64,
        fps: (24, 1),
        video,
        layered: None,
        preview: Preview::None,
        tiles: None,
        device: tatau_model::Device::Cpu,
    };
    job(JobKind::Render(spec))
}

pub(crate) fn inspect_job() -> Job {
    job(JobKind::Inspect)
}

pub(crate) fn benchmark_job() -> Job {
    job(JobKind::Benchmark {
        node: Address([2; 20]),
        card: 0,
        seed: 0xffff_fff7,
        device: tatau_model::Device::Cpu,
    })
}

fn job(kind: JobKind) -> Job {
    Job {
        id: JobId(3),
        owner: Address([1; 20]),
        name: "test".into(),
        kind,
        state: JobState::Running,
        inputs: Some(BlobId([7; 32])),
        bundle: None,
        scene: "sets/scene.blend".into(),
        environment: "blender-5.0".into(),
        class: None,
        strategy: Strategy::Balanced,
        machines: tatau_model::Machines::default(),
        priority: 0,
        memory_mib: 0,
        deadline: None,
        cap: Amount::tatau(1),
        spent: Amount::ZERO,
        reference_ms: 160,
        created: Millis(0),
        ended: None,
        request_key: "key".into(),
    }
}
