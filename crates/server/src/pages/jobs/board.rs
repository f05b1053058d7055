//! A render job as its page shows it, kept while somebody looks: read once a change, rendered once for all who look.

use super::{
    parts::{self, PARTS},
    piece::{Done, Piece, Worker},
};
use crate::{app::App, background::retention, error::ApiError, view};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tatau_model::{
    Address, BundleSpec, Clock, Job, JobKind, JobState, Millis, OutputFile, RenderSpec, SystemClock, TaskId,
    TaskState, Work, card::CardClass,
};

/// Longest name of a machine on a page, characters.
const NODE_NAME_CHARS: usize = 24;

/// The job.
pub(crate) struct Board {
    pub(super) job: Job,
    /// The store's number of the last change seen.
    change: u64,
    pub(super) pieces: HashMap<TaskId, Piece>,
    /// Frame → the tasks that render it and make its picture.
    pub(super) frames: BTreeMap<i32, Pair>,
    pub(super) video: Option<TaskId>,
    /// Until when the files stay; `None`: the job is open, or files stay for ever.
    pub(super) kept_until: Option<Millis>,
    /// Why nobody works on it.
    pub(super) waiting: Option<String>,
    pub(super) nodes: HashMap<Address, Face>,
    /// Grows with every change of what is shown; starts with the time, so that it grows over restarts, too.
    version: u64,
    /// What is shown: text and the version that last changed it.
    shown: [(String, u64); PARTS],
    /// Version that last changed a frame's cell.
    cells: HashMap<i32, u64>,
}

/// The tasks of one frame.
#[derive(Default)]
pub(super) struct Pair {
    /// Tasks of tiles, where the frame is rendered in tiles.
    pub tiles: BTreeMap<u16, TaskId>,
    /// The task that leaves the whole raw frame.
    pub render: Option<TaskId>,
    pub picture: Option<TaskId>,
}

/// A machine as a page shows it.
pub(super) struct Face {
    pub name: String,
    classes: Vec<Option<&'static CardClass>>,
}

/// What changed at once, as one text.
pub(crate) struct Round {
    pub from: u64,
    pub to: u64,
    pub html: String,
}

impl Board {
    /// The job as it stands.
    pub(crate) async fn open(app: &App, job: Job) -> Result<Self, ApiError> {
        let version = u64::try_from(SystemClock.now().0).unwrap_or(0);
        let mut board = Self {
            job,
            change: 0,
            pieces: HashMap::new(),
            frames: BTreeMap::new(),
            video: None,
            kept_until: None,
            waiting: None,
            nodes: HashMap::new(),
            version,
            shown: Default::default(),
            cells: HashMap::new(),
        };
        if let Some(spec) = board.spec() {
            board.frames = spec.frames.iter().map(|frame| (*frame, Pair::default())).collect();
        }
        board.look(app).await?;
        Ok(board)
    }

    pub(super) fn spec(&self) -> Option<&RenderSpec> {
        match &self.job.kind {
            JobKind::Render(spec) => Some(spec),
            JobKind::Inspect | JobKind::Benchmark { .. } | JobKind::Bundle(_) => None,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Reads what changed. `Some` where something looks different now.
    pub(crate) async fn look(&mut self, app: &App) -> Result<Option<Round>, ApiError> {
        let id = self.job.id;
        let changed = app.archive.history(id, self.change).await?;
        // Read after its tasks: it is never older than they are.
        let job = app.archive.job(id).await?;
        self.job = job.ok_or_else(|| ApiError::internal(&format!("{id} is gone")))?;
        self.kept_until = retention::kept_until(app, &self.job).await?;
        self.waiting = view::waiting(app, &self.job).await?;
        let mut frames = BTreeSet::new();
        for history in changed {
            self.change = self.change.max(history.changed);
            frames.extend(self.take(history));
        }
        self.meet(app).await?;
        let texts = parts::render(self)?;
        let from = self.version;
        let to = (from + 1).max(u64::try_from(SystemClock.now().0).unwrap_or(0));
        let mut html = String::new();
        for (shown, text) in self.shown.iter_mut().zip(texts) {
            if shown.0 != text {
                html.push_str(&text);
                *shown = (text, to);
            }
        }
        for frame in &frames {
            html.push_str(&parts::cell(self, *frame)?);
            self.cells.insert(*frame, to);
        }
        if html.is_empty() {
            return Ok(None);
        }
        self.version = to;
        Ok(Some(Round { from, to, html }))
    }

    /// Files a task; the answer is the frame whose cell changes by it.
    fn take(&mut self, history: crate::archive::History) -> Option<i32> {
        let id = history.task.id;
        let frame = match &history.task.work {
            Work::Render { frame, tile: Some(tile) } => {
                let tiles = &mut self.frames.entry(*frame).or_default().tiles;
                tiles.insert(*tile, id);
                Some(*frame)
            }
            Work::Render { frame, tile: None } | Work::Stitch { frame } => {
                self.frames.entry(*frame).or_default().render = Some(id);
                Some(*frame)
            }
            Work::Finish { frame } => {
                self.frames.entry(*frame).or_default().picture = Some(id);
                Some(*frame)
            }
            Work::Video => {
                self.video = Some(id);
                None
            }
            Work::Inspect | Work::Benchmark | Work::Task { .. } => None,
        };
        self.pieces.insert(id, Piece::of(history));
        frame
    }

    /// Learns the names and cards of machines that were not seen before.
    async fn meet(&mut self, app: &App) -> Result<(), ApiError> {
        let at_work = self.pieces.values().filter_map(|p| p.worker.map(|w| w.node));
        let done = self.pieces.values().filter_map(|p| p.done.map(|d| d.node));
        let strangers: BTreeSet<Address> =
            at_work.chain(done).filter(|n| !self.nodes.contains_key(n)).collect();
        if strangers.is_empty() {
            return Ok(());
        }
        let faces = app.writer.read(move |s| {
            let face = |id: Address| {
                let node = s.node(&id)?;
                let classes = node.cards.iter().map(tatau_model::Card::class).collect();
                let plain = node.name.chars().filter(|c| !c.is_control()).take(NODE_NAME_CHARS);
                Some((id, Face { name: plain.collect(), classes }))
            };
            strangers.into_iter().filter_map(face).collect::<Vec<_>>()
        });
        self.nodes.extend(faces.await?);
        Ok(())
    }

    /// Everything that changed after that version.
    pub(crate) fn since(&self, version: u64) -> Result<Round, ApiError> {
        let mut html: String =
            self.shown.iter().filter(|(_, at)| *at > version).map(|(text, _)| text.as_str()).collect();
        let changed: BTreeSet<i32> =
            self.cells.iter().filter(|(_, at)| **at > version).map(|(frame, _)| *frame).collect();
        for frame in changed {
            html.push_str(&parts::cell(self, frame)?);
        }
        Ok(Round { from: version, to: self.version, html })
    }

    /// The parts as they are shown now, in the order of [`parts::render`].
    pub(super) fn shown(&self, part: usize) -> &str {
        self.shown.get(part).map_or("", |(text, _)| text)
    }

    pub(super) fn piece(&self, id: Option<TaskId>) -> Option<&Piece> {
        self.pieces.get(&id?)
    }

    pub(super) fn accepted(&self, id: Option<TaskId>) -> Option<&Piece> {
        self.piece(id).filter(|piece| piece.state == TaskState::Accepted)
    }

    /// Frames whose picture is there.
    pub(super) fn pictures(&self) -> usize {
        self.frames.values().filter(|pair| self.accepted(pair.picture).is_some()).count()
    }

    /// How many of its frames have their picture, or how many tasks of a bundle are accepted; and how many there are.
    pub(super) fn progress(&self) -> (usize, usize) {
        match &self.job.kind {
            JobKind::Bundle(spec) => {
                let accepted = |piece: &&Piece| piece.state == TaskState::Accepted;
                (self.pieces.values().filter(accepted).count(), spec.tasks())
            }
            _ => (self.pictures(), self.frames.len()),
        }
    }

    /// Accepted results.
    pub(super) fn files(&self) -> impl Iterator<Item = &OutputFile> {
        self.pieces.values().flat_map(|piece| &piece.files)
    }

    /// Accepted results of a bundle, called as their places among all.
    pub(super) fn placed(&self, spec: &BundleSpec) -> Vec<OutputFile> {
        let of = |piece: &Piece| match piece.work {
            Work::Task { step, index } => {
                let place = |file: &OutputFile| OutputFile {
                    name: spec.place(step, index, &file.name),
                    ..file.clone()
                };
                piece.files.iter().map(place).collect()
            }
            _ => Vec::new(),
        };
        self.pieces.values().flat_map(of).collect()
    }

    /// A machine's name and its card's class.
    pub(super) fn face(&self, worker: &Worker) -> (String, String) {
        let Some(face) = self.nodes.get(&worker.node) else { return ("a machine".into(), String::new()) };
        let class = face.classes.get(usize::from(worker.card)).copied().flatten();
        (face.name.clone(), class.map_or_else(String::new, |c| crate::pages::orders::class(c.name)))
    }

    /// The class of the card that did a task.
    pub(super) fn class_of(&self, done: &Done) -> Option<&'static CardClass> {
        self.nodes.get(&done.node)?.classes.get(usize::from(done.card)).copied().flatten()
    }

    /// The buyer asked to look first, and there is everything to look at.
    pub(super) fn awaits_approval(&self) -> bool {
        let accepted = self.pieces.values().filter(|p| p.state == TaskState::Accepted).count();
        matches!(self.job.state, JobState::Paused { .. })
            && tatau_workload::planner::preview_is_ready(&self.job, accepted)
    }
}
