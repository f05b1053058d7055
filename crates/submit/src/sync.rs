//! Follows a job and brings its verified results into a folder as they are accepted.

use crate::{Event, SubmitError, Target, Watch, inspect::sentence};
use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tatau_api::{JobView, TaskView};
use tatau_client::{Client, ClientError};
use tatau_model::{BlobId, Job, JobId, JobKind, JobState, TaskId, Work};

/// Longest wait for a change; a pause shows within it.
const WAIT_MS: u64 = 10_000;
/// Downloads at once.
const AT_ONCE: usize = 4;
/// How often the folder's state is written while files arrive.
const STORE_EVERY: Duration = Duration::from_secs(2);
/// How long a server that does not answer is waited for.
const PATIENCE: Duration = Duration::from_hours(1);
const PAUSE: Duration = Duration::from_secs(2);
/// Tries of one file.
const MOST_TRIES: u32 = 5;
/// No result is larger: a raw frame or a video.
const MOST_BYTES: u64 = 64 << 30;

/// How a sync ended.
#[derive(Debug, Clone)]
pub struct Synced {
    /// The job as it was last seen.
    pub job: Job,
    /// Frames accepted, of how many.
    pub frames: (u32, u32),
    /// Verified files in the folder.
    pub files: usize,
    /// Their sizes together, bytes.
    pub bytes: u64,
    /// Files that could not be fetched, and why.
    pub failed: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
struct Wish {
    file: String,
    path: PathBuf,
    blob: BlobId,
    bytes: u64,
    tries: u32,
}

/// Follows `job` to its end, or until it is paused, and saves what is accepted into `target`. Goes on where an earlier call ended.
pub async fn sync(
    client: &Client,
    job: JobId,
    target: &mut Target,
    watch: &mut dyn Watch,
) -> Result<Synced, SubmitError> {
    let mut following = Following::new(client, job);
    let first = following.poll(0).await?;
    target.bind(client.base_url(), job)?;
    let mut run = Run {
        client,
        job,
        target,
        watch,
        queue: VecDeque::new(),
        failed: Vec::new(),
        files: 0,
        bytes: 0,
        last: None,
        told: HashMap::new(),
    };
    let ended = run.go(&mut following, first).await;
    run.target.store()?;
    let view = ended?;
    Ok(Synced {
        frames: (view.frames_done, view.frames_total),
        job: view.job,
        files: run.files,
        bytes: run.bytes,
        failed: run.failed,
    })
}

/// Follows `job` to its end, or until it is paused, without fetching anything.
pub async fn follow(client: &Client, job: JobId, watch: &mut dyn Watch) -> Result<JobView, SubmitError> {
    let mut following = Following::new(client, job);
    let mut told = HashMap::new();
    let mut last = None;
    let mut wait = 0;
    loop {
        let view = wait_out(&mut following, wait, watch).await?;
        tell(&view, &mut told, &mut last, watch);
        let still = still(&view.job.state);
        if still && view.tasks.is_empty() {
            return Ok(view);
        }
        wait = if still { 0 } else { WAIT_MS };
    }
}

fn still(state: &JobState) -> bool {
    state.is_ended() || matches!(state, JobState::Paused { .. })
}

/// The job's changes, one answer after the other.
struct Following {
    client: Client,
    job: JobId,
    after: u64,
}

impl Following {
    fn new(client: &Client, job: JobId) -> Self {
        Self { client: client.clone(), job, after: 0 }
    }

    async fn poll(&mut self, wait_ms: u64) -> Result<JobView, ClientError> {
        let view = self.client.job(self.job, self.after, wait_ms).await?;
        self.after = self.after.max(view.change);
        Ok(view)
    }
}

/// Polls; a server that does not answer is waited for.
async fn wait_out(
    following: &mut Following,
    wait_ms: u64,
    watch: &mut dyn Watch,
) -> Result<JobView, SubmitError> {
    let mut since: Option<Instant> = None;
    loop {
        match following.poll(wait_ms).await {
            Ok(view) => return Ok(view),
            Err(e) if e.is_unreachable() && since.get_or_insert_with(Instant::now).elapsed() < PATIENCE => {
                watch.tell(Event::Waiting { job: following.job, reason: e.to_string() });
                tokio::time::sleep(PAUSE).await;
            }
            Err(e) => return Err(e.into()),
        }
    }
}

struct Run<'a> {
    client: &'a Client,
    job: JobId,
    target: &'a mut Target,
    watch: &'a mut dyn Watch,
    queue: VecDeque<Wish>,
    failed: Vec<(String, String)>,
    files: usize,
    bytes: u64,
    last: Option<Event>,
    told: HashMap<TaskId, usize>,
}

type Fetched = (Wish, Result<(), ClientError>);

impl Run<'_> {
    async fn go(&mut self, following: &mut Following, first: JobView) -> Result<JobView, SubmitError> {
        let mut downloads = tokio::task::JoinSet::<Fetched>::new();
        let mut view = first;
        self.see(&view).await?;
        let mut stored = Instant::now();
        let mut lost: Option<Instant> = None;
        loop {
            while downloads.len() < AT_ONCE
                && let Some(wish) = self.queue.pop_front()
            {
                let (client, job) = (self.client.clone(), self.job);
                downloads.spawn(async move {
                    let got = fetch(&client, job, &wish).await;
                    (wish, got)
                });
            }
            let over = still(&view.job.state) && view.tasks.is_empty();
            if over && downloads.is_empty() {
                return Ok(view);
            }
            let wait = if still(&view.job.state) { 0 } else { WAIT_MS };
            tokio::select! {
                biased;
                Some(done) = downloads.join_next() => match done {
                    Ok((wish, got)) => self.fetched(wish, got),
                    Err(e) => return Err(SubmitError::Local(format!("a download broke off: {e}; run it again"))),
                },
                polled = following.poll(wait), if !over => match polled {
                    Ok(now) => {
                        lost = None;
                        view = now;
                        self.see(&view).await?;
                    }
                    Err(e) if e.is_unreachable() && lost.get_or_insert_with(Instant::now).elapsed() < PATIENCE => {
                        self.watch.tell(Event::Waiting { job: self.job, reason: e.to_string() });
                        tokio::time::sleep(PAUSE).await;
                    }
                    Err(e) => return Err(e.into()),
                },
            }
            if stored.elapsed() > STORE_EVERY {
                self.target.store()?;
                stored = Instant::now();
            }
        }
    }

    /// Tells what is new, and queues the files of accepted tasks.
    async fn see(&mut self, view: &JobView) -> Result<(), SubmitError> {
        tell(view, &mut self.told, &mut self.last, self.watch);
        for task in &view.tasks {
            for (file, blob, bytes) in wanted(&view.job, task) {
                self.want(file, blob, bytes).await?;
            }
        }
        Ok(())
    }

    async fn want(&mut self, file: String, blob: BlobId, bytes: u64) -> Result<(), SubmitError> {
        if bytes > MOST_BYTES {
            self.give_up(file, "it is larger than any result can be");
            return Ok(());
        }
        if self.target.holds(&file, blob, bytes).await? {
            self.saved(file, bytes, true);
        } else if let Some(reason) = self.target.taken(&file) {
            self.give_up(file, reason);
        } else if !self.queue.iter().any(|wish| wish.file == file) {
            let path = self.target.path(&file)?;
            self.queue.push_back(Wish { file, path, blob, bytes, tries: 0 });
        }
        Ok(())
    }

    fn fetched(&mut self, mut wish: Wish, got: Result<(), ClientError>) {
        match got {
            Ok(()) => {
                self.target.note(&wish.file, wish.blob, wish.bytes);
                self.saved(wish.file, wish.bytes, false);
            }
            Err(e) => {
                wish.tries += 1;
                let again = !matches!(e, ClientError::File(_)) && wish.tries < MOST_TRIES;
                if again { self.queue.push_back(wish) } else { self.give_up(wish.file, &e.to_string()) }
            }
        }
    }

    fn saved(&mut self, file: String, bytes: u64, kept: bool) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.watch.tell(Event::Saved { file, bytes, kept });
    }

    fn give_up(&mut self, file: String, reason: &str) {
        let reason = sentence(reason);
        self.watch.tell(Event::NotSaved { file: file.clone(), reason: reason.clone() });
        self.failed.push((file, reason));
    }
}

/// The files of an accepted task that the buyer gets.
fn wanted(job: &Job, task: &TaskView) -> Vec<(String, BlobId, u64)> {
    if let (JobKind::Bundle(spec), Work::Task { step, index }) = (&job.kind, &task.work) {
        let files = task.outputs.iter().filter(|file| tatau_blobs::check_path(&file.name).is_ok());
        return files.map(|file| (spec.place(*step, *index, &file.name), file.blob, file.bytes)).collect();
    }
    let found = Target::place(&task.work).and_then(|(file, name)| {
        let output = task.outputs.iter().find(|output| output.name == name)?;
        Some((file, output.blob, output.bytes))
    });
    found.into_iter().collect()
}

/// Fetches beside the name, verifies, renames.
async fn fetch(client: &Client, job: JobId, wish: &Wish) -> Result<(), ClientError> {
    if wish.tries > 0 {
        tokio::time::sleep(PAUSE).await;
    }
    let granted = client.grants(&job.to_string(), &[wish.blob]).await?;
    let url = granted
        .urls
        .first()
        .ok_or_else(|| ClientError::Malformed("the server granted nothing; try again".into()))?;
    let draft = draft_of(&wish.path, wish.blob);
    client.download(url, &draft, wish.blob, wish.bytes, &mut |_, _| {}).await?;
    tokio::fs::rename(&draft, &wish.path)
        .await
        .map_err(|e| ClientError::File(format!("{} could not be written: {e}", wish.path.display())))
}

/// Hidden, and of these contents only: a cut download of other bytes never mixes in.
fn draft_of(path: &Path, blob: BlobId) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!(".{name}.{}", &blob.to_string()[..12]))
}

/// Where the job stands, where that changed, and new lines of its tasks' stories.
fn tell(view: &JobView, told: &mut HashMap<TaskId, usize>, last: &mut Option<Event>, watch: &mut dyn Watch) {
    // What happened before this began is history: `job` tells it.
    let history = last.is_none();
    for task in &view.tasks {
        let open = matches!(task.state.as_str(), "ready" | "leased" | "auditing");
        // The last line of an open task still changes.
        let settled = task.story.len().saturating_sub(usize::from(open));
        let known = told.entry(task.id).or_default();
        for text in task.story.iter().take(settled).skip(*known).filter(|_| !history) {
            let routine = task.state == "accepted" && task.attempts <= 1;
            watch.tell(Event::Story { task: task.work.label(), text: sentence(text), routine });
        }
        *known = settled.max(*known);
    }
    let now = standing(view);
    if last.as_ref() != Some(&now) {
        watch.tell(now.clone());
        *last = Some(now);
    }
}

fn standing(view: &JobView) -> Event {
    let reason = match &view.job.state {
        JobState::Paused { reason } | JobState::Failed { reason } => Some(sentence(reason)),
        _ => view.waiting.as_deref().map(sentence),
    };
    Event::Job {
        job: view.job.id,
        state: view.job.state.name().into(),
        reason,
        unit: if matches!(view.job.kind, JobKind::Bundle(_)) { "tasks" } else { "frames" },
        frames_done: view.frames_done,
        frames_total: view.frames_total,
        spent: view.job.spent,
        cap: view.job.cap,
        eta: view.eta,
    }
}
