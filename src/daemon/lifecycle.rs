//! Start, run and stop, in order (design.md 10).

use super::instance::{self, LockError};
use super::opener::SchemeOpener;
use super::options::{Exit, Options};
use super::performance::{Kept, Measured};
use super::sim_control::StreamControl;
use super::watchdog::Watchdog;
use super::{hosts, own, service, translate};
use crate::changes::{ChangeLog, Restored};
use crate::collect;
use crate::engine::{self, EngineEnd, EngineHandle, EngineParts, EngineVitals};
use crate::hypervisor::sim::{SimHandle, SimOpener, SimSetup};
use crate::model::history::TransitionHistory;
use crate::model::host::ConnectionState;
use crate::model::registration::HostRegistration;
use crate::model::{Body, Object, ObjectClass, Timestamp};
use crate::notify::{self, NotifyHandle};
use crate::settings::{self, Settings};
use crate::store::{self, Journal, Loaded, MeasurementStore, StoreHandle};
use crate::telemetry::{self, LogCounters};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Everything must be over ten seconds after SIGTERM.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// Everybody's first word is waited for at most 15 s (operations.md F22).
const FIRST_WORD: Duration = Duration::from_secs(15);

/// Why the daemon does not start or go on: exit status and a text for people.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    fn invalid(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::InvalidSettingsOrStore, text: error.to_string() }
    }

    fn failed(error: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Failed, text: error.to_string() }
    }
}

/// Checks the settings without touching anything; prints what is wrong.
pub fn check(options: &Options) -> Exit {
    match load(options) {
        Ok((_, hosts)) => {
            tell(&format!("settings are valid; {} hosts", hosts.len()));
            Exit::Clean
        }
        Err(failure) => {
            tell(&failure.text);
            failure.exit
        }
    }
}

/// Runs the daemon until it is told to stop.
pub fn run(options: Options) -> Exit {
    match run_checked(options) {
        Ok(()) => Exit::Clean,
        Err(failure) => {
            tell(&failure.text);
            failure.exit
        }
    }
}

/// Says something on standard error before or after logging exists.
fn tell(text: &str) {
    use std::io::Write;
    // Nobody reads standard error: then there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "vrmd: {text}");
}

fn run_checked(options: Options) -> Result<(), Failure> {
    let (settings, registrations) = load(&options)?;
    let log = telemetry::init(&settings.log_level).map_err(Failure::invalid)?;
    let _lock = instance::lock(&settings.state_directory).map_err(|error| match &error {
        LockError::Held(_) => Failure { exit: Exit::AnotherInstance, text: error.to_string() },
        LockError::Io { .. } => Failure::failed(error),
    })?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("vrm").build().map_err(Failure::failed)?;
    let result = runtime.block_on(serve(options, settings, registrations, log));
    // Lane threads may be stuck in a call: they end with the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Reads the settings and checks what they say against what this version knows.
fn load(options: &Options) -> Result<(Settings, Vec<HostRegistration>), Failure> {
    let settings = settings::load(&options.inputs).map_err(Failure::invalid)?;
    super::fault::check_rules(&settings).map_err(Failure::invalid)?;
    let hosts = registrations(&settings)?;
    Ok((settings, hosts))
}

fn registrations(settings: &Settings) -> Result<Vec<HostRegistration>, Failure> {
    settings.hosts.iter().map(|host| hosts::registration(host).map_err(Failure::invalid)).collect()
}

/// The clock of all records.
fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

async fn serve(
    options: Options,
    settings: Settings,
    registrations: Vec<HostRegistration>,
    log: LogCounters,
) -> Result<(), Failure> {
    // Signals are caught before anything can fail half-way.
    let mut signals = Signals::new().map_err(Failure::failed)?;
    let mut running = Running::start(&options, &settings, registrations, log).await?;
    let end = running.wait(&mut signals, &options).await;
    service::stopping();
    tracing::info!("stopping");
    running.stop(end).await
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// The started parts.
struct Running {
    engine: EngineHandle,
    vitals: Arc<EngineVitals>,
    engine_task: JoinHandle<EngineEnd>,
    collectors: JoinHandle<()>,
    measuring: JoinHandle<()>,
    stop_collectors: CancellationToken,
    stop_engine: CancellationToken,
    store: StoreHandle,
    changes: Arc<ChangeLog>,
    northbound: super::northbound::Server,
    sinks: NotifyHandle,
    stop_sinks: CancellationToken,
    history: MeasurementStore,
}

impl Running {
    async fn start(
        options: &Options,
        settings: &Settings,
        registrations: Vec<HostRegistration>,
        log: LogCounters,
    ) -> Result<Self, Failure> {
        let rebuilt = options.set_aside_store && set_aside(settings)?;
        let (journal, loaded) = open_journal(settings)?;
        let vrm_id = settled_id(settings, &loaded)?;
        let history = Arc::clone(&journal.reader) as Arc<dyn TransitionHistory>;
        let changes = Arc::new(ChangeLog::new(restored(&loaded), history));
        let (opener, sim) = openers(settings)?;
        let (assignments, assigned) = mpsc::unbounded_channel();
        let stop_engine = CancellationToken::new();
        let reader = Arc::clone(&journal.reader);
        let store = journal.store.clone();
        let (engine, vitals, engine_task) = engine::start(
            EngineParts {
                settings: translate::inventory_settings(settings, &vrm_id),
                fault: super::fault::fault_settings(settings, &vrm_id),
                head: loaded.head,
                objects: loaded.objects,
                tombstones: loaded.tombstones,
                hosts: loaded.hosts,
                requests: loaded.requests,
                rebuilt,
                store: journal.store,
                acks: journal.acks,
                changes: Arc::clone(&changes),
                opener: Arc::new(opener),
                assignments,
                removal_guard: settings.removal_guard,
                clock: Arc::new(now),
            },
            stop_engine.clone(),
        );
        let stop_sinks = CancellationToken::new();
        let sinks = start_sinks(settings, &vrm_id, &changes, &engine, &stop_sinks)?;
        let stop_collectors = CancellationToken::new();
        let (kept, measured) = super::performance::open(settings).map_err(Failure::failed)?;
        let sink = Arc::new(Kept(kept.clone()));
        let (measurement, measuring) = super::measurement::start(settings, &changes, &engine, sink, &stop_collectors);
        let parts = super::northbound::Parts {
            vrm_id: &vrm_id,
            changes: &changes,
            engine: &engine,
            vitals: &vitals,
            log: &log,
            history: &reader,
            sinks: sinks.figures(),
            measurements: Arc::new(Measured::new(measurement.clone(), measured)),
        };
        let northbound = super::northbound::bind(options, settings, parts).await.map_err(Failure::failed)?;
        let collecting = translate::collector_settings(settings, Arc::new(now), measurement.sink());
        let collectors = collect::start(collecting, engine.clone(), assigned, stop_collectors.clone());
        let warnings = engine
            .configure_hosts(registrations, options.allow_removals)
            .await
            .map_err(|error| Failure::invalid(with_hint(&error)))?;
        warn_all(&warnings);
        let names: Vec<String> = sinks.health().into_iter().map(|sink| sink.name).collect();
        engine.own_conditions(own::at_start(&changes, &names)).await;
        tokio::spawn(own::watch_storage(settings.state_directory.clone(), engine.clone(), stop_collectors.clone()));
        let streams = StreamControl { changes: Arc::clone(&changes), sessions: northbound.sessions() };
        serve_sim(settings, sim, streams)?;
        check_later(reader);
        northbound.ready();
        service::ready(&format!("{} hosts", changes.count(ObjectClass::Host)));
        tracing::info!(epoch = changes.epoch(), head = changes.head(), "ready");
        Ok(Self {
            engine,
            vitals,
            engine_task,
            collectors,
            measuring,
            stop_collectors,
            stop_engine,
            store,
            changes,
            northbound,
            sinks,
            stop_sinks,
            history: kept,
        })
    }

    /// Waits for the end; answers why.
    async fn wait(&mut self, signals: &mut Signals, options: &Options) -> Option<Failure> {
        let mut watchdog = Watchdog::new();
        let mut status = String::new();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut head = self.changes.watch_head();
        let first_word = tokio::time::sleep(FIRST_WORD);
        tokio::pin!(first_word);
        let mut settled = false;
        loop {
            // Cancel-safety: signals, watch, interval and a borrowed join handle lose nothing.
            tokio::select! {
                _ = signals.terminate.recv() => return None,
                _ = signals.interrupt.recv() => return None,
                _ = signals.hangup.recv() => self.reload(options).await,
                end = &mut self.engine_task => return Some(ended(end)),
                end = &mut self.measuring => return Some(Failure::failed(format!("measurement ended: {end:?}"))),
                _ = head.changed(), if !settled => settled = self.judge_settled(false),
                () = &mut first_word, if !settled => settled = self.judge_settled(true),
                _ = second.tick() => {
                    watchdog.look(&self.vitals);
                    self.tell_status(&mut status);
                }
            }
        }
    }

    /// Keeps the line that `systemctl status` shows.
    fn tell_status(&self, last: &mut String) {
        let hosts = self.changes.all(ObjectClass::Host);
        let up = hosts.iter().filter(|host| !host.state.unknown).count();
        let machines = self.changes.count(ObjectClass::VirtualMachine);
        let status = format!("{up} of {} hosts up, {machines} virtual machines", hosts.len());
        if *last != status {
            service::status(&status);
            *last = status;
        }
    }

    /// Tells that the inventory is complete once every host was read or judged lost, or `anyway`.
    fn judge_settled(&self, anyway: bool) -> bool {
        let settled = anyway || self.changes.all(ObjectClass::Host).iter().all(|host| has_spoken(host));
        if settled {
            self.northbound.inventory_ready();
            let machines = self.changes.count(ObjectClass::VirtualMachine);
            tracing::info!(machines, "every host was read or judged lost");
        }
        settled
    }

    /// Reads the settings again. Only hosts are taken over while running; anything invalid keeps
    /// what is.
    async fn reload(&self, options: &Options) {
        service::reloading();
        let mut refusal = None;
        match load(options) {
            Ok((_, hosts)) => match self.engine.configure_hosts(hosts, options.allow_removals).await {
                Ok(warnings) => {
                    warn_all(&warnings);
                    tracing::info!("settings were read again");
                }
                Err(error) => {
                    refusal = Some(with_hint(&error));
                    tracing::error!(error = with_hint(&error), "new hosts are refused; the old ones stay");
                }
            },
            Err(failure) => {
                tracing::error!(error = failure.text, "new settings are refused; the old ones stay");
                refusal = Some(failure.text);
            }
        }
        self.engine.own_conditions(vec![own::of_reload(refusal.as_deref())]).await;
        service::ready(&format!("{} hosts", self.changes.count(ObjectClass::Host)));
    }

    /// Ends streams, then collectors, then the engine, then flushes the store; bounded.
    async fn stop(self, failure: Option<Failure>) -> Result<(), Failure> {
        let orderly = async {
            self.northbound.stop().await;
            self.stop_sinks.cancel();
            self.sinks.stopped().await;
            self.stop_collectors.cancel();
            if let Err(error) = self.collectors.await {
                tracing::warn!(%error, "collectors");
            }
            super::performance::flush(&self.history).await;
            self.stop_engine.cancel();
            if failure.is_none() && !self.engine_task.is_finished() {
                let _ = self.engine_task.await;
            }
            self.store.flush().await;
        };
        if tokio::time::timeout(STOP_DEADLINE, orderly).await.is_err() {
            tracing::warn!("stopped before everything was finished");
        }
        failure.map_or(Ok(()), Err)
    }
}

/// What the change log takes of the store.
fn restored(loaded: &Loaded) -> Restored {
    Restored {
        epoch: loaded.epoch.clone(),
        head: loaded.head,
        objects: loaded.objects.clone(),
        tombstones: loaded.tombstones.clone(),
        forgotten: loaded.forgotten,
    }
}

/// True once a host was read completely since the start, or found lost.
fn has_spoken(object: &Object) -> bool {
    match &object.body {
        Body::Host(host) => {
            host.synchronized || matches!(host.connection_state, ConnectionState::Lost | ConnectionState::Refused)
        }
        _ => true,
    }
}

fn ended(end: Result<EngineEnd, tokio::task::JoinError>) -> Failure {
    match end {
        Ok(EngineEnd::Stopped) => Failure::failed("the engine stopped by itself"),
        Ok(EngineEnd::StoreFailed(reason)) => Failure::failed(format!("the store failed: {reason}")),
        Err(error) => Failure::failed(format!("the engine failed: {error}")),
    }
}

fn warn_all(warnings: &[String]) {
    for warning in warnings {
        tracing::warn!(warning, "host registration");
    }
}

fn with_hint(error: &engine::CommandError) -> String {
    match error {
        engine::CommandError::RemovalGuard { .. } => {
            format!("{error}; if that is meant, start with --allow-removals or set vrm.removal_guard = 1.0")
        }
        other => other.to_string(),
    }
}

fn set_aside(settings: &Settings) -> Result<bool, Failure> {
    let target = store::set_aside(&settings.state_directory, now()).map_err(Failure::failed)?;
    tracing::warn!(moved_to = %target.display(), "the store was set aside; a new one is begun");
    Ok(true)
}

fn open_journal(settings: &Settings) -> Result<(Journal, Loaded), Failure> {
    let options = store::OpenOptions { directory: settings.state_directory.clone(), vrm_id: settings.vrm_id.clone() };
    Journal::open(&options).map_err(|error| match &error {
        store::StoreError::Io { .. } => Failure::failed(chain(&error)),
        _ => Failure::invalid(chain(&error)),
    })
}

/// An error with everything behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// The id in force: the one of the first start. Another one in a file is refused, since every DN
/// would change (operations.md, defaults).
fn settled_id(settings: &Settings, loaded: &Loaded) -> Result<String, Failure> {
    if settings.vrm_id_explicit && settings.vrm_id != loaded.vrm_id {
        return Err(Failure::invalid(format!(
            "vrm.id is {:?}, but this store began as {:?} and every name would change; keep the id, or begin anew with --set-aside-store",
            settings.vrm_id, loaded.vrm_id
        )));
    }
    Ok(loaded.vrm_id.clone())
}

fn start_sinks(
    settings: &Settings,
    vrm_id: &str,
    changes: &Arc<ChangeLog>,
    engine: &EngineHandle,
    stop: &CancellationToken,
) -> Result<NotifyHandle, Failure> {
    let observer = Arc::new(super::notify::SinkAlarms(engine.clone()));
    let config = super::notify::notify_config(settings, vrm_id);
    notify::start(config, changes, &settings.state_directory, Some(observer), stop)
        .map_err(|error| Failure::failed(anyhow::Error::from(error)))
}

fn openers(settings: &Settings) -> Result<(SchemeOpener, SimHandle), Failure> {
    let profile = hosts::profile(settings.profile);
    let sim = SimOpener::new(SimSetup { clock: Arc::new(now), profile });
    let handle = sim.handle();
    #[cfg(feature = "libvirt")]
    let libvirt = {
        let credentials = super::credentials::libvirt_credentials(settings, &settings.state_directory)
            .map_err(|error| Failure::failed(format!("credentials: {error}")))?;
        let config = crate::hypervisor::libvirt::Config { profile, credentials };
        let opener = crate::hypervisor::libvirt::LibvirtOpener::new(config).map_err(Failure::failed)?;
        Some(Arc::new(opener) as Arc<dyn crate::hypervisor::port::Opener>)
    };
    #[cfg(not(feature = "libvirt"))]
    let libvirt = None;
    Ok((SchemeOpener { sim, libvirt }, handle))
}

/// Offers the simulator's control socket where a simulator is watched.
fn serve_sim(settings: &Settings, handle: SimHandle, streams: StreamControl) -> Result<(), Failure> {
    use crate::hypervisor::sim::control::{bind_control, serve_control};
    let simulated = settings.hosts.iter().any(|host| host.uris.iter().any(|uri| uri.starts_with("sim:")));
    if simulated {
        let path = settings.state_directory.join("sim.sock");
        let listener = bind_control(&path).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        tokio::spawn(serve_control(listener, handle, Arc::new(streams)));
    }
    Ok(())
}

/// Looks over the whole database once the daemon serves; it takes seconds on a large one.
fn check_later(reader: Arc<store::JournalReader>) {
    tokio::task::spawn_blocking(move || {
        if let Err(complaint) = reader.quick_check() {
            tracing::error!(complaint, "journal.db is damaged; back it up and begin anew with --set-aside-store");
        }
    });
}
