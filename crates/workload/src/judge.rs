//! What the comparator is asked about a claim and a re-computation, and how its answer becomes a measurement.
//!
//! The comparator opens hostile files inside a sandbox, so its answer is a stranger's text too: it is read with limits, and
//! what does not fit the question is refused, never taken for agreement.

use crate::{audit, inspection, trace};
use serde::Deserialize;
use serde_json::{Value, json};
use tatau_model::{AuditWork, Job, Measurement, OutputFile, Work, audit::PartMeasurement};

/// Largest answer.
pub const MAX_ANSWER_BYTES: usize = 1 << 20;
/// Longest sentence kept, characters.
const MAX_SENTENCE: usize = 300;
/// One whole, ppm.
const MILLION: u32 = 1_000_000;
/// Faults that an answer may name.
const FAULTS: &[&str] = &["wrong_size", "nan", "bad_file", "tiles_mismatch", "crop_malformed"];
/// The fault of a validator's own unreadable file; never held against a claim.
const VALIDATOR_FILE: &str = "validator_file";

/// A file's name and where it lies (inside the comparator's sandbox).
pub type Placed = (String, String);

/// Why there is no question, or no measurement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    /// A file that the comparison needs is not there.
    #[error("{0} is missing, so nothing can be compared; deliver every file that the task lists")]
    Missing(String),
    /// This work is compared otherwise.
    #[error("{0} is not compared by pixels; use compare_inspections")]
    NotPixels(String),
    /// The comparator's answer does not fit the question.
    #[error("the comparator's answer {0}; run the comparison again")]
    Answer(&'static str),
}

fn place<'a>(files: &'a [Placed], name: &str) -> Result<&'a str, JudgeError> {
    let found = files.iter().find(|(known, _)| known == name);
    found.map(|(_, path)| path.as_str()).ok_or_else(|| JudgeError::Missing(name.to_owned()))
}

/// Name of the file of crop `index` that a validator delivers.
pub fn crop_file(index: usize) -> String {
    format!("crop_{index}.f32")
}

/// The request (JSON) that compares the claimed files with a validator's. Inspections have none: see [`compare_inspections`].
pub fn judge_request(
    work: &Work,
    part: &AuditWork,
    job: &Job,
    claim: &[Placed],
    mine: &[Placed],
) -> Result<String, JudgeError> {
    let AuditWork::Crops { crops } = part else { return whole_request(work, job, claim, mine) };
    let (Some(raw), Some(tiles), Some((width, height))) =
        (trace::raw_file(work), trace::trace_file(work), audit::frame_size(work, job))
    else {
        return Err(JudgeError::NotPixels(work.label()));
    };
    let mut rows = Vec::with_capacity(crops.len());
    for (index, crop) in crops.iter().enumerate() {
        let file = place(mine, &crop_file(index))?;
        rows.push(json!({"x": crop.x, "y": crop.y, "w": crop.w, "h": crop.h, "file": file}));
    }
    let request = json!({
        "kind": "compare", "claim": place(claim, &raw)?, "tiles": place(claim, &tiles)?,
        "width": width, "height": height, "channels": audit::channels(job), "crops": rows,
    });
    Ok(request.to_string())
}

/// The request (JSON) that compares two validators' re-computations of the same part.
pub fn agree_request(
    work: &Work,
    part: &AuditWork,
    job: &Job,
    a: &[Placed],
    b: &[Placed],
) -> Result<String, JudgeError> {
    let AuditWork::Crops { crops } = part else { return whole_request(work, job, a, b) };
    let all = |files: &[Placed]| -> Result<Vec<String>, JudgeError> {
        (0..crops.len()).map(|index| place(files, &crop_file(index)).map(str::to_owned)).collect()
    };
    Ok(json!({"kind": "compare_crops", "a": all(a)?, "b": all(b)?}).to_string())
}

fn whole_request(work: &Work, job: &Job, a: &[Placed], b: &[Placed]) -> Result<String, JudgeError> {
    let size = match &job.kind {
        tatau_model::JobKind::Render(spec) => Some(spec.picture()),
        _ => None,
    };
    match (work, size) {
        (Work::Finish { frame }, Some((width, height))) => {
            let name = trace::frame_name(*frame) + ".png";
            let (a, b) = (place(a, &name)?, place(b, &name)?);
            Ok(json!({"kind": "compare_images", "a": a, "b": b, "width": width, "height": height})
                .to_string())
        }
        (Work::Stitch { .. }, _) => {
            let (Some(raw), Some(tiles), Some((width, height))) =
                (trace::raw_file(work), trace::trace_file(work), audit::frame_size(work, job))
            else {
                return Err(JudgeError::NotPixels(work.label()));
            };
            let request = json!({
                "kind": "compare_frames", "claim": place(a, &raw)?, "tiles": place(a, &tiles)?, "other_tiles": place(b, &tiles)?,
                "width": width, "height": height, "channels": audit::channels(job),
            });
            Ok(request.to_string())
        }
        (Work::Video, _) => {
            let (a, b) = (place(a, trace::VIDEO)?, place(b, trace::VIDEO)?);
            Ok(json!({"kind": "compare_video", "a": a, "b": b}).to_string())
        }
        _ => Err(JudgeError::NotPixels(work.label())),
    }
}

/// One inspection's report against another's, apart from what each measured of its own machine (`probe`). One part of one
/// value: equal or not.
pub fn compare_inspections(claim: &[u8], mine: &[u8]) -> Measurement {
    let Ok(mine) = inspection::comparable(mine) else {
        return fault(VALIDATOR_FILE, "the validator's report cannot be read".to_owned());
    };
    let claim = match inspection::comparable(claim) {
        Ok(claim) => claim,
        Err(error) => return fault("bad_file", error.to_string()),
    };
    let (sentence, equal) = match first_difference(&claim, &mine) {
        None => (String::new(), true),
        Some(key) => (format!("the reports differ in {key}"), false),
    };
    let differs = if equal { 0 } else { MILLION };
    Measurement {
        fault: None,
        sentence,
        parts: vec![PartMeasurement {
            pixels: 1,
            equal_ppm: MILLION - differs,
            over_1e3_ppm: differs,
            over_1e2_ppm: differs,
            rel_l1_ppm: differs,
        }],
    }
}

/// Files of a bundle's task against those of its re-run, by their contents. One part: a file is the same or is not.
pub fn compare_files(claim: &[OutputFile], mine: &[OutputFile]) -> Measurement {
    if mine.is_empty() {
        return fault(VALIDATOR_FILE, "the validator revealed no file".to_owned());
    }
    let other = |file: &&OutputFile, among: &[OutputFile]| {
        !among.iter().any(|one| one.name == file.name && one.blob == file.blob)
    };
    let odd: Vec<&OutputFile> = claim.iter().filter(|file| other(file, mine)).collect();
    let lacking = mine.iter().filter(|file| !claim.iter().any(|one| one.name == file.name)).count();
    let all = claim.len().max(mine.len()).max(1) as u64;
    let differs = (odd.len() + lacking) as u64 * u64::from(MILLION) / all;
    let differs = u32::try_from(differs).unwrap_or(MILLION).min(MILLION);
    let sentence = odd.first().map_or_else(
        || if lacking > 0 { "files are lacking".to_owned() } else { String::new() },
        |file| format!("{} is another file", clean(&file.name, 60)),
    );
    Measurement {
        fault: None,
        sentence,
        parts: vec![PartMeasurement {
            pixels: all,
            equal_ppm: MILLION - differs,
            over_1e3_ppm: differs,
            over_1e2_ppm: differs,
            rel_l1_ppm: differs,
        }],
    }
}

/// The first key whose value differs.
fn first_difference(a: &Value, b: &Value) -> Option<String> {
    if a == b {
        return None;
    }
    let keys = |v: &Value| v.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let differs = keys(a).into_iter().chain(keys(b)).find(|key| a.get(key) != b.get(key));
    Some(differs.map_or_else(|| "their shape".to_owned(), |key| clean(&key, 40)))
}

fn fault(code: &str, sentence: String) -> Measurement {
    Measurement { fault: Some(code.to_owned()), sentence, parts: Vec::new() }
}

/// Printable, short.
fn clean(text: &str, most: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(most).collect()
}

#[derive(Deserialize)]
struct Answer {
    kind: String,
    fault: Option<String>,
    side: Option<String>,
    sentence: Option<String>,
    crops: Option<Vec<CropRow>>,
    pixels: Option<u64>,
    equal: Option<f64>,
    max_diff: Option<f64>,
}

#[derive(Deserialize)]
struct CropRow {
    pixels: u64,
    equal: f64,
    over_1e3: f64,
    over_1e2: f64,
    rel_l1: f64,
}

/// The comparator's `result.json` as a measurement. `asked` is the request it answers: another kind of answer, another
/// number of crops, a crop of another size or a number that is no share is refused.
pub fn parse_measurement(asked: &str, part: &AuditWork, result: &[u8]) -> Result<Measurement, JudgeError> {
    if result.len() > MAX_ANSWER_BYTES {
        return Err(JudgeError::Answer("is longer than a mebibyte"));
    }
    let question: Value =
        serde_json::from_str(asked).map_err(|_| JudgeError::Answer("has no readable question"))?;
    let answer: Answer =
        serde_json::from_slice(result).map_err(|_| JudgeError::Answer("is not the JSON it should be"))?;
    if question.get("kind").and_then(Value::as_str) != Some(answer.kind.as_str()) {
        return Err(JudgeError::Answer("is one to another question"));
    }
    let sentence = clean(answer.sentence.as_deref().unwrap_or_default(), MAX_SENTENCE);
    if let Some(code) = answer.fault.as_deref() {
        if !FAULTS.contains(&code) {
            return Err(JudgeError::Answer("names a fault that is not known"));
        }
        // `side` a is the claim; where the validator's own file is at fault too, nothing is held against the claim.
        let code = if matches!(answer.side.as_deref(), Some("b" | "both")) { VALIDATOR_FILE } else { code };
        return Ok(fault(code, sentence));
    }
    let parts = match part {
        AuditWork::Crops { crops } => {
            let rows = answer.crops.ok_or(JudgeError::Answer("lists no crops"))?;
            if rows.len() != crops.len() {
                return Err(JudgeError::Answer("lists another number of crops"));
            }
            let pairs = rows.iter().zip(crops);
            pairs
                .map(|(row, crop)| crop_part(row, u64::from(crop.w) * u64::from(crop.h)))
                .collect::<Result<_, _>>()?
        }
        AuditWork::Rerun => vec![whole_part(&answer)?],
    };
    Ok(Measurement { fault: None, sentence, parts })
}

fn crop_part(row: &CropRow, pixels: u64) -> Result<PartMeasurement, JudgeError> {
    if row.pixels != pixels {
        return Err(JudgeError::Answer("measures a crop of another size"));
    }
    let equal = share(row.equal)?;
    Ok(PartMeasurement {
        pixels,
        equal_ppm: equal.floor() as u32,
        over_1e3_ppm: share(row.over_1e3)?.ceil() as u32,
        over_1e2_ppm: share(row.over_1e2)?.ceil() as u32,
        rel_l1_ppm: distance(row.rel_l1)?,
    })
}

/// Decoded pictures and videos: every pixel that is not equal counts as different beyond 1e-3; beyond 1e-2 where any channel
/// is 3 of 255 or more off; the relative distance is the share times the largest difference, an upper bound.
fn whole_part(answer: &Answer) -> Result<PartMeasurement, JudgeError> {
    let (Some(pixels @ 1..), Some(equal), Some(max_diff)) = (answer.pixels, answer.equal, answer.max_diff)
    else {
        return Err(JudgeError::Answer("lacks a number"));
    };
    let equal_ppm = share(equal)?.floor() as u32;
    if !(0.0..=65_535.0).contains(&max_diff) {
        return Err(JudgeError::Answer("has a difference that is none"));
    }
    let differs = MILLION - equal_ppm;
    Ok(PartMeasurement {
        pixels,
        equal_ppm,
        over_1e3_ppm: differs,
        over_1e2_ppm: if max_diff >= 3.0 { differs } else { 0 },
        rel_l1_ppm: (f64::from(differs) * max_diff.min(255.0) / 255.0).ceil() as u32,
    })
}

/// A share in ppm, still with its fraction, so that the caller rounds against the claim.
fn share(value: f64) -> Result<f64, JudgeError> {
    if (0.0..=1.0).contains(&value) {
        Ok(value * f64::from(MILLION))
    } else {
        Err(JudgeError::Answer("has a share that is none"))
    }
}

fn distance(value: f64) -> Result<u32, JudgeError> {
    if value.is_finite() && value >= 0.0 {
        Ok((value * f64::from(MILLION)).ceil().min(f64::from(u32::MAX)) as u32)
    } else {
        Err(JudgeError::Answer("has a distance that is none"))
    }
}

#[cfg(test)]
#[path = "tests/judge.rs"]
mod tests;
