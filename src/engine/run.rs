//! The engine's task: which message is next, and the way of its changes through store and log.

use super::command::{CommandError, Envelope};
use super::handle::EngineHandle;
use super::load::{self, Load};
use super::mutation;
use super::pending::{Pending, Window};
use super::registry::Registry;
use super::report::{Assignment, Cause, Report};
use super::requests::Requests;
use super::status::{Revalidation, list_status, restarted};
use super::turn::{Engine, Outcome};
use super::vitals::EngineVitals;
use crate::changes::{ChangeLog, ListCondition};
use crate::fault::{FaultSettings, Surveillance};
use crate::hypervisor::port::Opener;
use crate::inventory::{Inventory, InventorySettings};
use crate::model::object::Tombstone;
use crate::model::registration::HostRegistration;
use crate::model::{Actor, AuditRecord, ChangeSource, Object, ObjectClass, Timestamp};
use crate::store::{self, Ack, RequestRow, StoreCondition, StoreHandle};
use crate::telemetry::message_id;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Commands that may wait: 256. More are refused as STORE_BUSY.
const COMMANDS: usize = 256;

/// Urgent reports that may wait: 1,024; then collectors wait.
const URGENT: usize = 1_024;

/// Bulk reports (≤ 256 facts each) that may wait: 16; then polls wait.
const BULK: usize = 16;

/// How often what is due is done.
const TICK: Duration = Duration::from_secs(1);

/// What the engine is made of.
pub struct EngineParts {
    /// Settings of the inventory.
    pub settings: InventorySettings,
    /// Settings of fault management.
    pub fault: FaultSettings,
    /// What the store knew of the log.
    pub head: u64,
    /// Objects the store knew.
    pub objects: Vec<Arc<Object>>,
    /// Tombstones the store knew.
    pub tombstones: Vec<Tombstone>,
    /// Hosts registered through the API.
    pub hosts: Vec<HostRegistration>,
    /// Request ids still remembered.
    pub requests: Vec<RequestRow>,
    /// The log was begun anew although there was one before.
    pub rebuilt: bool,
    /// Way to the writer.
    pub store: StoreHandle,
    /// Its acknowledgements.
    pub acks: mpsc::UnboundedReceiver<Ack>,
    /// The log to publish in.
    pub changes: Arc<ChangeLog>,
    /// Turns registrations into endpoints.
    pub opener: Arc<dyn Opener>,
    /// Where collectors take their work.
    pub assignments: mpsc::UnboundedSender<Assignment>,
    /// Share of the file hosts one configuration may remove.
    pub removal_guard: f64,
    /// The clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl std::fmt::Debug for EngineParts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EngineParts").field("head", &self.head).finish_non_exhaustive()
    }
}

/// How the engine's task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineEnd {
    /// It was told to stop, and everything is committed.
    Stopped,
    /// The store broke a promise; the process must end and start again.
    StoreFailed(String),
}

/// Starts the engine's task; it ends when `stop` is cancelled and everything is committed.
pub fn start(
    parts: EngineParts,
    stop: CancellationToken,
) -> (EngineHandle, Arc<EngineVitals>, tokio::task::JoinHandle<EngineEnd>) {
    let (commands, command_inbox) = mpsc::channel(COMMANDS);
    let (urgent, urgent_inbox) = mpsc::channel(URGENT);
    let (bulk, bulk_inbox) = mpsc::channel(BULK);
    let vitals = Arc::new(EngineVitals::default());
    let handle = EngineHandle::new(commands, urgent, bulk, Arc::clone(&parts.opener));
    let now = (parts.clock)();
    let inventory = Inventory::restore(parts.settings, parts.head, parts.objects, parts.tombstones, now);
    let fault = Surveillance::restore(parts.fault, Box::new(alarm_id), &inventory.records(), now);
    let engine = Engine {
        inventory,
        fault,
        registry: Registry::new(parts.opener, parts.assignments, parts.removal_guard),
        requests: Requests::restore(parts.requests),
    };
    let task = Task {
        engine,
        store: parts.store,
        acks: parts.acks,
        changes: parts.changes,
        clock: parts.clock,
        window: Window::default(),
        load: Load::default(),
        next_id: 1,
        condition: StoreCondition::Good,
        rebuilt: parts.rebuilt,
        revalidation: if parts.head > 0 { Revalidation::Due } else { Revalidation::Over },
        waiting_hosts: Some(parts.hosts),
        vitals: Arc::clone(&vitals),
    };
    let inboxes = Inboxes { commands: command_inbox, urgent: urgent_inbox, bulk: bulk_inbox };
    let join = tokio::spawn(task.run(inboxes, stop));
    (handle, vitals, join)
}

struct Inboxes {
    commands: mpsc::Receiver<Envelope>,
    urgent: mpsc::Receiver<Report>,
    bulk: mpsc::Receiver<Report>,
}

struct Task {
    engine: Engine,
    store: StoreHandle,
    acks: mpsc::UnboundedReceiver<Ack>,
    changes: Arc<ChangeLog>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    window: Window,
    load: Load,
    next_id: u64,
    condition: StoreCondition,
    rebuilt: bool,
    revalidation: Revalidation,
    /// API hosts wait for the first configuration, so that files win.
    waiting_hosts: Option<Vec<HostRegistration>>,
    vitals: Arc<EngineVitals>,
}

impl Task {
    async fn run(mut self, mut inboxes: Inboxes, stop: CancellationToken) -> EngineEnd {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        // What the restart itself changed: everything is unknown until read.
        let now = (self.clock)();
        self.engine.own_conditions(vec![load::of_store(self.condition)], now);
        self.finish(Instant::now(), now, Outcome::default(), ChangeSource::Resync);
        loop {
            self.vitals.beat();
            let open = !self.window.is_full();
            if !open {
                self.load.crowded();
            }
            let alarm_due = self.alarm_due();
            // Cancel-safety: `recv` and `tick` lose nothing when another arm wins.
            tokio::select! {
                biased;
                Some(ack) = self.acks.recv() => {
                    if let Some(end) = self.acknowledge(ack) {
                        return end;
                    }
                }
                () = stop.cancelled() => return self.drain().await,
                Some(envelope) = inboxes.commands.recv() => self.command(envelope, open),
                Some(report) = inboxes.urgent.recv(), if open => self.report(report),
                _ = tick.tick() => {
                    let begun = Instant::now();
                    let now = (self.clock)();
                    let load = self.load.judge();
                    self.engine.own_conditions(vec![load], now);
                    self.engine.tick(now);
                    self.finish(begun, now, Outcome::default(), ChangeSource::ResourceOperation);
                    if self.revalidation == Revalidation::Told {
                        self.revalidation = Revalidation::Over;
                        self.publish_status();
                    }
                }
                () = tokio::time::sleep(alarm_due) => {
                    let begun = Instant::now();
                    let now = (self.clock)();
                    self.engine.tick(now);
                    self.finish(begun, now, Outcome::default(), ChangeSource::ResourceOperation);
                }
                Some(report) = inboxes.bulk.recv(), if open => self.report(report),
            }
        }
    }

    /// How long until a hold, a shelf or a quiet time of an alarm ends; at most a tick.
    fn alarm_due(&self) -> Duration {
        let now = (self.clock)();
        self.engine.fault.next_deadline().map_or(TICK, |due| due.since(now).min(TICK))
    }

    fn report(&mut self, report: Report) {
        let begun = Instant::now();
        let judged = matches!(report, Report::Link { .. });
        let now = (self.clock)();
        let (source, seen) = (source_of(&report), seen(&report).unwrap_or(now).min(now));
        self.engine.report(report, now);
        self.finish(begun, seen, Outcome::default(), source);
        if judged {
            self.publish_status();
        }
    }

    fn command(&mut self, envelope: Envelope, open: bool) {
        // The daemon's own word on its hosts is no load from outside: a start on many objects fills the window at once,
        // because all of them become unknown, and must not fail for it.
        let own = matches!(envelope, Envelope::ConfigureHosts { .. });
        if (!open && !own) || self.condition == StoreCondition::Full {
            self.vitals.refuse_busy();
            let error = if open { CommandError::StoreFull } else { CommandError::StoreBusy };
            envelope.refuse(error);
            return;
        }
        let begun = Instant::now();
        let now = (self.clock)();
        let outcome = self.engine.command(envelope, now);
        if own && let Some(hosts) = self.waiting_hosts.take() {
            for warning in self.engine.restore_hosts(hosts, now) {
                tracing::warn!(warning, "host registration");
            }
        }
        self.finish(begun, now, outcome, ChangeSource::ManagementOperation);
        self.publish_status();
    }

    /// Hands the turn's changes to the store; what led to them was seen at `seen`.
    fn finish(&mut self, begun: Instant, seen: Timestamp, outcome: Outcome, source: ChangeSource) {
        let effects = self.engine.take_effects(source, (self.clock)());
        let count = effects.changes.len();
        let mut transaction = outcome.transaction;
        transaction.changes.clone_from(&effects.changes);
        if !effects.refreshed.is_empty() {
            self.changes.refresh(effects.refreshed);
        }
        for reply in outcome.at_once {
            reply();
        }
        if transaction.is_empty() {
            outcome.replies.into_iter().for_each(|reply| reply());
        } else {
            transaction.id = self.next_id;
            self.next_id += 1;
            let alarms = effects.changes.iter().any(|change| change.object.class() == ObjectClass::Alarm);
            let seen = alarms.then_some(seen);
            if mutation::tells_before_it_commits() {
                self.changes.publish(&effects.changes);
            }
            let (id, changes, replies) = (transaction.id, effects.changes, outcome.replies);
            let audit = transaction.audit.clone();
            self.window.push(Pending { id, changes, replies, audit, seen });
            self.store.submit(transaction);
        }
        self.vitals.set_outstanding(self.window.len());
        self.load.turn(begun.elapsed());
        self.vitals.set_fault(self.engine.fault.counters());
        self.vitals.turn(begun.elapsed(), count);
    }

    fn acknowledge(&mut self, ack: Ack) -> Option<EngineEnd> {
        match ack {
            Ack::Done { id, outcome: store::Outcome::Committed } => {
                let Some(pending) = self.window.pop(id) else {
                    return Some(EngineEnd::StoreFailed(format!("transaction {id} was acknowledged out of order")));
                };
                if let Some(seen) = pending.seen {
                    self.vitals.alarms_committed((self.clock)().since(seen));
                }
                if !mutation::tells_before_it_commits() {
                    self.changes.publish(&pending.changes);
                }
                pending.audit.iter().for_each(tell_journal);
                pending.replies.into_iter().for_each(|reply| reply());
                self.vitals.set_outstanding(self.window.len());
                None
            }
            Ack::Done { outcome: store::Outcome::Fatal(reason), .. } => Some(EngineEnd::StoreFailed(reason)),
            Ack::Condition(condition) => {
                tracing::warn!(?condition, "store");
                self.condition = condition;
                let now = (self.clock)();
                self.engine.own_conditions(vec![load::of_store(condition)], now);
                self.finish(Instant::now(), now, Outcome::default(), ChangeSource::ResourceOperation);
                self.publish_status();
                None
            }
        }
    }

    fn publish_status(&mut self) {
        let mut status = list_status(&self.engine.inventory, self.condition, self.rebuilt);
        // Before the first configuration there are no hosts to be read.
        let settled = status.condition == ListCondition::Reliable && self.waiting_hosts.is_none();
        if settled && self.revalidation != Revalidation::Over {
            self.revalidation = Revalidation::Told;
            status = restarted();
        }
        self.changes.set_status(status);
    }

    /// Waits for what is outstanding; commands that still come are refused by the closed inbox.
    async fn drain(mut self) -> EngineEnd {
        while self.window.len() > 0 && self.condition == StoreCondition::Good {
            let Some(ack) = self.acks.recv().await else { break };
            if let Some(end) = self.acknowledge(ack) {
                return end;
            }
        }
        EngineEnd::Stopped
    }
}

/// Tells the journal of an act or a refusal, as a structured record (REQ-NTF-FUN-18).
fn tell_journal(record: &AuditRecord) {
    let AuditRecord { actor, method, target, request_id, outcome, detail, .. } = record;
    let denied = outcome != "OK";
    let message_id = message_id(if denied { "accessDenied" } else { "auditedAct" }).simple().to_string();
    let Actor { principal, user, system, peer } = actor;
    let who = if principal.is_empty() { peer } else { principal };
    if denied {
        tracing::warn!(
            message_id,
            principal,
            user,
            system,
            peer,
            method,
            target,
            request_id,
            outcome,
            detail,
            "audit: {who} {method} {outcome}, {detail}"
        );
    } else {
        tracing::info!(
            message_id,
            principal,
            user,
            system,
            peer,
            method,
            target,
            request_id,
            outcome,
            detail,
            "audit: {who} {method} {target} {outcome}"
        );
    }
}

/// Ids of alarms begin with their time, so that they sort by it.
fn alarm_id(now: Timestamp) -> Uuid {
    let (seconds, nanos) = now.seconds_and_nanos();
    let seconds = u64::try_from(seconds).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos.unsigned_abs()))
}

/// When what a report tells was seen, if it says so: the waiting in the inbox is a part of the latency.
fn seen(report: &Report) -> Option<Timestamp> {
    match report {
        Report::Link { time, .. } => Some(*time),
        Report::Observed { cause: Cause::Event, observation, .. } => Some(observation.time),
        _ => None,
    }
}

/// What the changes of a report's turn are marked with.
fn source_of(report: &Report) -> ChangeSource {
    match report {
        Report::Observed { cause: Cause::Resync, .. } => ChangeSource::Resync,
        _ => ChangeSource::ResourceOperation,
    }
}
