//! Reading a stranger's Open Job Description template outside the sandbox, with limits.
//!
//! Only data is read: no command of it is run, no path of it is opened. Everything is counted before it is built.

mod check;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use openjd_expr::ExprValue;
use openjd_model::job::Job;
use openjd_model::template::JobTemplate;
use openjd_model::{
    CallerLimits, JobParameterType, ModelError, PathParameterOptions, StepDependencyGraph,
    StepParameterSpaceIterator,
};

/// Extensions of Open Job Description that are understood.
pub(crate) const EXTENSIONS: &[&str] = &["TASK_CHUNKING", "REDACTED_ENV_VARS", "FEATURE_BUNDLE_1"];
/// Where relative paths of parameters lie inside the sandbox.
pub(crate) const INPUT_DIR: &str = "/in";

/// Limits of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleLimits {
    /// Length of the document in bytes.
    pub bytes: usize,
    /// Nesting of its objects and lists.
    pub depth: usize,
    /// Job parameters.
    pub parameters: usize,
    /// Bytes of one parameter value.
    pub value_bytes: usize,
    /// Steps.
    pub steps: usize,
    /// Environments of the job and all steps.
    pub environments: usize,
    /// Tasks of all steps.
    pub tasks: u64,
}

impl Default for BundleLimits {
    fn default() -> Self {
        Self {
            bytes: 256 * 1024,
            depth: 32,
            parameters: 64,
            value_bytes: 4096,
            steps: 32,
            environments: 16,
            tasks: 100_000,
        }
    }
}

impl BundleLimits {
    fn caller(&self) -> CallerLimits {
        CallerLimits {
            max_step_count: Some(self.steps),
            max_env_count: Some(self.environments),
            max_task_count: Some(self.tasks),
            max_template_size: Some(self.bytes),
            ..CallerLimits::default()
        }
    }
}

/// Why a template is refused: one sentence that says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct BundleError {
    /// A code a program can match: `too_large`, `too_deep`, `not_a_document`, `unknown_version`, `too_many_parameters`,
    /// `too_many_steps`, `too_many_environments`, `too_many_tasks`, `outside_path`, `cycle`, `parameter`, `invalid`.
    pub code: &'static str,
    /// The sentence.
    pub sentence: String,
}

impl BundleError {
    fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into() }
    }
}

/// The type of a job parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Text.
    String,
    /// Whole number.
    Int,
    /// Decimal number.
    Float,
    /// A file or folder; relative ones lie in `/in`.
    Path,
}

/// A job parameter's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ParameterKind,
    /// Its default, when it has one.
    pub default: Option<String>,
}

/// A step with its tasks counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Names of the steps that must be finished first.
    pub depends_on: Vec<String>,
    /// Number of its tasks, at least 1.
    pub tasks: u64,
}

/// A checked template.
#[derive(Debug, Clone)]
pub struct Template {
    text: String,
    parameters: Vec<Parameter>,
    decoded: JobTemplate,
    limits: BundleLimits,
}

/// A template with its parameter values: steps and tasks are known.
#[derive(Debug, Clone)]
pub struct Bound {
    job: Job,
    steps: Vec<Step>,
}

/// Parses a document, JSON when it looks so, else YAML.
pub(crate) fn document(text: &str, limits: &CallerLimits) -> Result<serde_json::Value, ModelError> {
    use openjd_model::DocumentType;
    let kind = if text.trim_start().starts_with('{') { DocumentType::Json } else { DocumentType::Yaml };
    openjd_model::template::parse::document_string_to_object(text, kind, limits)
}

/// Parses and checks a template (YAML or JSON).
///
/// # Errors
/// [`BundleError`] with one sentence for the buyer.
pub fn parse_template(text: &str, limits: &BundleLimits) -> Result<Template, BundleError> {
    if text.len() > limits.bytes {
        let sentence = format!("the template has {} bytes; the limit is {}", text.len(), limits.bytes);
        return Err(BundleError::new("too_large", sentence));
    }
    guarded(|| {
        let caller = limits.caller();
        let document = document(text, &caller)
            .map_err(|e| BundleError::new("not_a_document", check::one_sentence(&e)))?;
        check::document(&document, limits)?;
        let decoded = openjd_model::decode_job_template(document, Some(EXTENSIONS), &caller)
            .map_err(|e| BundleError::new("invalid", check::one_sentence(&e)))?;
        let parameters = definitions(&decoded)?;
        Ok(Template { text: text.to_owned(), parameters, decoded, limits: limits.clone() })
    })
}

/// The parser is not ours: should it panic on a hostile document, that document is refused.
fn guarded<T>(run: impl FnOnce() -> Result<T, BundleError>) -> Result<T, BundleError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(BundleError::new("invalid", "the template cannot be understood; simplify it"))
    })
}

fn definitions(template: &JobTemplate) -> Result<Vec<Parameter>, BundleError> {
    let merged = openjd_model::merge_job_parameter_definitions(template, &[])
        .map_err(|e| BundleError::new("invalid", check::one_sentence(&e)))?;
    merged
        .into_iter()
        .map(|p| {
            let kind = match p.param_type {
                JobParameterType::String => ParameterKind::String,
                JobParameterType::Int => ParameterKind::Int,
                JobParameterType::Float => ParameterKind::Float,
                JobParameterType::Path => ParameterKind::Path,
                other => {
                    let sentence = format!(
                        "the job parameter {} has the type {other:?}; use STRING, INT, FLOAT or PATH",
                        p.name
                    );
                    return Err(BundleError::new("parameter", sentence));
                }
            };
            Ok(Parameter { name: p.name, kind, default: p.default })
        })
        .collect()
}

impl Template {
    /// The document as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The job parameters' definitions, in the template's order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Binds parameter values; missing ones take their defaults. May take some milliseconds.
    ///
    /// # Errors
    /// [`BundleError`] for unknown, missing or unfit values, too many tasks.
    pub fn bind(&self, values: &BTreeMap<String, String>) -> Result<Bound, BundleError> {
        check::values(&self.parameters, values, &self.limits)?;
        guarded(|| self.bound(values))
    }

    fn bound(&self, values: &BTreeMap<String, String>) -> Result<Bound, BundleError> {
        let inputs = values.iter().map(|(k, v)| (k.clone(), ExprValue::String(v.clone()))).collect();
        let paths = PathParameterOptions::new(INPUT_DIR, INPUT_DIR);
        let typed = openjd_model::preprocess_job_parameters(&self.decoded, &inputs, &[], &paths)
            .map_err(|e| BundleError::new("parameter", check::one_sentence(&e)))?;
        // The count is limited here once more, below, with a sentence of our own.
        let context = self.decoded.default_validation_context();
        let job = openjd_model::create_job(&self.decoded, &typed, &context)
            .map_err(|e| BundleError::new("invalid", check::one_sentence(&e)))?;
        let order = StepDependencyGraph::new(&job)
            .and_then(|graph| graph.topo_sorted())
            .map_err(|e| BundleError::new("cycle", check::one_sentence(&e)))?;
        let mut steps = Vec::with_capacity(order.len());
        let mut left = self.limits.tasks;
        for step in order.into_iter().filter_map(|i| job.steps.get(i)) {
            let tasks = match space(step)? {
                Some(space) => space.len() as u64,
                None => 1,
            };
            left = left.checked_sub(tasks).ok_or_else(|| {
                let sentence = format!("the job has more than {} tasks; split it", self.limits.tasks);
                BundleError::new("too_many_tasks", sentence)
            })?;
            let depends_on = step.dependencies.iter().flatten().map(|d| d.depends_on.clone()).collect();
            steps.push(Step { name: step.name.clone(), depends_on, tasks });
        }
        Ok(Bound { job, steps })
    }
}

impl Bound {
    /// The job's name.
    pub fn name(&self) -> &str {
        &self.job.name
    }

    /// The steps in an order in which each comes after those it depends on.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The parameter values of a step's tasks, in the template's order, as [`crate::Session::run_task`] takes them. `None` where
    /// there is no such step; one empty map where a step has no parameters.
    pub fn tasks(&self, step: &str) -> Option<impl Iterator<Item = BTreeMap<String, String>> + use<>> {
        let step = self.job.steps.iter().find(|s| s.name == step)?;
        let space = space(step).ok()?;
        let alone = space.is_none().then(BTreeMap::new);
        let listed = space.into_iter().flatten().map(|set| {
            set.into_iter().map(|(name, value)| (name, value.value.to_display_string())).collect()
        });
        Some(alone.into_iter().chain(listed))
    }
}

/// A step's tasks; chunks have their declared size (no adaption to run time: a task's price is fixed before it runs).
fn space(step: &openjd_model::job::Step) -> Result<Option<StepParameterSpaceIterator>, BundleError> {
    use openjd_model::job::TaskParameter;
    let Some(space) = &step.parameter_space else { return Ok(None) };
    let chunk = space.task_parameter_definitions.values().find_map(|p| match p {
        TaskParameter::ChunkInt { chunks, .. } => Some(chunks.default_task_count),
        _ => None,
    });
    StepParameterSpaceIterator::new_with_chunk_override(space, chunk)
        .map(Some)
        .map_err(|e| BundleError::new("invalid", check::one_sentence(&e)))
}

#[cfg(test)]
mod tests;
