//! The one place where the core, the router and the connections meet.
//!
//! One lock guards the core: a publish holds it for about a microsecond, no await happens under it, and the order
//! in which messages enter the router is the order in which the core saw them.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::bell::Bell;
use crate::control;
use crate::large::Large;
use crate::pace::Paces;
use crate::refusals::Refusals;
use crate::router::{Feed, Router, RouterDied};
use crate::settings::Settings;
use crate::store::Desk;
use crate::sys::{self, Snapshot, Traffic};
use broker_core::Map;
use broker_core::router::{Routed, RouterOp};
use broker_core::{ConnId, Moment};
use broker_core::{Core, Ended, Keep};

/// How often the window of routed messages is swept while traffic pauses. 500 ms: only memory waits for it.
const SWEEP: Duration = Duration::from_millis(500);

/// Shared by all tasks of one broker.
pub(crate) struct Hub {
    state: Mutex<State>,
    started: Instant,
    last_conn: AtomicU64,
    /// Wakes [`Hub::keep_time`] when an earlier deadline came up.
    sooner: Notify,
    crowded: AtomicBool,
    dead: Notify,
    pub(crate) traffic: Traffic,
    refusals: Refusals,
    /// How fast devices may publish.
    pub(crate) paces: Paces,
    /// Room for large packets.
    pub(crate) large: Arc<Large>,
    pub(crate) settings: Settings,
}

struct State {
    core: Core,
    router: Router,
    desk: Option<Arc<Desk>>,
    bells: Map<ConnId, Arc<Bell>>,
    /// Connections that are not read until the router has caught up.
    held_back: BTreeSet<ConnId>,
    /// When the clock task will look again; `None` while it sleeps without an end.
    alarm: Option<Moment>,
}

impl Hub {
    pub(crate) fn new(settings: Settings, router: Router, desk: Option<Arc<Desk>>) -> Self {
        let core = Core::new(settings.core());
        Self {
            state: Mutex::new(State {
                core,
                router,
                desk,
                bells: Map::default(),
                held_back: BTreeSet::new(),
                alarm: None,
            }),
            started: Instant::now(),
            last_conn: AtomicU64::new(0),
            sooner: Notify::new(),
            crowded: AtomicBool::new(false),
            dead: Notify::new(),
            traffic: Traffic::default(),
            refusals: Refusals::default(),
            paces: Paces::new(&settings.limits),
            large: Large::new(&settings.limits),
            settings,
        }
    }

    fn now(&self) -> Moment {
        Moment(self.started.elapsed())
    }

    /// Logs a refusal, unless the log has it already.
    pub(crate) fn refused(&self, why: &'static str, culprit: &str, about: impl Display) {
        self.refusals.note(self.now(), why, culprit, about);
    }

    /// Logs how often the same was refused again. Never returns.
    pub(crate) async fn tell_refusals(&self) {
        self.refusals.tell_counts(|| self.now()).await;
    }

    /// Runs one step of the core and carries out its effects.
    pub(crate) fn step<R>(&self, act: impl FnOnce(&mut Core, Moment) -> R) -> R {
        self.step_and_ring(None, act)
    }

    /// The same for a connection that pulls within the step and so need not be woken by it.
    pub(crate) fn step_for<R>(&self, own: ConnId, act: impl FnOnce(&mut Core, Moment) -> R) -> R {
        self.step_and_ring(Some(own), act)
    }

    fn step_and_ring<R>(&self, own: Option<ConnId>, act: impl FnOnce(&mut Core, Moment) -> R) -> R {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        let result = act(&mut state.core, self.now());
        // What is answered now, nobody has pulled yet.
        let own = own.filter(|_| !control::answer_all(&mut state.core, self.now()));
        let effects = state.core.effects();
        for op in effects.router.drain(..) {
            if carry_out(&mut state.router, &op).is_err() {
                self.dead.notify_one();
            }
        }
        if !effects.keep.is_empty()
            && let Some(desk) = &state.desk
        {
            desk.put(self.now(), &mut effects.keep);
        }
        for complaint in effects.complaints.drain(..) {
            self.refused(complaint.why, &complaint.culprit, complaint.about);
        }
        // Those that are told again and again have one bell to ring.
        effects.wake.dedup();
        for conn in effects.wake.drain(..) {
            if Some(conn) != own
                && let Some(bell) = state.bells.get(&conn)
            {
                bell.ring();
            }
        }
        self.note_crowd(state);
        let due = deadline(&state.core, || self.now());
        if due.is_some_and(|due| state.alarm.is_none_or(|alarm| due < alarm)) {
            state.alarm = due;
            self.sooner.notify_one();
        }
        result
    }

    /// What can be seen of the broker now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let core = state.core.reading();
        let trouble = state.desk.as_ref().and_then(|desk| desk.trouble());
        drop(state);
        let (sockets, resident) = (self.last_conn.load(Ordering::Relaxed), sys::resident());
        let uptime = self.started.elapsed();
        let snapshot = Snapshot { core, sockets, uptime, resident, trouble, ..Snapshot::default() };
        snapshot.traffic(&self.traffic)
    }

    /// All that is to be kept; whatever the desk had before does not count any more.
    pub(crate) fn everything(&self) -> Vec<Keep> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(desk) = &state.desk {
            desk.begin_anew(self.now());
        }
        state.core.everything()
    }

    fn note_crowd(&self, state: &mut State) {
        let crowded = state.core.crowded();
        if self.crowded.load(Ordering::Relaxed) == crowded {
            return;
        }
        self.crowded.store(crowded, Ordering::Relaxed);
        // Before there is a crowd nobody is held back.
        for conn in std::mem::take(&mut state.held_back) {
            if let Some(bell) = state.bells.get(&conn) {
                bell.ring();
            }
        }
    }

    /// Whether publishers have to wait for the router.
    pub(crate) fn crowded(&self) -> bool {
        self.crowded.load(Ordering::Relaxed)
    }

    /// Whether this one has to wait; if so, its bell rings when it need not any more.
    pub(crate) fn must_wait(&self, conn: ConnId) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = state.core.crowded();
        if crowded {
            state.held_back.insert(conn);
        }
        crowded
    }

    /// Does to the router what a topic without prefix would do.
    #[cfg(test)]
    pub(crate) fn break_router(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.router.break_thread();
    }

    /// A number for a new connection and what wakes it.
    pub(crate) fn register(&self) -> (ConnId, Arc<Bell>) {
        let conn = ConnId(self.last_conn.fetch_add(1, Ordering::Relaxed) + 1);
        let bell = Arc::<Bell>::default();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bells.insert(conn, bell.clone());
        (conn, bell)
    }

    /// A connection is over; if nobody has said how, then badly.
    pub(crate) fn unregister(&self, conn: ConnId) {
        self.step(|core, now| core.closed(now, conn, Ended::Lost));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bells.remove(&conn);
        state.held_back.remove(&conn);
        self.large.forget(conn);
    }

    /// Gives the core its ticks. Never returns.
    pub(crate) async fn keep_time(&self) {
        loop {
            let alarm = {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.alarm = deadline(&state.core, || self.now());
                state.alarm
            };
            let sleep = alarm.map(|alarm| alarm.0.saturating_sub(self.now().0));
            tokio::select! {
                () = self.sooner.notified() => {}
                () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => {
                    self.step(|core, now| {
                        core.tick(now);
                        core.flush_window();
                    });
                }
            }
        }
    }

    /// Feeds the core from the router until the router dies.
    pub(crate) async fn pump(&self, mut feed: Feed) -> RouterDied {
        let mut batch: Vec<Routed> = Vec::new();
        loop {
            tokio::select! {
                fed = feed.next(&mut batch) => if let Err(died) = fed { return died },
                () = self.dead.notified() => return RouterDied,
            }
            // Short steps, so that a large batch does not keep the others from the lock.
            for part in batch.chunks(256) {
                self.step(|core, _| core.routed(part));
            }
            batch.clear();
        }
    }
}

fn deadline(core: &Core, now: impl Fn() -> Moment) -> Option<Moment> {
    let sweep = core.window_in_use().then(|| now().after(SWEEP));
    core.next_deadline().into_iter().chain(sweep).min()
}

fn carry_out(router: &mut Router, op: &RouterOp) -> Result<(), RouterDied> {
    match op {
        RouterOp::Publish(message) => router.publish(&message.topic, message.order),
        RouterOp::Fence(number) => router.fence(*number),
        RouterOp::Subscribe(id, filter) => router.subscribe(*id, filter),
    }
}
