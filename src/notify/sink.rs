//! One sink at work: reads its subscription, decides, delivers until it succeeds, then remembers.

use super::alertmanager::Alertmanager;
use super::channel::{Failure, Parcel, Progress, now};
use super::config::Filter;
use super::exec::Exec;
use super::health::HealthCell;
use super::journal::Journal;
use super::memory::SinkMemory;
use super::notice::{Notice, Verdict, judge};
use super::retry::Backoff;
use super::webhook::Webhook;
use crate::changes::{
    ChangeLog, Delivery, DeliveryKind, DeliveryMode, GapPolicy, Selector, StartError, StreamEvent, StreamItem,
    Subscription, SubscriptionOptions,
};
use crate::export::{AlarmView, ChangeEvent, Identity, Reporter, WithdrawReason};
use crate::model::{Name, ObjectClass, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Stream items taken into one delivery.
const BATCH: usize = 64;

/// How long a batch that is not full waits for more.
const GATHER: Duration = Duration::from_millis(5);

/// Silence after which a position without news is stored.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Refusals of one notice before it is given up and counted.
const REFUSALS: u32 = 3;

/// Pause after the disk refused the position.
const DISK_PAUSE: Duration = Duration::from_secs(5);

/// Where a sink delivers.
#[derive(Debug)]
pub(super) enum Channel {
    Alertmanager(Box<Alertmanager>),
    Webhook(Box<Webhook>),
    Exec(Exec),
    Journal(Box<Journal>),
}

impl Channel {
    async fn deliver(&mut self, parcel: Parcel<'_>) -> Progress {
        match self {
            Self::Alertmanager(channel) => channel.deliver(parcel).await,
            Self::Webhook(channel) => channel.deliver(parcel).await,
            Self::Exec(channel) => channel.deliver(parcel).await,
            Self::Journal(channel) => channel.deliver(parcel).await,
        }
    }
}

/// A sink with all it needs.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) log: Arc<ChangeLog>,
    pub(super) reporter: Reporter,
    pub(super) filter: Filter,
    pub(super) delay: Duration,
    /// How often everything active is told again, if at all.
    pub(super) resend: Option<Duration>,
    pub(super) channel: Channel,
    pub(super) memory: SinkMemory,
    pub(super) health: Arc<HealthCell>,
    pub(super) backoff: Backoff,
    pub(super) stop: CancellationToken,
}

/// Why the sink woke up.
enum Wake {
    Stop,
    Item(Option<StreamItem>),
    Due,
    Resend,
}

impl Sink {
    /// Works until `stop`.
    pub(super) async fn run(mut self) {
        let mut subscription = match self.subscribe() {
            Ok(subscription) => subscription,
            // Cannot be: the gap policy is to resynchronise.
            Err(error) => return tracing::error!(%error, "sink cannot subscribe"),
        };
        let mut resend_at = Instant::now() + self.resend.unwrap_or_default();
        loop {
            match self.wake(&mut subscription, resend_at).await {
                Wake::Stop | Wake::Item(None) => return,
                Wake::Item(Some(item)) => {
                    let items = gather(&mut subscription, item).await;
                    let notices = self.digest(items);
                    self.settle(notices).await;
                }
                Wake::Due => {
                    let notices = self.release(now());
                    self.settle(notices).await;
                }
                Wake::Resend => {
                    self.tell_again().await;
                    resend_at = Instant::now() + self.resend.unwrap_or_default();
                }
            }
            let told = self.memory.told().len();
            self.health.figures.set_state(told, subscription.lag());
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    fn subscribe(&self) -> Result<Subscription, StartError> {
        let options = SubscriptionOptions {
            resume_after: self.memory.position().cloned(),
            mode: DeliveryMode::Transitions,
            gap_policy: GapPolicy::Resync,
            heartbeat: Some(HEARTBEAT),
            ..SubscriptionOptions::default()
        };
        let selector = Selector { classes: vec![ObjectClass::Alarm], matches: None, choice: None };
        Subscription::start(Arc::clone(&self.log), selector, options)
    }

    async fn wake(&self, subscription: &mut Subscription, resend_at: Instant) -> Wake {
        let due = self.next_due();
        // Cancel-safety: `next` loses nothing when dropped, the others hold nothing.
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Wake::Stop,
            () = sleep_until(resend_at), if self.resend.is_some() => Wake::Resend,
            () = sleep(due.unwrap_or_default()), if due.is_some() => Wake::Due,
            item = subscription.next() => Wake::Item(item),
        }
    }

    /// Time until the first waiting alarm is to be told.
    fn next_due(&self) -> Option<Duration> {
        let first = self.memory.waiting().values().min()?;
        Some(first.since(now()))
    }

    fn view(&self, name: &Name) -> Option<AlarmView> {
        self.log.get(name.as_str()).and_then(|object| AlarmView::of(&object))
    }

    /// What a batch of stream items means; the memory runs ahead of the delivery and is written after it.
    fn digest(&mut self, items: Vec<StreamItem>) -> Vec<Notice> {
        let epoch = self.log.epoch().to_owned();
        let mut notices = Vec::new();
        for item in items {
            match item.event {
                StreamEvent::Change(delivery) => notices.extend(self.weigh(&delivery)),
                StreamEvent::Lagged { reason, skipped, .. } => {
                    tracing::warn!(sink = self.health.figures.name(), ?reason, skipped, "sink reconciles after a gap");
                    notices.extend(self.reconcile());
                }
                // The place of the start is told before anything of it is delivered.
                StreamEvent::Started { .. } => continue,
                StreamEvent::SyncComplete { .. } | StreamEvent::Heartbeat { .. } | StreamEvent::Status(_) => {}
            }
            self.memory.advance(&epoch, item.position);
        }
        notices
    }

    fn weigh(&mut self, delivery: &Delivery) -> Option<Notice> {
        let object = &delivery.object;
        let name = &object.name;
        let told = self.memory.told().get(name).cloned();
        let view = AlarmView::of(object).filter(|view| !view.alarm.alarm_type.is_empty());
        if delivery.kind == DeliveryKind::Removed {
            self.memory.end(name);
            if self.filter.everything {
                return view.map(|view| Notice::new(ChangeEvent::Cleared(WithdrawReason::Gone), view, None));
            }
            // A cleared alarm that leaves the list was ended before.
            return told.map(|told| match view {
                Some(view) => Notice::new(ChangeEvent::Cleared(WithdrawReason::Gone), view, Some(&told)),
                None => Notice::gone(name, &told),
            });
        }
        let view = view?;
        if self.filter.everything {
            let event = if view.alarm.is_active() {
                ChangeEvent::Changed
            } else {
                ChangeEvent::Cleared(WithdrawReason::Cleared)
            };
            return Some(Notice::new(event, view, None));
        }
        let event = self.event(&view, told.as_ref())?;
        Some(Notice::new(event, view, told.as_ref()))
    }

    fn event(&mut self, view: &AlarmView, told: Option<&Identity>) -> Option<ChangeEvent> {
        let name = &view.name;
        match judge(&self.filter, &view.alarm, told.is_some(), self.memory.is_full()) {
            Verdict::Nothing => {
                self.memory.end(name);
                None
            }
            Verdict::Raise if self.is_early(view.alarm.raise_time) => {
                self.memory.wait(name, view.alarm.raise_time.plus(self.delay));
                None
            }
            Verdict::Raise => {
                self.memory.tell(name, Identity::of(view));
                Some(ChangeEvent::Raised)
            }
            Verdict::Change => {
                self.memory.tell(name, Identity::of(view));
                Some(ChangeEvent::Changed)
            }
            Verdict::End(reason) => {
                self.memory.end(name);
                Some(ChangeEvent::Cleared(reason))
            }
        }
    }

    fn is_early(&self, raise_time: Timestamp) -> bool {
        !self.delay.is_zero() && !self.memory.is_full() && now() < raise_time.plus(self.delay)
    }

    /// Ends what the receiver believes in and is no more, as of now.
    fn reconcile(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        for (name, told) in self.memory.told().clone() {
            let notice = match self.view(&name) {
                None => Notice::gone(&name, &told),
                Some(view) => match judge(&self.filter, &view.alarm, true, false) {
                    Verdict::End(reason) => Notice::new(ChangeEvent::Cleared(reason), view, Some(&told)),
                    Verdict::Nothing | Verdict::Raise | Verdict::Change => continue,
                },
            };
            self.memory.end(&name);
            notices.push(notice);
        }
        notices
    }

    /// Waiting alarms whose delay is over.
    fn release(&mut self, at: Timestamp) -> Vec<Notice> {
        let mut notices = Vec::new();
        let due: Vec<Name> =
            self.memory.waiting().iter().filter(|(_, due)| **due <= at).map(|(name, _)| name.clone()).collect();
        for name in due {
            match self.view(&name) {
                Some(view) if self.filter.wants(&view.alarm) => {
                    self.memory.tell(&name, Identity::of(&view));
                    notices.push(Notice::new(ChangeEvent::Raised, view, None));
                }
                _ => self.memory.end(&name),
            }
        }
        notices
    }

    /// Tells what is active again; nothing is remembered and a failure only counts.
    async fn tell_again(&mut self) {
        let names: Vec<Name> = self.memory.told().keys().cloned().collect();
        for chunk in names.chunks(BATCH) {
            let notices: Vec<Notice> = chunk
                .iter()
                .filter_map(|name| self.view(name).zip(self.memory.told().get(name)))
                // What changed meanwhile comes as a change.
                .filter(|(view, told)| self.filter.wants(&view.alarm) && Identity::of(view) == **told)
                .map(|(view, told)| Notice::new(ChangeEvent::Changed, view, Some(told)))
                .collect();
            self.deliver(notices).await;
            if self.stop.is_cancelled() {
                return;
            }
        }
    }

    /// Delivers, then writes the memory: on the disk only what was delivered.
    async fn settle(&mut self, notices: Vec<Notice>) {
        if !self.deliver(notices).await {
            return;
        }
        let mut failed = false;
        while let Err(error) = tokio::task::block_in_place(|| self.memory.commit()) {
            failed = true;
            self.health.fail(now(), &format!("position cannot be stored: {error}"));
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep(DISK_PAUSE) => {}
            }
        }
        if failed {
            self.health.succeed();
        }
    }

    /// Delivers until everything is delivered or refused; false if we were stopped before.
    async fn deliver(&mut self, notices: Vec<Notice>) -> bool {
        let epoch = self.log.epoch().to_owned();
        let mut rest = notices.as_slice();
        let mut refusals = 0;
        while !rest.is_empty() {
            let parcel = Parcel { reporter: &self.reporter, epoch: &epoch, notices: rest };
            let progress = tokio::select! {
                progress = self.channel.deliver(parcel) => progress,
                () = self.stop.cancelled() => return false,
            };
            self.health.figures.deliver(progress.done);
            rest = &rest[progress.done..];
            if progress.done > 0 {
                refusals = 0;
            }
            let Some(failure) = progress.failure else {
                self.backoff.reset();
                self.health.succeed();
                continue;
            };
            self.health.fail(now(), failure.reason());
            if let Failure::Refused(reason) = &failure {
                refusals += 1;
                if refusals >= REFUSALS {
                    tracing::error!(sink = self.health.figures.name(), reason, alarm = %rest[0].view.name, "refused");
                    self.health.figures.refuse();
                    rest = &rest[1..];
                    refusals = 0;
                    continue;
                }
            }
            let asked = if let Failure::Later { pause, .. } = failure { pause } else { None };
            let pause = self.backoff.pause(asked);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.stop.cancelled() => return false,
            }
        }
        true
    }
}

/// The item and what follows it at once.
async fn gather(subscription: &mut Subscription, first: StreamItem) -> Vec<StreamItem> {
    let mut items = vec![first];
    while items.len() < BATCH {
        match timeout(GATHER, subscription.next()).await {
            Ok(Some(item)) => items.push(item),
            Ok(None) | Err(_) => break,
        }
    }
    items
}
