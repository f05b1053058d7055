//! The person's side of one provider: its settings, its button, what it sees; and the agent that is started and stopped by them.

use crate::{
    AgentEvent, Control, ProvideError, ProvideOptions, Wishes,
    board::{Board, Phase},
    control::changed,
    decide::Ruling,
    govern,
    idle_command::IdleRunner,
    provide_on,
    settings::{Settings, SettingsError, SettingsFile},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tatau_model::{Clock, SystemClock};
use tatau_worker::{Membership, Platform, Stop, StopSignal, told};
use tokio::sync::{Notify, watch};

/// After a failure the agent is started again in this time, if somebody may be watching for it.
const AGAIN: Duration = Duration::from_mins(1);

/// What the button asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Work,
    /// Finish what runs.
    Rest,
    /// Stop at once; what is signed goes out at the next start.
    RestNow,
}

/// One provider as its person steers it.
#[derive(Debug)]
pub struct Cockpit {
    /// What the person chose.
    pub settings: SettingsFile,
    /// What there is to see.
    pub board: Board,
    folder: PathBuf,
    pub(crate) cache: PathBuf,
    wanted: watch::Sender<Wanted>,
    pub(crate) rulings: watch::Sender<BTreeMap<u16, Ruling>>,
    pub(crate) wishes: watch::Sender<Wishes>,
    pub(crate) idle: Arc<IdleRunner>,
    /// Somebody changed something that rulings follow from.
    pub(crate) nudge: Notify,
    watching: AtomicUsize,
}

/// Counts as somebody watching as long as it lives.
#[derive(Debug)]
pub struct Watching(Arc<Cockpit>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.watching.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Cockpit {
    /// Of the node in this folder, whose inputs and environments lie in `cache`. `begin`: what an unpressed button means.
    pub fn open(folder: &Path, cache: &Path, begin: bool) -> Result<Arc<Self>, SettingsError> {
        let settings = SettingsFile::open(folder.join("provider.json"))?;
        let now = settings.now();
        let wanted = if now.working.unwrap_or(begin) { Wanted::Work } else { Wanted::Rest };
        Ok(Arc::new(Self {
            board: Board::default(),
            folder: folder.to_owned(),
            cache: cache.to_owned(),
            wanted: watch::Sender::new(wanted),
            rulings: watch::Sender::new(BTreeMap::new()),
            wishes: watch::Sender::new(govern::wishes(&now, None)),
            idle: Arc::new(IdleRunner::start(folder.join("idle-command.pid"))),
            nudge: Notify::new(),
            watching: AtomicUsize::new(0),
            settings,
        }))
    }

    /// The big button. Pressed to stop a second time, what runs is ended.
    pub fn press(&self, work: bool) -> Result<(), SettingsError> {
        self.settings.change(|settings| settings.working = Some(work))?;
        self.wanted.send_modify(|wanted| {
            *wanted = match (work, *wanted) {
                (true, _) => Wanted::Work,
                (false, Wanted::Work) => Wanted::Rest,
                (false, _) => Wanted::RestNow,
            };
        });
        self.nudge.notify_one();
        Ok(())
    }

    /// Works whatever was pressed before; the button stays as it is for the next start.
    pub fn begin(&self) {
        self.wanted.send_replace(Wanted::Work);
    }

    /// Is it to work?
    pub fn wants_work(&self) -> bool {
        *self.wanted.borrow() == Wanted::Work
    }

    /// Changes settings, and what follows from them.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) -> Result<Settings, SettingsError> {
        let settings = self.settings.change(change)?;
        let middle = self.board.look(|s| s.platform.as_ref().and_then(|p| p.middle_ask));
        self.wish(&settings, middle);
        self.nudge.notify_one();
        Ok(settings)
    }

    pub(crate) fn wish(&self, settings: &Settings, middle: Option<tatau_model::Amount>) {
        let new = govern::wishes(settings, middle);
        self.wishes.send_if_modified(|now| {
            let differs = *now != new;
            *now = new;
            differs
        });
    }

    /// Somebody watches: meters and money are looked at more often as long as the answer lives.
    pub fn watching(self: &Arc<Self>) -> Watching {
        self.watching.fetch_add(1, Ordering::Relaxed);
        self.nudge.notify_one();
        Watching(Arc::clone(self))
    }

    /// Does anybody?
    pub(crate) fn watched(&self) -> bool {
        self.watching.load(Ordering::Relaxed) > 0
    }

    fn control(&self) -> Control {
        Control {
            rulings: self.rulings.subscribe(),
            wishes: self.wishes.subscribe(),
            idle: Some(Arc::clone(&self.idle)),
        }
    }

    /// Provides whenever the button says so, until `stop`. With `stays` a failure is shown and tried again; without, it is the end.
    pub async fn run<P: Platform>(
        self: &Arc<Self>,
        platform: P,
        membership: Membership,
        mut options: ProvideOptions,
        stays: bool,
        stop: StopSignal,
    ) -> Result<(), ProvideError> {
        let (cockpit, outer) = (Arc::clone(self), Arc::clone(&options.on));
        options.on = Arc::new(move |event: AgentEvent| {
            cockpit.board.hear(&event, SystemClock.now());
            outer(event);
        });
        let governed = tokio::spawn(govern::rule(Arc::clone(self)));
        let asked = tokio::spawn(govern::ask_around(Arc::clone(self), platform.clone()));
        let ended = self.provide(&platform, membership, options, stays, stop).await;
        governed.abort();
        asked.abort();
        self.idle.quiet().await;
        ended
    }

    async fn provide<P: Platform>(
        &self,
        platform: &P,
        membership: Membership,
        mut options: ProvideOptions,
        stays: bool,
        mut stop: StopSignal,
    ) -> Result<(), ProvideError> {
        let mut wanted = self.wanted.subscribe();
        let mut membership = Some(membership);
        loop {
            tokio::select! {
                biased;
                () = told(&mut stop, Stop::Finish) => return Ok(()),
                _ = wanted.wait_for(|wanted| *wanted == Wanted::Work) => {}
            }
            // It lives as long as the agent does; the folder's lock is let go of in between, and taken again here.
            let ended = match membership
                .take()
                .map_or_else(|| Membership::open(&self.folder, &mut rand::rng()), Ok)
            {
                Ok(membership) => {
                    self.board.change(|s| s.phase = Phase::Starting("Getting ready.".into()));
                    options.control = self.control();
                    options.node.blob_cap_bytes = self.settings.now().cache_gib << 30;
                    self.once(platform.clone(), membership, options.clone(), &mut wanted, &mut stop).await
                }
                Err(error) => Err(error.into()),
            };
            if let Err(error) = ended {
                if !stays || *stop.borrow() >= Stop::Finish {
                    return Err(error);
                }
                let sentence = error.to_string();
                (options.on)(AgentEvent::Warning { sentence: sentence.clone() });
                self.board.change(|s| s.phase = Phase::Failed(sentence));
                wanted.mark_unchanged();
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = changed(&mut wanted) => {}
                    () = told(&mut stop, Stop::Finish) => {}
                }
                continue;
            }
            self.board.change(|s| s.phase = Phase::Stopped);
            if *stop.borrow() >= Stop::Finish {
                return Ok(());
            }
        }
    }

    /// The agent from its start to its end; the button and `stop` are passed on, whichever is more urgent.
    async fn once<P: Platform>(
        &self,
        platform: P,
        membership: Membership,
        options: ProvideOptions,
        wanted: &mut watch::Receiver<Wanted>,
        stop: &mut StopSignal,
    ) -> Result<(), ProvideError> {
        let (tell, signal) = watch::channel(Stop::Run);
        let running = provide_on(platform, membership, options, signal);
        tokio::pin!(running);
        loop {
            let word = match *wanted.borrow_and_update() {
                Wanted::Work => Stop::Run,
                Wanted::Rest => Stop::Finish,
                Wanted::RestNow => Stop::Now,
            };
            let word = word.max(*stop.borrow_and_update());
            // An agent that was told to stop does not hear that it should go on: it is started anew when it has ended.
            if word > *tell.borrow() {
                tell.send_replace(word);
                self.board.change(|s| s.phase = Phase::Finishing);
            }
            tokio::select! {
                ended = &mut running => return ended,
                () = changed(wanted) => {}
                () = changed(stop) => {}
            }
        }
    }
}
