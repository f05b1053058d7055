//! `POST /v1/jobs`: an inspection, or a render job with a bundle and a finished inspection.

use crate::{
    app::App, auth::Call, error::ApiError, known, program, routes::platform::show::INSPECTION_CAP, tiling,
    view, work,
};
use axum::{Json, extract::State};
use std::sync::Arc;
use tatau_api::{JobView, ProgramTerms, SubmitJob};
use tatau_engine::{Event, NewJob, Reply};
use tatau_model::{Address, Amount, Device, JobId, JobKind, JobState, Preview, Who, card, environment};
use tatau_workload::{frames, inspection, units};

pub(crate) async fn submit(State(app): State<Arc<App>>, call: Call) -> Result<Json<JobView>, ApiError> {
    let owner = call.account(&app).await?;
    let id = place(&app, owner, call.json()?).await?;
    view::job(&app, id, owner, 0).await.map(Json)
}

/// Makes the job, or finds the one that the same request made before. Pages come this way, too.
pub(crate) async fn place(app: &App, owner: Address, request: SubmitJob) -> Result<JobId, ApiError> {
    check(&request)?;
    let known = app.archive.job_of_request(owner, request.request_key.clone()).await?;
    if let Some(known) = known {
        return Ok(known.id);
    }
    app.holdings.check(&owner)?;
    create(app, owner, request).await
}

fn check(request: &SubmitJob) -> Result<(), ApiError> {
    if request.name.is_empty() || request.name.len() > 200 || request.name.chars().any(char::is_control) {
        return Err(ApiError::invalid("a job's name has 1 to 200 bytes and no control characters"));
    }
    let free = request.machines.who == Who::Own && request.cap == Amount::ZERO;
    if !request.cap.is_positive() && !free {
        return Err(ApiError::invalid("the cap must be more than zero"));
    }
    // A stranger's commands run only where a provider lends a program for just that.
    if request.program.is_some() {
        if !environment::is_host(&request.environment) {
            return Err(ApiError::invalid(
                "a bundle of another program names that program (host:NAME, host:NAME@VERSION), which providers lend",
            ));
        }
    } else if !work::environments().contains(&request.environment) {
        return Err(ApiError::invalid(format!(
            "there is no such environment; use one of: {}",
            work::environments().join(", ")
        )));
    }
    if request.scene.is_empty() && request.program.is_none() {
        return Err(ApiError::invalid("name the scene's path inside the inputs"));
    }
    if request.class.as_deref().is_some_and(|name| card::class(name).is_none()) {
        let names: Vec<_> = card::CLASSES.iter().map(|c| c.name).collect();
        return Err(ApiError::invalid(format!(
            "there is no such card class; use one of: {}",
            names.join(", ")
        )));
    }
    let class = request.class.as_deref().and_then(card::class);
    if request.program.is_some() && class.is_some_and(|class| !class.devices.contains(&Device::Cpu)) {
        return Err(ApiError::invalid("a bundle's tasks run on processors for now; leave the class out"));
    }
    let rendered = request.template.is_some() && request.program.is_none();
    if let Some(class) = class.filter(|class| rendered && !class.devices.contains(&request.device)) {
        let names: Vec<_> = class.devices.iter().map(|device| device.name()).collect();
        return Err(ApiError::invalid(format!(
            "cards of the class {} render on {}, not on {}; ask for that, or leave the class out",
            class.name,
            names.join(" or "),
            request.device.name()
        )));
    }
    Ok(())
}

async fn create(app: &App, owner: Address, request: SubmitJob) -> Result<JobId, ApiError> {
    work::check_inputs(app, request.inputs, &request.scene).await?;
    let new = match (&request.template, request.inspection, request.program) {
        (None, None, None) => look(owner, request)?,
        (Some(template), Some(inspection), None) => {
            let template = template.clone();
            render(app, owner, request, template, inspection).await?
        }
        (Some(template), None, Some(terms)) => {
            let template = template.clone();
            bundle(app, owner, request, template, terms).await?
        }
        _ => {
            return Err(ApiError::invalid(
                "a render job needs both a template and a finished inspection, a bundle of another program a template and the time of its \
                 tasks; an inspection has none of these",
            ));
        }
    };
    match app.writer.event(Event::SubmitJob(new)).await? {
        Reply::Job(id) => Ok(id),
        other => Err(ApiError::internal(&format!("a submitted job was answered with {other:?}"))),
    }
}

fn look(owner: Address, request: SubmitJob) -> Result<NewJob, ApiError> {
    if request.cap > INSPECTION_CAP {
        return Err(ApiError::invalid(format!("an inspection's cap is at most {INSPECTION_CAP} TATAU")));
    }
    Ok(new_job(owner, request, JobKind::Inspect, None, units::INSPECT_REFERENCE_MS))
}

/// A bundle for a program that the platform cannot look into.
async fn bundle(
    app: &App,
    owner: Address,
    request: SubmitJob,
    template: String,
    terms: ProgramTerms,
) -> Result<NewJob, ApiError> {
    let reference_ms = program::check_time(terms.task_reference_ms)?;
    let manifest = crate::reach::manifest(app, request.inputs).await?;
    let checked = program::check(template, request.parameters.clone(), manifest, terms.reproducible).await?;
    let json = checked.json;
    let stored = app.blobs.run(move |store| store.put_bytes(&json)).await;
    let blob = stored.map_err(|e| crate::routes::uploads::refused(&e))?;
    Ok(new_job(owner, request, JobKind::Bundle(checked.spec), Some(blob), reference_ms))
}

async fn render(
    app: &App,
    owner: Address,
    request: SubmitJob,
    template: String,
    inspection: JobId,
) -> Result<NewJob, ApiError> {
    let bundle = work::check_bundle(template, request.parameters.clone()).await?;
    let frames = frames::parse(&request.frames).map_err(|e| ApiError::invalid(e.to_string()))?;
    if frames != bundle.frames {
        return Err(ApiError::invalid(
            "the frames of the request and of the bundle differ; make them the same",
        ));
    }
    let found = work::inspected(app, inspection, owner).await?;
    if found.job.inputs != Some(request.inputs)
        || found.job.scene != request.scene
        || found.job.environment != request.environment
    {
        return Err(ApiError::conflict(format!(
            "{inspection} looked at other files; inspect these and submit again"
        )));
    }
    // A report by the buyer's own machine was checked by nobody: it may not set the price for others.
    if found.job.machines.who == Who::Own && request.machines.who != Who::Own {
        return Err(ApiError::conflict(format!(
            "{inspection} was made by your own machines alone; have the scene inspected by those who are to render it"
        )));
    }
    // A report freezes size and samples and sets the price: money moves only on one that its audits agreed with.
    if found.job.state != JobState::Finished {
        return Err(ApiError::conflict(format!(
            "{inspection} is still being audited; follow it until it is finished, then submit again"
        )));
    }
    // The bundle's path starts at the buyer's folder, which may lie inside the inputs.
    if bundle.scene != request.scene && !request.scene.ends_with(&format!("/{}", bundle.scene)) {
        return Err(ApiError::invalid(
            "the scene of the request and of the bundle differ; make them the same",
        ));
    }
    let mut spec = found.spec(&frames, request.video)?;
    spec.preview = if request.preview { Preview::Waiting } else { Preview::None };
    spec.device = request.device;
    spec.tiles = tiling::grid(app, &found, &spec, request.machines.who, &request.tiles).await?;
    let reference_ms = found.reference_ms()?;
    let memory_mib = inspection::memory_mib(&found.report, &spec);
    let known = if request.fresh { Vec::new() } else { known::results(app, &found.job, &spec).await? };
    let json = bundle.json;
    let stored = app.blobs.run(move |store| store.put_bytes(&json)).await;
    let blob = stored.map_err(|e| crate::routes::uploads::refused(&e))?;
    let job = new_job(owner, request, JobKind::Render(spec), Some(blob), reference_ms);
    Ok(NewJob { known, memory_mib, ..job })
}

fn new_job(
    owner: Address,
    request: SubmitJob,
    kind: JobKind,
    bundle: Option<tatau_model::BlobId>,
    reference_ms: u64,
) -> NewJob {
    NewJob {
        owner,
        name: request.name,
        kind,
        inputs: Some(request.inputs),
        bundle,
        scene: request.scene,
        environment: request.environment,
        class: request.class,
        strategy: request.strategy,
        machines: request.machines,
        cap: request.cap,
        reference_ms,
        request_key: request.request_key,
        known: Vec::new(),
        memory_mib: 0,
    }
}
