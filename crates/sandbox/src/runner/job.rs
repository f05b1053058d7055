//! From the template's text to the job, its step and typed task parameters.

use std::collections::BTreeMap;

use openjd_expr::ExprValue;
use openjd_model::job::{Environment, Job, Step, TaskParameter};
use openjd_model::types::{JobParameterValues, TaskParameterSet, TaskParameterType, TaskParameterValue};
use openjd_model::{CallerLimits, ModelProfile};
use openjd_sessions::PathFormat;

use crate::bundle::{EXTENSIONS, INPUT_DIR};

/// A job bound to its parameters, and the step that this session runs.
pub(super) struct Work {
    pub(super) values: JobParameterValues,
    pub(super) profile: ModelProfile,
    pub(super) step: Step,
    /// Environments of the job, then of the step.
    pub(super) environments: Vec<Environment>,
}

impl Work {
    pub(super) fn new(
        template: &str,
        parameters: &BTreeMap<String, String>,
        step: &str,
    ) -> Result<Self, String> {
        let (job, values, profile) = instantiate(template, parameters).map_err(|e| e.to_string())?;
        let Job { steps, job_environments, .. } = job;
        let step = steps
            .into_iter()
            .find(|s| s.name == step)
            .ok_or_else(|| format!("the template has no step {step:?}"))?;
        let environments =
            job_environments.into_iter().chain(step.step_environments.clone()).flatten().collect();
        Ok(Self { values, profile, step, environments })
    }

    /// Task parameters with the types that the step declares. Values outside its ranges are accepted: the platform decides
    /// which tasks exist, and audits run others than the buyer listed.
    pub(super) fn task(&self, parameters: &BTreeMap<String, String>) -> Result<TaskParameterSet, String> {
        let space = self.step.parameter_space.as_ref().map(|s| &s.task_parameter_definitions);
        let declared = space.into_iter().flatten().count();
        if declared != parameters.len() {
            return Err(format!(
                "the step has {declared} task parameters and {} were given",
                parameters.len()
            ));
        }
        let mut set = TaskParameterSet::new();
        for (name, definition) in space.into_iter().flatten() {
            let text =
                parameters.get(name).ok_or_else(|| format!("the task parameter {name} was not given"))?;
            set.insert(
                name.clone(),
                typed(definition, text).ok_or_else(|| format!("{text:?} does not fit {name}"))?,
            );
        }
        Ok(set)
    }
}

fn instantiate(
    template: &str,
    parameters: &BTreeMap<String, String>,
) -> Result<(Job, JobParameterValues, ModelProfile), openjd_model::ModelError> {
    let document = crate::bundle::document(template, &CallerLimits::default())?;
    let template = openjd_model::decode_job_template(document, Some(EXTENSIONS), &CallerLimits::default())?;
    let inputs = parameters.iter().map(|(k, v)| (k.clone(), ExprValue::String(v.clone()))).collect();
    let paths = openjd_model::PathParameterOptions::new(INPUT_DIR, INPUT_DIR);
    let values = openjd_model::preprocess_job_parameters(&template, &inputs, &[], &paths)?;
    let job = openjd_model::create_job(&template, &values, &template.default_validation_context())?;
    Ok((job, values, template.profile()))
}

fn typed(definition: &TaskParameter, text: &str) -> Option<TaskParameterValue> {
    let (param_type, value) = match definition {
        TaskParameter::Int { .. } => (TaskParameterType::Int, ExprValue::Int(text.parse().ok()?)),
        TaskParameter::Float { .. } => {
            let number: f64 = text.parse().ok()?;
            (TaskParameterType::Float, ExprValue::Float(openjd_expr::value::Float64::new(number).ok()?))
        }
        TaskParameter::String { .. } => (TaskParameterType::String, ExprValue::String(text.to_owned())),
        TaskParameter::Path { .. } => (TaskParameterType::Path, ExprValue::new_path(text, PathFormat::Posix)),
        TaskParameter::ChunkInt { .. } => {
            (TaskParameterType::ChunkInt, ExprValue::RangeExpr(text.parse().ok()?))
        }
    };
    Some(TaskParameterValue { param_type, value })
}
