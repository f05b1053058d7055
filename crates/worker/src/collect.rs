//! What a task left, hashed and measured: the content of a receipt or of an audit's commitment.

use crate::Fault;
use serde::Deserialize;
use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};
use tatau_evidence::{Domain, SigningKey, manifest_root, sign_receipt};
use tatau_model::{AttemptId, Digest, JobId, OutputFile, Receipt, TaskId, Work};
use tatau_workload::trace::{
    MAX_RESULT_BYTES, MAX_TRACE_BYTES, OUTPUT_NAMES, RESULT, Tiles, check_frame, check_outputs,
    expected_files, is_output_name, trace_file,
};

/// Most files of one task.
const MOST_FILES: usize = 256;

/// A task's files and what is claimed about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Sorted by name.
    pub files: Vec<OutputFile>,
    /// Root over the files.
    pub manifest_root: Digest,
    /// Root over the trace; the manifest root where the work has no trace.
    pub trace_root: Digest,
    /// Pixel-samples of a frame, 1 for other tasks.
    pub units: u64,
    /// The frame's trace, if it has one.
    pub tiles: Option<Tiles>,
    /// Time of the work without loading, as the runtime measured it.
    pub render_ms: Option<u64>,
}

/// The keys of `result.json` that are read here.
#[derive(Debug, Deserialize)]
struct TaskResult {
    width: Option<u64>,
    height: Option<u64>,
    samples: Option<u64>,
    render_ms: Option<f64>,
}

/// Did the task leave exactly the files that its work delivers? Asked before anything is promised.
pub fn check_names(work: &Work, names: &[String]) -> Result<(), Fault> {
    if matches!(work, Work::Task { .. }) {
        return check_unknown(names);
    }
    let expected = expected_files(work);
    let lacks = expected.iter().find(|name| !names.contains(name));
    let odd = names.iter().find(|name| !expected.contains(name));
    match (lacks, odd) {
        (None, None) => Ok(()),
        (Some(name), _) => Err(bad(format!("the task left no {name}"))),
        (None, Some(name)) => Err(bad(format!("the task left {name}, which its work does not deliver"))),
    }
}

/// Of a bundle's task: some files, none with a name that the platform would refuse.
fn check_unknown(names: &[String]) -> Result<(), Fault> {
    if let Some(name) = names.iter().find(|name| !is_output_name(name)) {
        return Err(bad(format!("the task left {name}; {OUTPUT_NAMES}")));
    }
    if names.is_empty() { Err(bad("the task left no file in the outputs' folder")) } else { Ok(()) }
}

/// Hashes the files of a task of its provider and reads its trace. Files that the platform would not take, by name or size,
/// are a fault here: nothing is promised that cannot be delivered. Blocking work is done away from the async threads.
pub async fn collect(work: &Work, folder: &Path) -> Result<Collected, Fault> {
    let work = work.clone();
    in_background(folder, move |folder| collect_task(&work, folder)).await
}

fn collect_task(work: &Work, folder: &Path) -> Result<Collected, Fault> {
    let collected = collect_now(work, folder, trace_file(work).as_deref())?;
    let fits = match &collected.tiles {
        Some(tiles) => check_frame(work, tiles, &collected.files),
        None => check_outputs(work, &collected.files),
    };
    fits.map_err(|e| bad(e.to_string()))?;
    Ok(collected)
}

/// Hashes the files of an audit, which have no trace.
pub async fn collect_audit(work: &Work, folder: &Path) -> Result<Collected, Fault> {
    let work = work.clone();
    in_background(folder, move |folder| collect_now(&work, folder, None)).await
}

async fn in_background(
    folder: &Path,
    work: impl FnOnce(&Path) -> Result<Collected, Fault> + Send + 'static,
) -> Result<Collected, Fault> {
    let folder = folder.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&folder)).await;
    done.unwrap_or_else(|_| Err(Fault::new("disk", "reading the outputs was broken off")))
}

fn collect_now(work: &Work, folder: &Path, trace: Option<&str>) -> Result<Collected, Fault> {
    let files = hash_files(folder)?;
    let manifest_root = manifest_root(&files);
    if matches!(work, Work::Task { .. }) {
        // A stranger's program writes no report; one task is one unit.
        let trace_root = manifest_root;
        return Ok(Collected { files, manifest_root, trace_root, units: 1, tiles: None, render_ms: None });
    }
    let result = read_result(folder)?;
    let (trace_root, units, tiles) = if let Some(name) = trace {
        let bytes = read_limited(&folder.join(name), MAX_TRACE_BYTES)?;
        let tiles = Tiles::parse(&bytes).map_err(|e| bad(e.to_string()))?;
        let root = tiles.root().map_err(|e| bad(e.to_string()))?;
        (root, pixel_samples(&result)?, Some(tiles))
    } else {
        (manifest_root, 1, None)
    };
    let render_ms = result.render_ms.filter(|ms| ms.is_finite() && *ms >= 0.0).map(|ms| ms.round() as u64);
    Ok(Collected { files, manifest_root, trace_root, units, tiles, render_ms })
}

impl Collected {
    /// The signed claim of this node.
    pub fn receipt(
        &self,
        domain: &Domain,
        key: &SigningKey,
        attempt: AttemptId,
        task: TaskId,
        job: JobId,
        claimed_ms: u64,
    ) -> Receipt {
        let mut receipt = Receipt {
            manifest_root: self.manifest_root,
            trace_root: self.trace_root,
            units: self.units,
            claimed_ms,
            energy_j: 0,
            signature: String::new(),
        };
        sign_receipt(domain, key, attempt, task, job, &mut receipt);
        receipt
    }
}

fn bad(sentence: impl Into<String>) -> Fault {
    Fault::new("bad_output", sentence)
}

fn disk(e: &io::Error) -> Fault {
    Fault::new("disk", format!("the outputs cannot be read: {e}"))
}

/// The files in `folder` and its folders, by name.
fn hash_files(folder: &Path) -> Result<Vec<OutputFile>, Fault> {
    let mut files = Vec::new();
    hash_below(folder, "", &mut files)?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn hash_below(folder: &Path, prefix: &str, files: &mut Vec<OutputFile>) -> Result<(), Fault> {
    for entry in fs::read_dir(folder).map_err(|e| disk(&e))? {
        let entry = entry.map_err(|e| disk(&e))?;
        let name = entry.file_name().into_string().map_err(|_| bad("an output's name is not UTF-8"))?;
        let name = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(|e| disk(&e))?;
        if kind.is_dir() {
            // As deep as the sandbox hands them out.
            hash_below(&entry.path(), &format!("{name}/"), files)?;
            continue;
        }
        if !kind.is_file() {
            return Err(bad(format!("the output {name} is no plain file")));
        }
        if files.len() == MOST_FILES {
            return Err(bad(format!("there are more than {MOST_FILES} outputs")));
        }
        let (blob, bytes) =
            tatau_blobs::hash_file(&entry.path()).map_err(|e| Fault::new("disk", e.to_string()))?;
        // A receipt must not outlive what it promises.
        File::open(entry.path()).and_then(|file| file.sync_data()).map_err(|e| disk(&e))?;
        files.push(OutputFile { name, blob, bytes });
    }
    Ok(())
}

fn read_limited(path: &Path, most: u64) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 <= most => Ok(bytes),
        Ok(_) => Err(bad(format!("{name} is larger than {most} bytes"))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(bad(format!("the task left no {name}"))),
        Err(e) => Err(disk(&e)),
    }
}

fn read_result(folder: &Path) -> Result<TaskResult, Fault> {
    let bytes = read_limited(&folder.join(RESULT), MAX_RESULT_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|e| bad(format!("the task's result.json cannot be read: {e}")))
}

fn pixel_samples(result: &TaskResult) -> Result<u64, Fault> {
    let factors = [result.width, result.height, result.samples];
    factors
        .into_iter()
        .try_fold(1_u64, |product, factor| product.checked_mul(factor.filter(|n| *n > 0)?))
        .ok_or_else(|| bad("the task's result.json lacks width, height or samples"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        dir
    }

    #[test]
    fn files_are_sorted_hashed_and_rooted() {
        let dir = folder(&[("result.json", b"{\"render_ms\": 12.6}"), ("a.png", b"x")]);
        let got = collect_now(&Work::Video, dir.path(), None).unwrap();
        assert_eq!(got.files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["a.png", "result.json"]);
        assert_eq!(got.files[0].blob.0, *blake3::hash(b"x").as_bytes());
        assert_eq!((got.units, got.render_ms), (1, Some(13)));
        assert_eq!(got.trace_root, got.manifest_root);
    }

    #[test]
    fn files_that_the_platform_would_not_take_are_never_promised() {
        let mut tiles = b"TTIL1\0".to_vec();
        for field in [4_u32, 2, 64, 4] {
            tiles.extend(field.to_le_bytes());
        }
        tiles.extend([7; 32]);
        let result = b"{\"width\":4,\"height\":2,\"samples\":16}";
        let work = Work::Render { frame: 1, tile: None };
        let made = |exr: &[u8]| {
            let dir =
                folder(&[("frame_0001.exr", exr), ("frame_0001.tiles", &tiles), ("result.json", result)]);
            collect_task(&work, dir.path())
        };
        assert_eq!(made(b"pixels").unwrap().tiles.map(|t| (t.width, t.height, t.channels)), Some((4, 2, 4)));
        let told = made(&vec![0; (1 << 20) + 8 * 17 + 1]).unwrap_err();
        assert!(told.code == "bad_output" && told.sentence.contains("frame_0001.exr"), "{told:?}");
        assert_eq!(made(b"").unwrap_err().code, "bad_output");
        let picture = folder(&[("frame_0001.png", b""), ("result.json", b"{}")]);
        assert_eq!(collect_task(&Work::Finish { frame: 1 }, picture.path()).unwrap_err().code, "bad_output");
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_and_never_a_zero() {
        for files in [
            &[("a.png", b"x" as &[u8])][..],
            &[("result.json", b"{")],
            &[("result.json", b"{\"width\": \"wide\"}")],
        ] {
            assert_eq!(collect_now(&Work::Video, folder(files).path(), None).unwrap_err().code, "bad_output");
        }
        let untraced = folder(&[("result.json", b"{\"width\":1,\"height\":1,\"samples\":1}")]);
        assert_eq!(
            collect_now(&Work::Video, untraced.path(), Some("frame_0001.tiles")).unwrap_err().code,
            "bad_output"
        );
        let linked = folder(&[("result.json", b"{}")]);
        std::os::unix::fs::symlink("/etc/passwd", linked.path().join("b")).unwrap();
        assert_eq!(collect_now(&Work::Video, linked.path(), None).unwrap_err().code, "bad_output");
        for none in [(0, 1, 1), (u64::MAX, 2, 1)] {
            let result = TaskResult {
                width: Some(none.0),
                height: Some(none.1),
                samples: Some(none.2),
                render_ms: None,
            };
            assert!(pixel_samples(&result).is_err());
        }
    }
}
