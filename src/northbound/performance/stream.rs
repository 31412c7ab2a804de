//! `WatchMeasurements`: readings or results of periods as they come to be.
//!
//! As for the other streams, nothing is queued for a client that does not read: it is told that it lags, and gets
//! the newest.

use super::chunks::series_chunks;
use super::opening::{Mode, Opening};
use super::query::{Range, blocking, object_history};
use super::reader::Performance;
use super::selection::Selected;
use super::telling::reading_series;
use crate::measurement::{LatestTable, MeasurementEvent};
use crate::model::measurement::{AbsentReason, LatestReading, Number, Owner, PeriodResult};
use crate::model::{Name, Timestamp};
use crate::northbound::auth::{Caller, internal, panic_text};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::sessions::{OpenSession, SessionFacts};
use crate::northbound::watch::{closed_by_operator, stopping};
use crate::wire::convert;
use crate::wire::v1;
use futures_util::FutureExt;
use prost::Message as _;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use v1::stream_closing::Reason as Closing;
use v1::watch_measurements_response::Message;

/// Full name of the method.
const METHOD: &str = "vrm.v1.PerformanceService/WatchMeasurements";

/// Objects whose readings are put together before they are sent.
const BATCH: usize = 200;

/// Messages of a stream.
pub(super) type MeasurementAnswers = ReceiverStream<Result<v1::WatchMeasurementsResponse, Status>>;

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Shutdown,
    Age,
    Closed,
    /// The client is gone.
    Gone,
    /// Everything that was asked for has been sent.
    Complete,
}

impl Performance {
    /// Begins a stream.
    pub(super) fn watch(
        &self,
        caller: &Caller,
        request: v1::WatchMeasurementsRequest,
    ) -> Result<MeasurementAnswers, Failure> {
        if self.watching.stopping.is_cancelled() {
            return Err(stopping());
        }
        let opening = self.opening(request)?;
        let now = self.published.now;
        let facts = SessionFacts {
            actor: caller.actor(None)?,
            method: METHOD.to_owned(),
            start_time: now(),
            filter: opening.filter.clone(),
            kinds: Vec::new(),
            options: opening.effective.clone(),
        };
        let session = self.sessions().enter(&caller.identity, facts)?;
        let (sender, receiver) = mpsc::channel(1);
        let stream = OpenStream {
            service: self.clone(),
            news: self.measurements.subscribe(),
            epoch: format!("m{}", now().0),
            opening,
            session,
            sender,
            deadline: caller.deadline,
            number: 0,
            sequence: 0,
            told: HashMap::new(),
            told_until: None,
        };
        tokio::spawn(stream.guarded());
        Ok(ReceiverStream::new(receiver))
    }
}

struct OpenStream {
    service: Performance,
    news: broadcast::Receiver<MeasurementEvent>,
    epoch: String,
    opening: Opening,
    session: OpenSession,
    sender: mpsc::Sender<Result<v1::WatchMeasurementsResponse, Status>>,
    deadline: Instant,
    number: u64,
    /// Greatest time told, in seconds since 1970.
    sequence: u64,
    /// Sampling: when the readings of an object were told. On change: what was told of a series. Both by digest,
    /// so that a stream over ten thousand machines stays small.
    told: HashMap<u64, u64>,
    /// Periods: end of the newest period told.
    told_until: Option<Timestamp>,
}

impl OpenStream {
    async fn guarded(mut self) {
        let counters = Arc::clone(&self.service.watching.counters);
        let sender = self.sender.clone();
        let run = AssertUnwindSafe(self.run()).catch_unwind().await;
        if let Err(panic) = run {
            counters.count_panic();
            let status = internal(METHOD, panic_text(panic.as_ref()));
            // A client that is gone needs no answer.
            let _ = sender.send(Err(status)).await;
        }
    }

    async fn run(&mut self) {
        let end = match self.begin().await {
            Ok(()) => match self.follow().await {
                Ok(()) => return,
                Err(end) => end,
            },
            Err(end) => end,
        };
        let (reason, delay, status) = match end {
            End::Gone | End::Complete => return,
            End::Shutdown => (Closing::Shutdown, 3, Some(stopping())),
            End::Age => (Closing::MaxAge, 0, None),
            End::Closed => (Closing::ClosedByOperator, 0, Some(closed_by_operator())),
        };
        let retry_delay = Some(prost_types::Duration { seconds: delay, nanos: 0 });
        let closing = Message::Closing(v1::StreamClosing { reason: reason.into(), retry_delay });
        let answer = self.envelope(closing);
        let sender = self.sender.clone();
        let farewell = async move {
            if sender.send(Ok(answer)).await.is_ok()
                && let Some(failure) = status
            {
                // A client that is gone needs no answer.
                let _ = sender.send(Err(failure.into())).await;
            }
        };
        // A client that does not read is not waited for longer than the daemon waits to stop.
        let _ = tokio::time::timeout(limits::DRAIN / 2, farewell).await;
    }

    /// What is there already.
    async fn begin(&mut self) -> Result<(), End> {
        let snapshot_follows = !self.opening.updates_only && !matches!(self.opening.mode, Mode::Periods { .. });
        let head = v1::StreamPosition { epoch: self.epoch.clone(), sequence: 0 };
        self.say(Message::Started(v1::StreamStarted {
            head: Some(head.clone()),
            oldest: Some(head),
            snapshot_follows,
            effective_options: Some(self.opening.effective.clone()),
            vrm_id: self.service.watching.vrm_id.clone(),
            system_dn: self.service.published.dn.dn(&Name::vrm()),
            server_version: self.service.watching.version.clone(),
            list_status: Some(self.service.published.list_status()),
        }))
        .await?;
        let mut count = 0;
        if snapshot_follows {
            count = self.snapshot().await?;
        } else if let Some(since) = self.opening.since {
            count = self.catch_up(since).await?;
        }
        self.say(Message::SyncComplete(v1::SyncComplete { object_count: count })).await?;
        if self.opening.once { Err(End::Complete) } else { Ok(()) }
    }

    /// What comes to be.
    async fn follow(&mut self) -> Result<(), End> {
        let stopping = self.service.watching.stopping.clone();
        let closed = self.session.closed();
        loop {
            let silence = self.opening.heartbeat;
            let beat = async move {
                match silence {
                    Some(silence) => tokio::time::sleep(silence).await,
                    None => std::future::pending().await,
                }
            };
            // Cancel-safety: broadcast's recv loses nothing when it is given up.
            let news = tokio::select! {
                biased;
                () = stopping.cancelled() => return Err(End::Shutdown),
                () = closed.cancelled() => return Err(End::Closed),
                () = self.sender.closed() => return Err(End::Gone),
                () = tokio::time::sleep_until(self.deadline) => return Err(End::Age),
                news = self.news.recv() => Some(news),
                () = beat => None,
            };
            match news {
                None => self.heartbeat().await?,
                Some(Ok(news)) => self.tell(news).await?,
                Some(Err(broadcast::error::RecvError::Lagged(skipped))) => self.lagged(skipped).await?,
                Some(Err(broadcast::error::RecvError::Closed)) => return self.idle().await,
            }
        }
    }

    /// Nothing will come any more, but the client decides when it has enough.
    async fn idle(&mut self) -> Result<(), End> {
        let stopping = self.service.watching.stopping.clone();
        let closed = self.session.closed();
        loop {
            let silence = self.opening.heartbeat.unwrap_or(limits::HEARTBEAT_MOST);
            tokio::select! {
                () = stopping.cancelled() => return Err(End::Shutdown),
                () = closed.cancelled() => return Err(End::Closed),
                () = self.sender.closed() => return Err(End::Gone),
                () = tokio::time::sleep_until(self.deadline) => return Err(End::Age),
                () = tokio::time::sleep(silence) => {}
            }
            self.heartbeat().await?;
        }
    }

    async fn heartbeat(&mut self) -> Result<(), End> {
        let objects = self.opening.selection.objects(&self.service.published).len();
        self.say(Message::Heartbeat(v1::Heartbeat {
            server_time: Some(convert::timestamp((self.service.published.now)())),
            object_count: u64::try_from(objects).unwrap_or(u64::MAX),
            state_digest: None,
        }))
        .await
    }

    async fn tell(&mut self, news: MeasurementEvent) -> Result<(), End> {
        match (news, self.opening.mode) {
            (MeasurementEvent::Sampled(readings), Mode::Sample { .. } | Mode::OnChange) => {
                let owners: Vec<Owner> = readings.owners.keys().cloned().collect();
                self.sampled(&owners).await
            }
            (MeasurementEvent::PeriodClosed(results), Mode::Periods { granularity_seconds }) => {
                self.closed(&results, granularity_seconds).await
            }
            _ => Ok(()),
        }
    }

    async fn lagged(&mut self, skipped: u64) -> Result<(), End> {
        let snapshot_follows = !matches!(self.opening.mode, Mode::Periods { .. });
        let reason = v1::lagged::Reason::SlowSubscriber.into();
        self.say(Message::Lagged(v1::Lagged { reason, skipped_count: skipped, snapshot_follows })).await?;
        if snapshot_follows {
            let object_count = self.snapshot().await?;
            return self.say(Message::SyncComplete(v1::SyncComplete { object_count })).await;
        }
        // Missed periods of one length come from history.
        if let (Mode::Periods { granularity_seconds: 1.. }, Some(until)) = (self.opening.mode, self.told_until) {
            let object_count = self.catch_up(until).await?;
            self.say(Message::SyncComplete(v1::SyncComplete { object_count })).await?;
        }
        Ok(())
    }

    /// The newest readings of all objects; answers how many objects there are.
    async fn snapshot(&mut self) -> Result<u64, End> {
        self.told.clear();
        let objects = self.opening.selection.objects(&self.service.published);
        let table = self.service.measurements.snapshot();
        for some in objects.chunks(BATCH) {
            let mut series = Vec::new();
            for object in some {
                series.extend(self.fresh(&table, object));
            }
            self.update(series, 0).await?;
        }
        Ok(u64::try_from(objects.len()).unwrap_or(u64::MAX))
    }

    /// Results of periods that begin at a time or later, from history; answers how many objects there are.
    async fn catch_up(&mut self, since: Timestamp) -> Result<u64, End> {
        let Mode::Periods { granularity_seconds } = self.opening.mode else { return Ok(0) };
        let now = (self.service.published.now)();
        let range = Range { granularity_seconds, begin: since, end: now };
        let objects = self.opening.selection.objects(&self.service.published);
        for object in &objects {
            let measurements = Arc::clone(&self.service.measurements);
            let selection = self.opening.selection.narrowed();
            let one = object.clone();
            let series = blocking(move || object_history(&*measurements, &selection, &one, range)).await;
            let series = match series {
                Ok(series) => series,
                Err(failure) => {
                    // A client that is gone needs no answer.
                    let _ = self.sender.send(Err(failure.into())).await;
                    return Err(End::Gone);
                }
            };
            let told: Vec<_> =
                series.iter().map(|one| convert::measurement_series(one, range.granularity(), &object.label)).collect();
            self.note_periods(series.iter().flat_map(|one| &one.points).map(|(begin, _)| *begin), granularity_seconds);
            self.update(told, granularity_seconds).await?;
        }
        Ok(u64::try_from(objects.len()).unwrap_or(u64::MAX))
    }

    async fn sampled(&mut self, owners: &[Owner]) -> Result<(), End> {
        let table = self.service.measurements.snapshot();
        for some in owners.chunks(BATCH) {
            let mut series = Vec::new();
            for owner in some {
                if let Some(object) = self.opening.selection.object(&self.service.published, owner) {
                    series.extend(self.fresh(&table, &object));
                }
            }
            self.update(series, 0).await?;
        }
        Ok(())
    }

    /// Readings of an object that are to be told now.
    fn fresh(&mut self, table: &LatestTable, object: &Selected) -> Vec<v1::MeasurementSeries> {
        let readings = self.opening.selection.readings(table.latest_of_owner(&object.owner));
        let due: Vec<LatestReading> = match self.opening.mode {
            Mode::Sample { interval } => self.due(object, readings, interval),
            Mode::OnChange => readings.into_iter().filter(|reading| self.is_changed(reading)).collect(),
            Mode::Periods { .. } => Vec::new(),
        };
        for reading in &due {
            self.sequence = self.sequence.max(seconds(reading.time));
        }
        due.iter().map(|reading| reading_series(reading, &object.label)).collect()
    }

    fn due(&mut self, object: &Selected, readings: Vec<LatestReading>, interval: Duration) -> Vec<LatestReading> {
        let Some(newest) = readings.iter().map(|reading| reading.time).max() else { return Vec::new() };
        let micros = u64::try_from(newest.0).unwrap_or_default();
        let told = self.told.get(&digest(&object.name)).copied();
        if told.is_some_and(|told| Duration::from_micros(micros.saturating_sub(told)) < interval) {
            return Vec::new();
        }
        self.told.insert(digest(&object.name), micros);
        readings
    }

    fn is_changed(&mut self, reading: &LatestReading) -> bool {
        let series = digest(&(&reading.key, reading.metric));
        let value = digest(&value_bits(&reading.value));
        self.told.insert(series, value) != Some(value)
    }

    async fn closed(&mut self, results: &[PeriodResult], granularity_seconds: u32) -> Result<(), End> {
        let wanted = Duration::from_secs(granularity_seconds.into());
        let mut by_length: HashMap<Duration, Vec<v1::MeasurementSeries>> = HashMap::new();
        for result in results.iter().filter(|result| wanted.is_zero() || result.granularity == wanted) {
            let series = self.period_series(result);
            if !series.is_empty() {
                self.note_periods([result.begin], u32::try_from(result.granularity.as_secs()).unwrap_or(0));
                by_length.entry(result.granularity).or_default().extend(series);
            }
        }
        let mut lengths: Vec<_> = by_length.into_iter().collect();
        lengths.sort_by_key(|(length, _)| *length);
        for (length, series) in lengths {
            self.update(series, u32::try_from(length.as_secs()).unwrap_or(u32::MAX)).await?;
        }
        Ok(())
    }

    fn period_series(&self, result: &PeriodResult) -> Vec<v1::MeasurementSeries> {
        let selection = &self.opening.selection;
        if !selection.takes_part(&result.key) {
            return Vec::new();
        }
        let Some(object) = selection.object(&self.service.published, &result.key.owner) else { return Vec::new() };
        let name = result.key.name().to_string();
        let mine = result.values.iter().filter(|(metric, _)| selection.metrics.contains(metric));
        mine.map(|(metric, value)| v1::MeasurementSeries {
            object: name.clone(),
            object_label: object.label.clone(),
            metric: metric.name().to_owned(),
            points: vec![convert::period_point(result.begin, result.granularity, value)],
        })
        .collect()
    }

    fn note_periods(&mut self, begins: impl IntoIterator<Item = Timestamp>, granularity_seconds: u32) {
        for begin in begins {
            let end = begin.plus(Duration::from_secs(granularity_seconds.into()));
            self.told_until = self.told_until.max(Some(end));
            self.sequence = self.sequence.max(seconds(end));
        }
    }

    async fn update(&mut self, series: Vec<v1::MeasurementSeries>, granularity_seconds: u32) -> Result<(), End> {
        for series in series_chunks(series) {
            self.say(Message::Update(v1::MeasurementUpdate { series, granularity_seconds })).await?;
        }
        Ok(())
    }

    fn envelope(&mut self, message: Message) -> v1::WatchMeasurementsResponse {
        self.number += 1;
        v1::WatchMeasurementsResponse {
            position: Some(v1::StreamPosition { epoch: self.epoch.clone(), sequence: self.sequence }),
            message_number: self.number,
            message: Some(message),
        }
    }

    /// Sends a message when the connection has room for it.
    async fn say(&mut self, message: Message) -> Result<(), End> {
        let stopping = self.service.watching.stopping.clone();
        let closed = self.session.closed();
        let sender = self.sender.clone();
        let permit = match sender.clone().try_reserve_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.session.waits();
                // Cancel-safety: giving up a reservation loses nothing.
                tokio::select! {
                    permit = sender.reserve_owned() => permit.map_err(|_| End::Gone)?,
                    () = stopping.cancelled() => return Err(End::Shutdown),
                    () = closed.cancelled() => return Err(End::Closed),
                    () = tokio::time::sleep_until(self.deadline) => return Err(End::Age),
                }
            }
        };
        let answer = self.envelope(message);
        self.session.sent(self.sequence, answer.encoded_len());
        permit.send(Ok(answer));
        Ok(())
    }
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.seconds_and_nanos().0).unwrap_or_default()
}

fn value_bits(value: &Result<Number, AbsentReason>) -> Result<(bool, u64), AbsentReason> {
    value.map(|number| match number {
        Number::Integer(value) => (true, value),
        Number::Real(value) => (false, value.to_bits()),
    })
}

fn digest(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
