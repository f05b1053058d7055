//! Orders: everything a node needs for one task or one audit.

use crate::audit::{self, BENCHMARK};
use crate::template::{self, Bundle};
use crate::trace;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tatau_model::{
    AttemptId, AuditId, AuditWork, Device, Job, JobId, JobKind, Order, OrderFile, Rect, RenderSpec,
    SessionOrder, Work,
};

/// Where the outputs of a task appear inside the sandbox.
pub const OUTPUT_DIR: &str = "/work/out";
/// Where the input manifest is laid out inside the sandbox.
pub const SCENE_DIR: &str = "/in/scene";

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A verified file that the task starts from is not among those given.
    #[error("{what} cannot start, because {name} is not there yet; finish the task that makes it first")]
    MissingFile {
        /// The task.
        what: String,
        /// The file.
        name: String,
    },
    /// The job's scene is no path inside its inputs.
    #[error("{0}")]
    Scene(String),
    /// The task does not belong to this kind of job.
    #[error("{0} is no task of this job")]
    WrongJob(String),
}

/// The order for an attempt at a task. `bundle` is the job's own, checked when it was submitted; `files` are the verified
/// files that it starts from (the raw frame for a picture, all pictures for a video).
pub fn task_order(
    job: &Job,
    bundle: Option<&Bundle>,
    attempt: AttemptId,
    work: &Work,
    files: Vec<OrderFile>,
    limit_ms: u64,
) -> Result<Order, OrderError> {
    work_order(job, bundle, &attempt.to_string(), work, files, limit_ms)
}

/// The order for an audit: the drawn crops, in the session that all audits of the job share; or the whole task again.
pub fn audit_order(
    job: &Job,
    bundle: Option<&Bundle>,
    audit: AuditId,
    part: &AuditWork,
    work: &Work,
    files: Vec<OrderFile>,
    limit_ms: u64,
) -> Result<Order, OrderError> {
    let AuditWork::Crops { crops } = part else {
        return work_order(job, bundle, &audit.to_string(), work, files, limit_ms);
    };
    let (scene, request) = match (work, &job.kind) {
        (Work::Render { frame, tile }, JobKind::Render(spec)) => {
            let mut request = frozen("crops", spec);
            request["frame"] = json!(frame);
            // A tile's crops count from its corner; the scene knows whole frames.
            let (left, top) = match tile {
                Some(tile) => place_of(spec, work, *tile).map(|rect| (rect.x, rect.y))?,
                None => (0, 0),
            };
            let in_frame = |crop: &Rect| Rect { x: crop.x + left, y: crop.y + top, ..*crop };
            request["crops"] = json!(crops.iter().map(in_frame).collect::<Vec<_>>());
            (Scene::OfJob, request)
        }
        (Work::Benchmark, _) => {
            let device = job.device().name();
            let request = json!({
                "kind": "crops", "frame": 1, "crops": crops, "benchmark": benchmark(job)?, "device": device,
            });
            (Scene::None, request)
        }
        _ => return Err(OrderError::WrongJob(work.label())),
    };
    request_order(job, scene, &audit.to_string(), work, &request, Vec::new(), limit_ms)
}

/// What a task of a bundle runs: text and values as they were checked when the job was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramRun {
    /// Job template.
    pub template: String,
    /// Job parameters, their paths as the sandbox has them.
    pub parameters: BTreeMap<String, String>,
    /// Name of the step.
    pub step: String,
    /// Task parameters.
    pub task: BTreeMap<String, String>,
}

/// The order for a task of a bundle, or for the same again as its audit. `files` are what the steps left that it waited for.
pub fn program_order(job: &Job, work: &Work, run: ProgramRun, files: Vec<OrderFile>, limit_ms: u64) -> Order {
    Order {
        job: job.id,
        work: work.clone(),
        device: Device::Cpu,
        session: SessionOrder {
            template: run.template,
            parameters: run.parameters,
            step: run.step,
            environment: job.environment.clone(),
            inputs: job.inputs,
        },
        parameters: run.task,
        request: None,
        files,
        limit_ms,
    }
}

/// Does the session load the job's scene?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    OfJob,
    None,
}

fn work_order(
    job: &Job,
    bundle: Option<&Bundle>,
    id: &str,
    work: &Work,
    files: Vec<OrderFile>,
    limit_ms: u64,
) -> Result<Order, OrderError> {
    let (scene, request) = match (work, &job.kind) {
        (Work::Render { frame, tile: None }, JobKind::Render(spec)) => {
            return render_order(job, spec, bundle, *frame, limit_ms);
        }
        (Work::Render { frame, tile: Some(tile) }, JobKind::Render(spec)) => {
            let mut request = frozen("render_tile", spec);
            request["frame"] = json!(frame);
            request["tile"] = json!(place_of(spec, work, *tile)?);
            request["name"] = json!(trace::raw_file(work));
            (Scene::OfJob, request)
        }
        (Work::Stitch { frame }, JobKind::Render(spec)) => {
            let mut parts = Vec::new();
            for tile in 0..spec.tiles.map_or(0, tatau_model::Grid::count) {
                let Rect { x, y, w, h } = place_of(spec, work, tile)?;
                let made = Work::Render { frame: *frame, tile: Some(tile) };
                let name = trace::raw_file(&made).unwrap_or_default();
                parts
                    .push(json!({"file": path_of(work, id, &name, &files)?, "x": x, "y": y, "w": w, "h": h}));
            }
            let request = json!({
                "kind": "stitch", "frame": frame, "width": spec.width, "height": spec.height, "channels": spec.channels(),
                "parts": parts,
            });
            (Scene::None, request)
        }
        (Work::Inspect, JobKind::Inspect) => (Scene::OfJob, json!({"kind": "inspect", "probe": true})),
        (Work::Benchmark, JobKind::Benchmark { .. }) => {
            let mut request = benchmark(job)?;
            request["kind"] = json!("benchmark");
            request["device"] = json!(job.device().name());
            (Scene::None, request)
        }
        (Work::Finish { frame }, JobKind::Render(_)) => {
            let name = trace::frame_name(*frame) + ".exr";
            let path = path_of(work, id, &name, &files)?;
            (Scene::OfJob, json!({"kind": "finish", "frame": frame, "exr": path}))
        }
        (Work::Video, JobKind::Render(spec)) => {
            let mut frames = spec.frames.clone();
            frames.sort_unstable();
            let names: std::collections::HashSet<&str> = files.iter().map(|f| f.name.as_str()).collect();
            let mut pngs = Vec::with_capacity(frames.len());
            for frame in frames {
                let name = trace::frame_name(frame) + ".png";
                if !names.contains(name.as_str()) {
                    return Err(OrderError::MissingFile { what: work.label(), name });
                }
                pngs.push(file_path(id, &name));
            }
            let (num, den) = spec.fps;
            (Scene::None, json!({"kind": "video", "pngs": pngs, "fps": {"num": num, "den": den}}))
        }
        _ => return Err(OrderError::WrongJob(work.label())),
    };
    request_order(job, scene, id, work, &request, files, limit_ms)
}

/// A request with the values that were paid for, so that a frame and its audits are made with the same ones, whatever the
/// scene says.
fn frozen(kind: &str, spec: &RenderSpec) -> Value {
    json!({
        "kind": kind, "width": spec.width, "height": spec.height, "samples": spec.samples, "device": spec.device.name(),
    })
}

/// Where the session finds the job's scene.
fn scene_path(job: &Job) -> Result<String, OrderError> {
    template::check_scene(&job.scene).map_err(|e| OrderError::Scene(e.sentence))?;
    Ok(format!("{SCENE_DIR}/{}", job.scene))
}

fn benchmark(job: &Job) -> Result<Value, OrderError> {
    let JobKind::Benchmark { seed, .. } = job.kind else {
        return Err(OrderError::WrongJob(Work::Benchmark.label()));
    };
    Ok(json!({
        // The runtime takes 31 bits.
        "seed": seed & 0x7fff_ffff,
        "width": BENCHMARK.width, "height": BENCHMARK.height, "samples": BENCHMARK.samples,
    }))
}

/// Where a tile lies in the job's frames.
fn place_of(spec: &RenderSpec, work: &Work, tile: u16) -> Result<Rect, OrderError> {
    audit::tile_rect(spec, tile).ok_or_else(|| OrderError::WrongJob(work.label()))
}

/// Where `/in/files` has a file of this attempt or audit.
fn file_path(id: &str, name: &str) -> String {
    format!("/in/files/{id}/{name}")
}

fn path_of(work: &Work, id: &str, name: &str, files: &[OrderFile]) -> Result<String, OrderError> {
    if files.iter().any(|file| file.name == name) {
        return Ok(file_path(id, name));
    }
    Err(OrderError::MissingFile { what: work.label(), name: name.to_owned() })
}

/// A frame, by the bundle's own step.
fn render_order(
    job: &Job,
    spec: &RenderSpec,
    bundle: Option<&Bundle>,
    frame: i32,
    limit_ms: u64,
) -> Result<Order, OrderError> {
    let parameters = [
        ("Name", "frames".to_owned()),
        ("Scene", scene_path(job)?),
        ("Request", frozen("render", spec).to_string()),
        // The platform decides which tasks exist; the session only learns the parameter's type from its range.
        ("Frames", "1".to_owned()),
        ("OutputDir", OUTPUT_DIR.to_owned()),
    ];
    Ok(Order {
        job: job.id,
        work: Work::Render { frame, tile: None },
        device: spec.device,
        session: SessionOrder {
            template: bundle.map_or(template::RENDER, Bundle::template).to_owned(),
            parameters: parameters.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            step: template::RENDER_STEP.to_owned(),
            environment: job.environment.clone(),
            inputs: job.inputs,
        },
        parameters: BTreeMap::from([("Frame".to_owned(), frame.to_string())]),
        request: None,
        files: Vec::new(),
        limit_ms,
    })
}

/// Anything else, by the platform's own step that takes a request.
fn request_order(
    job: &Job,
    scene: Scene,
    id: &str,
    work: &Work,
    request: &Value,
    files: Vec<OrderFile>,
    limit_ms: u64,
) -> Result<Order, OrderError> {
    let (scene, inputs) = match scene {
        Scene::OfJob => (scene_path(job)?, job.inputs),
        Scene::None => ("-".to_owned(), None),
    };
    Ok(Order {
        job: job.id,
        work: work.clone(),
        device: if work.is_on_device() { job.device() } else { Device::Cpu },
        session: request_session(&job.environment, &scene, inputs),
        parameters: BTreeMap::from([("Request".to_owned(), format!("/in/requests/{id}.json"))]),
        request: Some(request.to_string()),
        files,
        limit_ms,
    })
}

/// Whether something can be rendered on `device` in this environment, for a machine's own eyes: no job, no scene. `id` names the request's file.
pub fn check_order(id: &str, environment: &str, device: Device, limit_ms: u64) -> Order {
    Order {
        job: JobId::default(),
        // Its files are named as a benchmark's.
        work: Work::Benchmark,
        device,
        session: request_session(environment, "-", None),
        parameters: BTreeMap::from([("Request".to_owned(), format!("/in/requests/{id}.json"))]),
        request: Some(json!({"kind": "check_device", "device": device.name()}).to_string()),
        files: Vec::new(),
        limit_ms,
    }
}

/// The session that answers requests about `scene` (a path inside the sandbox, or `-` for none); the comparator's too.
pub fn request_session(environment: &str, scene: &str, inputs: Option<tatau_model::BlobId>) -> SessionOrder {
    SessionOrder {
        template: template::REQUEST.to_owned(),
        parameters: BTreeMap::from([("Scene".to_owned(), scene.to_owned())]),
        step: template::REQUEST_STEP.to_owned(),
        environment: environment.to_owned(),
        inputs,
    }
}

#[cfg(test)]
#[path = "tests/order.rs"]
mod tests;
