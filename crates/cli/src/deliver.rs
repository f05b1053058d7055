//! From a scene to its frames: what `render` and `submit` have in common.

use crate::{
    ask,
    context::Context,
    exit::{Code, Ended},
    out, quoted,
    shown::brief,
    stop::Stop,
    told::Told,
};
use serde_json::json;
use std::path::{Path, PathBuf};
use tatau_api::EditJob;
use tatau_client::Client;
use tatau_model::{Amount, Device, JobId, JobKind, JobState, Machines, Strategy, Who};
use tatau_submit::{
    Asked, AssetSet, Choice, Closed, Event, Order, Scene, SubmitError, Synced, Target, Tiles, Watch,
};
use tatau_workload::frames;

/// Everything that is wanted.
pub struct Wish {
    pub scene: Scene,
    pub name: String,
    /// `None`: the scene's own range.
    pub frames: Option<Vec<i32>>,
    pub out: PathBuf,
    pub yes: bool,
    pub max_price: Option<Amount>,
    pub class: Option<String>,
    pub device: Device,
    pub strategy: Strategy,
    pub machines: Machines,
    pub video: bool,
    pub preview: bool,
    /// Nothing is taken over from earlier jobs.
    pub fresh: bool,
    pub tiles: Tiles,
    pub assets: Vec<PathBuf>,
    /// Priority and deadline; set on the job once it is there.
    pub later: EditJob,
}

/// Inspects, quotes, asks, pays, follows, saves.
pub async fn deliver(wish: Wish, context: &Context) -> anyhow::Result<()> {
    // The folders first: one that cannot be used is found before anything is sent.
    AssetSet::alone(&wish.scene, &wish.assets)?;
    let mut target = Target::open(&wish.out)?;
    let mut stop = Stop::listen()?;
    let client = stop.unless(unpaid, context.account()).await??;
    let before = stop.unless(unpaid, known_job(&client, &mut target, &wish)).await??;
    let mut told = Told::new(context.json());
    let closing = tatau_submit::close(&client, &wish.scene, &wish.assets, wish.machines.who, &mut told);
    let closed = stop.unless(unpaid, closing).await.inspect_err(|_| told.done())??;
    let frames = wish.frames.clone().unwrap_or_else(|| closed.report.frames());
    if frames.is_empty() {
        return Err(Ended::usage(
            "the scene's own frame range is empty; name frames with --frames, such as --frames 1-24",
        )
        .into());
    }
    let job = match before {
        Some(job) => {
            let same = job.inputs == Some(closed.inputs)
                && matches!(&job.kind, JobKind::Render(spec) if spec.frames == frames && spec.video == wish.video && spec.device == wish.device);
            if !same {
                return Err(occupied(&wish.out, job.id).into());
            }
            told.tell(Event::Paid { job: job.id, cap: job.cap, again: true });
            job.id
        }
        None => buy(&wish, (&closed, &frames), &client, &mut target, &mut told, &mut stop, context).await?,
    };
    target.bind(client.base_url(), job)?;
    set_terms(&client, job, wish.later, &mut stop).await?;
    save(&client, job, &mut target, told, &mut stop, context).await
}

/// Priority and deadline of a job that was just ordered.
pub async fn set_terms(client: &Client, job: JobId, terms: EditJob, stop: &mut Stop) -> anyhow::Result<()> {
    if terms != EditJob::default() {
        match stop.unless(goes_on, client.edit_job(job, terms)).await? {
            // Over already, perhaps because all of it was there: nothing to hurry.
            Err(e) if matches!(e.code(), Some("conflict" | "not_found")) => {}
            edited => drop(edited?),
        }
    }
    Ok(())
}

fn unpaid() -> Ended {
    Ended::new(Code::Interrupted, "interrupted; no render was paid")
        .hint("the same command goes on with what was uploaded and inspected")
}

/// From the order on: it may have arrived.
pub fn goes_on() -> Ended {
    Ended::new(Code::Interrupted, "interrupted; a job that was paid goes on without you")
        .hint("the same command goes on with it, and pays once")
}

/// The job whose results the folder holds, if it is not over without them.
async fn known_job(
    client: &Client,
    target: &mut Target,
    wish: &Wish,
) -> anyhow::Result<Option<tatau_model::Job>> {
    let Some(id) = target.state().job else { return Ok(None) };
    if target.state().server.as_deref() != Some(client.base_url()) {
        return Err(occupied(&wish.out, id).into());
    }
    let job = match client.job(id, u64::MAX, 0).await {
        Ok(view) => view.job,
        Err(e) if e.code() == Some("not_found") => return Err(occupied(&wish.out, id).into()),
        Err(e) => return Err(e.into()),
    };
    if matches!(job.state, JobState::Cancelled | JobState::Failed { .. }) {
        target.forget_job()?;
        return Ok(None);
    }
    let other = |spec: &tatau_model::RenderSpec| {
        wish.frames.as_ref().is_some_and(|frames| *frames != spec.frames) || wish.device != spec.device
    };
    if matches!(&job.kind, JobKind::Render(spec) if other(spec)) {
        return Err(occupied(&wish.out, id).into());
    }
    Ok(Some(job))
}

fn occupied(out: &Path, job: JobId) -> Ended {
    Ended::usage(format!("{} holds the results of {job}, which rendered something else", out.display())).hint(
        format!("choose another folder with --out, or go on with that job: tatau sync {job} {}", typed(out)),
    )
}

async fn buy(
    wish: &Wish,
    (closed, frames): (&Closed, &[i32]),
    client: &Client,
    target: &mut Target,
    told: &mut Told,
    stop: &mut Stop,
    context: &Context,
) -> anyhow::Result<JobId> {
    let asked = Asked {
        frames: frames::format(frames),
        video: wish.video,
        who: wish.machines.who,
        fresh: wish.fresh,
        tiles: wish.tiles,
        device: wish.device,
    };
    let asking = tatau_submit::quote(client, closed, asked);
    let quote = stop.unless(unpaid, asking).await??;
    let choice = Choice {
        class: wish.class.clone(),
        device: wish.device,
        strategy: wish.strategy,
        max_price: wish.max_price,
    };
    let picked = tatau_submit::choose(&quote, &choice);
    told.done();
    describe(closed, frames, context);
    let (row, cap) = match picked {
        Ok(picked) => picked,
        Err(e) => {
            if context.json() {
                out::json(&json!({"event": "quote", "quote": quote}));
            } else if let Some(row) = quote.rows.first() {
                out::say(&quoted::table(&quote, row));
            }
            return Err(e.into());
        }
    };
    if context.json() {
        out::json(&json!({"event": "quote", "quote": quote, "chosen": row, "cap": cap}));
    } else {
        out::say(&quoted::table(&quote, row));
        if quote.known > 0 {
            let are = if quote.known == 1 { "is" } else { "are" };
            out::say(&format!(
                "{} {are} there already, from an earlier job of yours: nothing is paid for what you have (--fresh renders all anew).",
                plural(quote.known as usize, "frame")
            ));
        }
        let fee = quote.fee_ppm as f64 / 10_000.0;
        out::say(&format!(
            "Prices in TATAU, the platform's fee of {fee}% included. You pay only for frames that passed their checks."
        ));
        out::say(who_sees(wish.machines.who));
    }
    if !wish.yes {
        if !ask::can_ask() {
            return Err(Ended::new(Code::Refused, "not paid: nobody is here to agree to the price")
                .hint(format!(
                    "add --yes to pay up to {cap} TATAU, or --max-price with --yes for a limit of your own"
                ))
                .into());
        }
        let what = plural(frames.len(), "frame");
        let question = match wish.machines.who {
            Who::Own => format!("Render {what} on your own machines, for nothing?"),
            _ => format!("Put {cap} TATAU into escrow and render {what}?"),
        };
        if !ask::agreed(&question, stop).await? {
            return Err(Ended::new(Code::Refused, "not paid, as you said").into());
        }
    }
    // The nonce is on the disk before money moves: asked again after a crash, the server gives the same job.
    target.store()?;
    let owner = client.address().map_or_else(|| "token".to_owned(), |address| address.to_string());
    let order = Order {
        name: wish.name.clone(),
        inputs: closed.inputs,
        scene: closed.scene.clone(),
        environment: closed.environment.to_owned(),
        inspection: closed.inspection,
        frames: frames.to_vec(),
        video: wish.video,
        preview: wish.preview,
        fresh: wish.fresh,
        tiles: quote.tiles.clone(),
        class: wish.class.clone(),
        device: wish.device,
        strategy: wish.strategy,
        machines: wish.machines,
        cap,
        request_key: tatau_submit::request_key(
            &owner,
            &closed.inputs,
            frames,
            wish.video,
            wish.device,
            &target.state().nonce,
        ),
    };
    let view = stop
        .unless(goes_on, tatau_submit::pay(client, &order, told))
        .await
        .inspect_err(|_| told.done())??;
    *told = Told::new(context.json());
    told.tell(Event::Paid { job: view.job.id, cap: view.job.cap, again: false });
    Ok(view.job.id)
}

/// Said before anything is paid.
pub fn who_sees(who: Who) -> &'static str {
    match who {
        Who::Any => "Anybody's machine may see the scene while it renders or checks it.",
        Who::Trusted => "Only machines that you trust see the scene: they render it, and they check it.",
        Who::Own => {
            "Only your own machines see the scene. Nothing is paid, and nobody else checks what they make."
        }
    }
}

/// What the inspection found, for a person.
fn describe(closed: &Closed, frames: &[i32], context: &Context) {
    let report = &closed.report;
    if context.json() {
        out::json(
            &json!({"event": "inspected", "inspection": closed.inspection, "report": report, "files": closed.files, "bytes": closed.bytes}),
        );
        return;
    }
    let fps = f64::from(report.fps.num) / f64::from(report.fps.den.max(1));
    let samples = report.samples.map_or(String::new(), |samples| format!(", {samples} samples"));
    out::say(&format!(
        "{}: {}×{} pixels{samples}, {} ({}), {fps} frames a second; {}, {}",
        out::clean_line(&report.engine),
        report.width,
        report.height,
        plural(frames.len(), "frame"),
        shorten(&frames::format(frames)),
        plural(closed.files, "file"),
        out::bytes(closed.bytes)
    ));
    if let Some(mib) = report.probe.as_ref().and_then(|probe| probe.memory_mib) {
        out::say(&format!("  Blender held {} of memory for it", out::bytes(mib << 20)));
    }
    for warning in &report.warnings {
        out::say(&format!("  {} {}", out::colour("33", "note:"), out::clean_line(&warning.sentence)));
    }
}

/// Follows the job and saves its results; Ctrl-C leaves it running.
pub async fn save(
    client: &Client,
    job: JobId,
    target: &mut Target,
    mut told: Told,
    stop: &mut Stop,
    context: &Context,
) -> anyhow::Result<()> {
    let dir = target.dir().to_path_buf();
    let synced = tokio::select! {
        synced = tatau_submit::sync(client, job, target, &mut told) => Some(synced?),
        () = stop.asked() => None,
    };
    told.done();
    let again = format!("tatau sync {job} {}", typed(&dir));
    let Some(synced) = synced else {
        target.store()?;
        return Err(Ended::new(Code::Interrupted, format!("interrupted; {job} goes on without you"))
            .hint(format!("bring its frames in with: {again}"))
            .into());
    };
    finish(&synced, &dir, &again, context)
}

fn finish(synced: &Synced, dir: &Path, again: &str, context: &Context) -> anyhow::Result<()> {
    let job = &synced.job;
    if context.json() {
        let failed: Vec<_> =
            synced.failed.iter().map(|(file, reason)| json!({"file": file, "reason": reason})).collect();
        out::json(&json!({
            "event": "done", "job": job.id, "state": job.state.name(), "dir": dir, "files": synced.files, "bytes": synced.bytes,
            "frames_done": synced.frames.0, "frames_total": synced.frames.1, "spent": job.spent, "cap": job.cap, "failed": failed,
        }));
    }
    out::say(&format!(
        "{}; {} ({}) in {}",
        brief(job, synced.frames),
        plural(synced.files, "file"),
        out::bytes(synced.bytes),
        dir.display()
    ));
    let id = job.id;
    match &job.state {
        JobState::Paused { reason } => {
            Err(Ended::new(Code::Refused, format!("{id} is paused: {}", out::clean_line(reason)))
                .hint(format!(
                    "`tatau resume {id} --more AMOUNT` goes on, `tatau cancel {id}` ends it; then: {again}"
                ))
                .into())
        }
        JobState::Failed { reason } => {
            Err(SubmitError::Job { job: id, what: format!("failed: {}", out::clean_line(reason)) }.into())
        }
        _ if !synced.failed.is_empty() => Err(Ended::new(
            Code::Failed,
            format!("{} could not be saved", plural(synced.failed.len(), "file")),
        )
        .hint(format!("try again with: {again}"))
        .into()),
        _ => Ok(()),
    }
}

/// A path as it is typed into a shell.
pub fn typed(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// `1 frame`, `2 frames`.
pub fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn shorten(text: &str) -> String {
    if text.len() <= 40 {
        text.to_owned()
    } else {
        format!("{}…", text.chars().take(39).collect::<String>())
    }
}
