//! Settings as everybody uses them: complete, checked, with units.

use super::alarms::{AlarmSettings, alarm_settings};
use super::error::SettingsError;
use super::fragment::{CredentialTable, Fragment, MeasurementTable};
use super::hosts::HostSetting;
use super::notify::{NotifySetting, notify_settings};
use super::period::parse_period;
use super::profile::{Profile, parse_profile};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What an outside stop or start does to an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutsideChanges {
    /// It follows.
    Adopt,
    /// A warning.
    Warn,
    /// An alarm.
    Alarm,
}

/// Where clients connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A unix socket; who may do what follows from the peer's credentials.
    Unix(PathBuf),
    /// TCP.
    Tcp(SocketAddr),
}

/// Where the metrics page is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metrics {
    /// Nowhere.
    Off,
    /// Here; `explicit` if somebody asked for this very address.
    On {
        /// The address.
        address: SocketAddr,
        /// Failing to bind it ends the daemon only if it was asked for.
        explicit: bool,
    },
}

/// Files that authenticate us to a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// Client certificate.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Authority of the host's certificate.
    pub ca: Option<PathBuf>,
    /// Private key for ssh.
    pub ssh_key: Option<PathBuf>,
    /// Known hosts for ssh.
    pub known_hosts: Option<PathBuf>,
    /// libvirt's authentication file.
    pub sasl: Option<PathBuf>,
}

/// Measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasurementSetting {
    /// Series of measurement jobs at most.
    pub series: u32,
    /// Samples a second at most.
    pub samples_per_second: u32,
    /// How long results of periods of a minute are kept (with those that are shorter).
    pub keep_minutes: Duration,
    /// Of a quarter of an hour.
    pub keep_quarters: Duration,
    /// Of an hour and longer.
    pub keep_hours: Duration,
}

/// The settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Id of this VRM; the store keeps the first one.
    pub vrm_id: String,
    /// True if a file sets the id.
    pub vrm_id_explicit: bool,
    /// Id of the cluster.
    pub cluster_id: String,
    /// Prefix of DNs, may be empty.
    pub dn_prefix: String,
    /// Upper bound of what is done to hosts.
    pub profile: Profile,
    /// Outside stops and starts.
    pub outside_changes: OutsideChanges,
    /// Share of the hosts a reload may remove.
    pub removal_guard: f64,
    /// Where clients connect.
    pub listeners: Vec<Listener>,
    /// Metrics page.
    pub metrics: Metrics,
    /// Signs of life.
    pub poll_probe: Duration,
    /// Moving figures.
    pub poll_statistics: Duration,
    /// Run states.
    pub poll_states: Duration,
    /// Definitions.
    pub poll_definitions: Duration,
    /// Measurement.
    pub measurement: MeasurementSetting,
    /// Ratio for virtual CPUs.
    pub overcommit_cpu: f64,
    /// Ratio for memory.
    pub overcommit_memory: f64,
    /// Ratio for storage.
    pub overcommit_storage: f64,
    /// Watches of one remote principal.
    pub watches_per_principal: u32,
    /// Watches of the daemon.
    pub watches: u32,
    /// State directory.
    pub state_directory: PathBuf,
    /// Log filter.
    pub log_level: String,
    /// Credentials by name.
    pub credentials: BTreeMap<String, Credential>,
    /// Hosts.
    pub hosts: Vec<HostSetting>,
    /// How alarms are graded and closed.
    pub alarms: AlarmSettings,
    /// Who is told of alarms.
    pub notify: Vec<NotifySetting>,
}

/// Default state directory (`StateDirectory=vrm`).
const STATE_DIRECTORY: &str = "/var/lib/vrm";

/// Default socket.
const SOCKET: &str = "/run/vrm/vrmd.sock";

/// Default metrics page.
const METRICS: &str = "127.0.0.1:9478";

/// What a fragment becomes, with a place for messages.
pub(super) struct Validation<'a> {
    pub(super) place: &'a str,
    pub(super) local_name: &'a str,
}

impl Validation<'_> {
    fn invalid(&self, key: &str, reason: impl Into<String>) -> SettingsError {
        SettingsError::Invalid { place: self.place.to_owned(), key: key.to_owned(), reason: reason.into() }
    }

    pub(super) fn settings(&self, fragment: Fragment, hosts: Vec<HostSetting>) -> Result<Settings, SettingsError> {
        let profile = match &fragment.vrm.profile {
            Some(text) => parse_profile(text).map_err(|reason| self.invalid("vrm.profile", reason))?,
            None => Profile::Monitor,
        };
        let outside_changes = self.outside_changes(fragment.vrm.outside_changes.as_deref(), profile)?;
        let vrm_id_explicit = fragment.vrm.id.is_some();
        let poll_statistics = self.base_interval(&fragment)?;
        let watches = self.bounded("limits.watches", fragment.limits.watches, 128, 256)?;
        let settings = Settings {
            vrm_id: self.identifier("vrm.id", fragment.vrm.id.unwrap_or_else(|| self.local_name.to_owned()))?,
            vrm_id_explicit,
            cluster_id: self
                .identifier("vrm.cluster_id", fragment.vrm.cluster_id.unwrap_or_else(|| "cluster".into()))?,
            dn_prefix: fragment.vrm.dn_prefix.unwrap_or_default(),
            profile,
            outside_changes,
            removal_guard: self.share("vrm.removal_guard", fragment.vrm.removal_guard.unwrap_or(0.1))?,
            listeners: self.listeners(fragment.listen.unix, fragment.listen.tcp.as_deref())?,
            metrics: self.metrics(fragment.metrics.listen.as_deref())?,
            poll_probe: self.period("poll.probe", fragment.poll.probe.as_deref(), 5, 1, 60)?,
            poll_statistics,
            poll_states: self.period("poll.state", fragment.poll.state.as_deref(), 60, 1, 3600)?,
            poll_definitions: self.period("poll.definitions", fragment.poll.definitions.as_deref(), 300, 10, 86_400)?,
            measurement: self.measurement(&fragment.measurement)?,
            overcommit_cpu: self.ratio("overcommit.cpu", fragment.overcommit.cpu, 4.0)?,
            overcommit_memory: self.ratio("overcommit.memory", fragment.overcommit.memory, 1.0)?,
            overcommit_storage: self.ratio("overcommit.storage", fragment.overcommit.storage, 2.0)?,
            watches_per_principal: self.bounded(
                "limits.watches_per_principal",
                fragment.limits.watches_per_principal,
                16,
                256,
            )?,
            watches,
            state_directory: fragment.store.directory.unwrap_or_else(|| STATE_DIRECTORY.into()),
            log_level: fragment.log.level.unwrap_or_else(|| "info".into()),
            credentials: fragment.credential.into_iter().map(|(name, table)| (name, credential(table))).collect(),
            hosts,
            alarms: alarm_settings(self.place, &fragment.alarms, fragment.alarm_profile)?,
            notify: notify_settings(self.place, fragment.notify)?,
        };
        self.cross_check(&settings)?;
        Ok(settings)
    }

    fn cross_check(&self, settings: &Settings) -> Result<(), SettingsError> {
        for host in &settings.hosts {
            if !host.credential.is_empty() && !settings.credentials.contains_key(&host.credential) {
                return Err(SettingsError::Invalid {
                    place: host.place.clone(),
                    key: "credential".into(),
                    reason: format!("there is no [credential.{}]", host.credential),
                });
            }
        }
        if settings.dn_prefix.split(',').any(|rdn| !settings.dn_prefix.is_empty() && !rdn.contains('=')) {
            return Err(self.invalid("vrm.dn_prefix", "must be a list of NAME=VALUE, separated by commas"));
        }
        Ok(())
    }

    fn outside_changes(&self, text: Option<&str>, profile: Profile) -> Result<OutsideChanges, SettingsError> {
        match (text, profile) {
            (Some("adopt"), _) | (None, Profile::Monitor) => Ok(OutsideChanges::Adopt),
            (Some("warn"), _) | (None, Profile::Manage) => Ok(OutsideChanges::Warn),
            (Some("alarm"), _) => Ok(OutsideChanges::Alarm),
            (Some(other), _) => {
                Err(self.invalid("vrm.outside_changes", format!("{other:?} is none of adopt, warn, alarm")))
            }
        }
    }

    fn identifier(&self, key: &str, text: String) -> Result<String, SettingsError> {
        let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
        if (1..=63).contains(&text.len()) && text.chars().all(plain) {
            Ok(text)
        } else {
            Err(self.invalid(key, format!("{text:?} must be 1 to 63 letters, digits, '-', '_' or '.'")))
        }
    }

    fn share(&self, key: &str, value: f64) -> Result<f64, SettingsError> {
        if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(self.invalid(key, "must lie between 0 and 1")) }
    }

    fn ratio(&self, key: &str, value: Option<f64>, default: f64) -> Result<f64, SettingsError> {
        let value = value.unwrap_or(default);
        if (0.1..=100.0).contains(&value) { Ok(value) } else { Err(self.invalid(key, "must lie between 0.1 and 100")) }
    }

    fn bounded(&self, key: &str, value: Option<u32>, default: u32, most: u32) -> Result<u32, SettingsError> {
        let value = value.unwrap_or(default);
        if (1..=most).contains(&value) {
            Ok(value)
        } else {
            Err(self.invalid(key, format!("must lie between 1 and {most}")))
        }
    }

    fn period(
        &self,
        key: &str,
        text: Option<&str>,
        default: u64,
        least: u64,
        most: u64,
    ) -> Result<Duration, SettingsError> {
        match text {
            None => Ok(Duration::from_secs(default)),
            Some(text) => parse_period(text, least, most).map_err(|reason| self.invalid(key, reason)),
        }
    }

    /// The base interval has two names; a file that uses both says nothing clear.
    fn base_interval(&self, fragment: &Fragment) -> Result<Duration, SettingsError> {
        match (&fragment.measurement.interval, &fragment.poll.statistics) {
            (Some(_), Some(_)) => Err(self.invalid("measurement.interval", "is set as poll.statistics too")),
            (Some(text), None) => self.period("measurement.interval", Some(text), 10, 1, 3600),
            (None, text) => self.period("poll.statistics", text.as_deref(), 10, 1, 3600),
        }
    }

    fn measurement(&self, table: &MeasurementTable) -> Result<MeasurementSetting, SettingsError> {
        const DAY: u64 = 86_400;
        let keep = |key: &str, text: &Option<String>, days: u64| {
            self.period(&format!("measurement.{key}"), text.as_deref(), days * DAY, 3_600, 4_000 * DAY)
        };
        let most = self.bounded("measurement.samples_per_second", table.samples_per_second, 20_000, 1_000_000)?;
        Ok(MeasurementSetting {
            series: self.bounded("measurement.series", table.series, 200_000, 10_000_000)?,
            samples_per_second: most,
            keep_minutes: keep("keep_minutes", &table.keep_minutes, 2)?,
            keep_quarters: keep("keep_quarters", &table.keep_quarters, 35)?,
            keep_hours: keep("keep_hours", &table.keep_hours, 400)?,
        })
    }

    fn listeners(&self, unix: Option<PathBuf>, tcp: Option<&str>) -> Result<Vec<Listener>, SettingsError> {
        let mut listeners = vec![Listener::Unix(unix.unwrap_or_else(|| SOCKET.into()))];
        if let Some(tcp) = tcp {
            listeners.push(Listener::Tcp(
                tcp.parse().map_err(|_| self.invalid("listen.tcp", format!("{tcp:?} is no ADDRESS:PORT")))?,
            ));
        }
        Ok(listeners)
    }

    fn metrics(&self, text: Option<&str>) -> Result<Metrics, SettingsError> {
        parse_metrics(text).map_err(|reason| self.invalid("metrics.listen", reason))
    }
}

/// Reads `off` or an address; nothing gives the default.
pub(super) fn parse_metrics(text: Option<&str>) -> Result<Metrics, String> {
    let explicit = text.is_some();
    match text.unwrap_or(METRICS) {
        "off" => Ok(Metrics::Off),
        text => match text.parse() {
            Ok(address) => Ok(Metrics::On { address, explicit }),
            Err(_) => Err(format!("{text:?} is neither off nor an ADDRESS:PORT")),
        },
    }
}

/// Reads `unix:PATH` or `ADDRESS:PORT`.
pub(super) fn parse_listener(text: &str) -> Result<Listener, String> {
    match text.strip_prefix("unix:") {
        Some(path) if !path.is_empty() => Ok(Listener::Unix(path.into())),
        Some(_) => Err("unix: needs a path".into()),
        None => text.parse().map(Listener::Tcp).map_err(|_| format!("{text:?} is neither unix:PATH nor ADDRESS:PORT")),
    }
}

fn credential(table: CredentialTable) -> Credential {
    Credential {
        certificate: table.certificate,
        key: table.key,
        ca: table.ca,
        ssh_key: table.ssh_key,
        known_hosts: table.known_hosts,
        sasl: table.sasl,
    }
}
