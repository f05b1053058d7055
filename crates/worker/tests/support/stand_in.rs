//! Work that a shell-and-Python stand-in for the renderer does, and a node that does it.

use super::{Fake, runner};
use std::{collections::BTreeMap, path::Path};
use tatau_api::Lease;
use tatau_model::{Amount, AttemptId, BlobId, JobId, Millis, Order, OrderFile, SessionOrder, TaskId, Work};
use tatau_worker::{NodeOptions, Place};

/// The stand-in's resident part counts in `/work/count`, so that a new session can be told from an open one.
const PROGRAM: &str = r#"
import hashlib, json, os, struct, sys, time
request = json.load(open(sys.argv[1]))
kind, out = request.get("kind"), "/work/out/"
count = 1 + (int(open("/work/count").read()) if os.path.exists("/work/count") else 0)
open("/work/count", "w").write(str(count))
print("openjd_progress: 50", flush=True)
print("task", count, "of this session", flush=True)
time.sleep(request.get("sleep", 0))
if kind == "fail":
    print("tatau_error: no_camera The scene has no camera; add one.")
    sys.exit(1)
if kind == "die":
    os.kill(int(open("/proc/self/status").read().split("PPid:")[1].split()[0]), 9)
if kind == "hog":
    block = []
    while True: block.append(bytearray(16 << 20))
scene = open("/in/scene/scene.txt").read() if os.path.exists("/in/scene/scene.txt") else ""
pixels = (scene + str(request.get("frame", 0))).encode()
if kind == "render":
    name = out + "frame_%04d" % request["frame"]
    open(name + ".exr", "wb").write(pixels)
    open(name + ".tiles", "wb").write(b"TTIL1\0" + struct.pack("<4I", 4, 2, 64, 4) + hashlib.sha256(pixels).digest())
elif kind == "crops":
    open(out + "crop_0.f32", "wb").write(pixels)
elif kind == "link":
    os.symlink("/etc/passwd", out + "frame_0001.exr")
result = {"width": 4, "height": 2, "samples": 16, "render_ms": 7, "count": count, "env": sorted(os.listdir("/in"))}
if kind == "finish":
    open(out + "frame_%04d.png" % request["frame"], "wb").write(open(request["exr"], "rb").read()[::-1])
json.dump(result, open(out + "result.json", "w"))
"#;

pub fn template() -> String {
    serde_json::json!({
        "specificationVersion": "jobtemplate-2023-09",
        "name": "stand-in",
        "parameterDefinitions": [{"name": "Scene", "type": "STRING"}],
        "steps": [{
            "name": "Run",
            "parameterSpace": {"taskParameterDefinitions": [{"name": "Request", "type": "STRING", "range": ["x"]}]},
            "script": {
                "actions": {"onRun": {"command": "/usr/bin/python3", "args": ["{{Task.File.program}}", "{{Task.Param.Request}}"]}},
                "embeddedFiles": [{"name": "program", "type": "TEXT", "data": PROGRAM}],
            },
        }],
    })
    .to_string()
}

/// An order for the stand-in; `scene` names the session.
pub fn order(
    holder: &str,
    work: Work,
    scene: &str,
    inputs: Option<BlobId>,
    request: &serde_json::Value,
) -> Order {
    let parameters = BTreeMap::from([("Request".to_owned(), format!("/in/requests/{holder}.json"))]);
    Order {
        job: JobId(1),
        work,
        device: tatau_model::Device::Cpu,
        session: SessionOrder {
            template: template(),
            parameters: BTreeMap::from([("Scene".to_owned(), scene.to_owned())]),
            step: "Run".into(),
            environment: "stand-in".into(),
            inputs,
        },
        parameters,
        request: Some(request.to_string()),
        files: Vec::new(),
        limit_ms: 30_000,
    }
}

pub fn with_files(mut order: Order, files: &[(&str, BlobId, u64)]) -> Order {
    let file = |f: &(&str, BlobId, u64)| OrderFile { name: f.0.into(), blob: f.1, bytes: f.2 };
    order.files = files.iter().map(file).collect();
    order
}

/// A render lease on card 0.
pub fn lease(attempt: u64, frame: i32, inputs: Option<BlobId>, more: &serde_json::Value) -> Lease {
    let mut request = serde_json::json!({"kind": "render", "frame": frame});
    request.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    let holder = AttemptId(attempt).to_string();
    Lease {
        attempt: AttemptId(attempt),
        task: TaskId(100 + attempt),
        card: 0,
        price: Amount(5),
        due: Millis(i64::MAX),
        order: order(&holder, Work::Render { frame, tile: None }, "scene", inputs, &request),
    }
}

/// A manifest with one file `scene.txt`, put on the platform.
pub fn scene(fake: &Fake, text: &str) -> BlobId {
    let blob = fake.put(text.as_bytes());
    let file = tatau_blobs::ManifestFile { path: "scene.txt".into(), blob, bytes: text.len() as u64 };
    fake.put(&tatau_blobs::Manifest::new(vec![file]).unwrap().to_json().unwrap())
}

/// Folders of the stand-in's environment.
pub fn place(root: &Path) -> Place {
    use std::os::unix::fs::PermissionsExt;
    let folder = |name: &str| {
        let path = root.join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    Place { environment: folder("env-stand-in"), runtime: folder("runtime-stand-in"), licence: None }
}

/// A node with one small slot.
pub fn options(root: &Path, runner_name: &str) -> NodeOptions {
    let owner = tatau_evidence::SigningKey::generate(&mut rand::rng());
    let mut options = NodeOptions::new(root.join("node"), root.join("cache"), Some(owner)).unwrap();
    options.environments = vec!["stand-in".into()];
    options.places = BTreeMap::from([("stand-in".to_owned(), place(root))]);
    options.runner = runner(runner_name);
    options.runner_args = Vec::new();
    options.slots = Some(1);
    options.threads = Some(1);
    options.memory_mib = Some(512);
    options.blob_cap_bytes = 64 << 20;
    options
}
