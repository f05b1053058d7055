//! A bundle folder for a program that the platform knows nothing of: its files, its values, its price, its job.
//!
//! The files are the bundle's own folder and what its asset references name. Paths keep their meaning: relative ones count from the
//! folder, absolute ones are carried along below `_absolute`, and values that name either are pointed to where they lie.

use crate::{
    SubmitError, Watch,
    bundle::{Texts, texts},
    upload::{Hashed, Sent, upload_files},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use tatau_api::{JobView, ProgramTerms, Quote, SubmitJob, TasksQuoteRequest};
use tatau_client::Client;
use tatau_model::{Amount, Device, Machines, Strategy};
use tatau_workload::{
    bundle_files::{self, AskedProgram},
    program, template,
};

/// Most files of a bundle.
const MOST_FILES: usize = 20_000;
/// Where absolute paths lie among the inputs.
const ABSOLUTE: &str = "_absolute";
/// Files that describe the bundle and are no inputs of its program.
const OWN: [&str; 4] = ["template", "parameter_values", "asset_references", "tatau"];

/// A bundle for another program, as it lies on this disk.
#[derive(Debug, Clone)]
pub struct Program {
    /// What its files say.
    pub asked: AskedProgram,
    /// Its template.
    pub template: String,
    /// Job parameters, paths as they are among the inputs.
    pub values: BTreeMap<String, String>,
    /// Paths among the inputs, and files on this disk.
    pub files: Vec<(String, PathBuf)>,
}

/// Is this a bundle that renders with the platform's own step, or one for some other program?
pub fn is_render_bundle(dir: &Path) -> Result<bool, SubmitError> {
    Ok(template::is_render(&texts(dir)?.template))
}

/// Reads the folder. Nothing is sent.
pub fn read_program(dir: &Path) -> Result<Program, SubmitError> {
    let Texts { template, values, references, terms } = texts(dir)?;
    let refused = |e: template::BundleError| SubmitError::Usage(e.sentence);
    let asked =
        bundle_files::read_program(&template, values.as_deref(), terms.as_deref()).map_err(refused)?;
    let mut files = BTreeMap::new();
    let root = dir.canonicalize().map_err(|e| SubmitError::io("read", dir, &e))?;
    walk(&root, &mut |file, rest| {
        let own = !rest.contains('/') && OWN.iter().any(|own| rest.split('.').next() == Some(own));
        if !own {
            files.insert(rest, file);
        }
    })?;
    let mut values = asked.values.clone();
    let mut outside: Vec<PathBuf> = references.into_iter().map(|path| root.join(path)).collect();
    for path in program::path_parameters(&template).map_err(refused)? {
        let Some(value) = values.get(&path.name).cloned().filter(|value| !path.out && value.starts_with('/'))
        else {
            continue;
        };
        outside.push(PathBuf::from(&value));
        values.insert(path.name, carried(Path::new(&value))?);
    }
    for path in outside {
        if path.starts_with(&root) {
            continue;
        }
        let place = carried(&path)?;
        if path.is_file() {
            files.insert(place, path);
        } else if path.is_dir() {
            walk(&path, &mut |file, rest| {
                files.insert(format!("{place}/{rest}"), file);
            })?;
        } else {
            let shown = path.display();
            return Err(SubmitError::Usage(format!(
                "the bundle names {shown}, which is not there; bring it back, or take it out of the bundle"
            )));
        }
    }
    if files.len() > MOST_FILES {
        return Err(too_many(dir));
    }
    // A manifest names at least one file.
    if files.is_empty() {
        return Err(SubmitError::Usage(format!(
            "{} holds nothing but the bundle's description; put the program's input there, or name it in asset_references.yaml",
            dir.display()
        )));
    }
    Ok(Program { asked, template, values, files: files.into_iter().collect() })
}

/// Where an absolute path lies among the inputs.
fn carried(path: &Path) -> Result<String, SubmitError> {
    let parts: Option<Vec<&str>> = path
        .components()
        .filter(|part| !matches!(part, std::path::Component::RootDir))
        .map(|part| match part {
            std::path::Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let place = parts.map(|parts| format!("{ABSOLUTE}/{}", parts.join("/")));
    place.filter(|place| tatau_blobs::check_path(place).is_ok()).ok_or_else(|| {
        SubmitError::Usage(format!(
            "the path {} cannot be carried over; write it absolute, without .. and control characters",
            path.display()
        ))
    })
}

fn too_many(folder: &Path) -> SubmitError {
    SubmitError::Usage(format!(
        "{} brings more than {MOST_FILES} files and folders; name only what the bundle's program reads",
        folder.display()
    ))
}

/// Every plain file below `folder`, hidden ones and links apart, with its path from there.
fn walk(folder: &Path, found: &mut dyn FnMut(PathBuf, String)) -> Result<(), SubmitError> {
    let mut left = vec![(folder.to_owned(), String::new())];
    let mut count = 0;
    while let Some((dir, before)) = left.pop() {
        let entries = std::fs::read_dir(&dir).map_err(|e| SubmitError::io("read", &dir, &e))?;
        for entry in entries {
            let entry = entry.map_err(|e| SubmitError::io("read", &dir, &e))?;
            let kind = entry.file_type().map_err(|e| SubmitError::io("read", &entry.path(), &e))?;
            let Ok(name) = entry.file_name().into_string() else {
                let shown = entry.path();
                return Err(SubmitError::Usage(format!(
                    "the name of {} is not UTF-8; rename it",
                    shown.display()
                )));
            };
            if name.starts_with('.') || kind.is_symlink() {
                continue;
            }
            let rest = if before.is_empty() { name } else { format!("{before}/{name}") };
            count += 1;
            if count > MOST_FILES {
                return Err(too_many(folder));
            }
            if kind.is_dir() {
                left.push((entry.path(), rest));
            } else if kind.is_file() {
                found(entry.path(), rest);
            }
        }
    }
    Ok(())
}

/// What is paid for.
#[derive(Debug, Clone)]
pub struct ProgramOrder {
    /// Where the program comes from: `host:cinema4d@2025`, or an environment of the platform.
    pub environment: String,
    /// How long a task takes, and whether it can be checked.
    pub terms: ProgramTerms,
    /// Whose machines may work on it.
    pub machines: Machines,
    /// Card class; `None` is any.
    pub class: Option<String>,
    /// How offers are chosen.
    pub strategy: Strategy,
    /// Moves to escrow.
    pub cap: Amount,
    /// The same key is the same job.
    pub request_key: String,
}

impl Program {
    /// The same files, template, values and program give the same key for the same target's nonce: asking twice pays once, and whoever
    /// changes a value asks for another job.
    pub fn request_key(&self, sent: &Sent, environment: &str, nonce: &str) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("Tatau 1 request key of a bundle");
        let mut add = |part: &str| {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        };
        for part in [&sent.manifest.to_string(), &self.template, environment, nonce] {
            add(part);
        }
        for (name, value) in &self.values {
            add(name);
            add(value);
        }
        hasher.finalize().to_hex().to_string()
    }
}

/// Sends the files that the server lacks.
pub async fn send_program(
    client: &Client,
    program: &Program,
    watch: &mut dyn Watch,
) -> Result<Sent, SubmitError> {
    let platform = client.platform().await?;
    let mut hashed = Hashed::default();
    upload_files(client, program.files.clone(), &mut hashed, platform.max_blob_bytes, watch).await
}

/// Asks for the prices of all its tasks; the server checks the bundle and counts them.
pub async fn quote_program(
    client: &Client,
    program: &Program,
    sent: &Sent,
    order: &ProgramOrder,
) -> Result<Quote, SubmitError> {
    let request = TasksQuoteRequest {
        template: program.template.clone(),
        parameters: program.values.clone(),
        inputs: sent.manifest,
        task_reference_ms: order.terms.task_reference_ms,
        environment: order.environment.clone(),
        who: order.machines.who,
    };
    Ok(client.quote_tasks(&request).await?)
}

/// Moves the cap to escrow and starts the job.
pub async fn pay_program(
    client: &Client,
    program: &Program,
    sent: &Sent,
    order: ProgramOrder,
) -> Result<JobView, SubmitError> {
    let name: String = program.asked.name.chars().filter(|c| !c.is_control()).take(48).collect();
    let job = SubmitJob {
        name: if name.is_empty() { "bundle".into() } else { name },
        template: Some(program.template.clone()),
        parameters: program.values.clone(),
        inputs: sent.manifest,
        scene: String::new(),
        environment: order.environment,
        inspection: None,
        frames: String::new(),
        video: false,
        preview: false,
        class: order.class,
        device: Device::Cpu,
        strategy: order.strategy,
        machines: order.machines,
        cap: order.cap,
        request_key: order.request_key,
        fresh: false,
        tiles: String::new(),
        program: Some(order.terms),
    };
    Ok(client.submit_job(&job).await?)
}

#[cfg(test)]
#[path = "../tests/unit/program.rs"]
mod tests;
