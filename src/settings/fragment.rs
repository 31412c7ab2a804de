//! The files as they are written. Every key is optional; nothing is checked here but the form.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// `vrm.toml` and the files of `vrm.d`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Fragment {
    pub(super) vrm: VrmTable,
    pub(super) listen: ListenTable,
    pub(super) metrics: MetricsTable,
    pub(super) poll: PollTable,
    pub(super) measurement: MeasurementTable,
    pub(super) overcommit: OvercommitTable,
    pub(super) limits: LimitsTable,
    pub(super) store: StoreTable,
    pub(super) log: LogTable,
    pub(super) credential: BTreeMap<String, CredentialTable>,
    /// Hosts may also stand in the main file.
    pub(super) host: Vec<HostTable>,
    pub(super) alarms: AlarmsTable,
    pub(super) alarm_profile: Vec<AlarmProfileTable>,
    pub(super) notify: Vec<NotifyTable>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AlarmsTable {
    pub(super) acknowledge_cleared_after: Option<String>,
}

/// One rule that grades alarms.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AlarmProfileTable {
    pub(super) name: Option<String>,
    pub(super) order: Option<u32>,
    pub(super) alarm_types: Vec<String>,
    pub(super) object: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) host: Option<String>,
    pub(super) resource_group: Option<String>,
    pub(super) severity: BTreeMap<String, String>,
    pub(super) hold_on: Option<String>,
    pub(super) hold_off: Option<String>,
    pub(super) thresholds: BTreeMap<String, f64>,
    pub(super) off: Option<bool>,
}

/// One sink; which keys it takes depends on its kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NotifyTable {
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) minimum_severity: Option<String>,
    pub(super) roots_only: Option<bool>,
    pub(super) alarm_types: Vec<String>,
    pub(super) delay: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) url: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) secret_file: Option<PathBuf>,
    pub(super) resend: Option<String>,
    pub(super) command: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct VrmTable {
    pub(super) id: Option<String>,
    pub(super) cluster_id: Option<String>,
    pub(super) dn_prefix: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) outside_changes: Option<String>,
    pub(super) removal_guard: Option<f64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenTable {
    pub(super) unix: Option<PathBuf>,
    pub(super) tcp: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MetricsTable {
    pub(super) listen: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PollTable {
    pub(super) probe: Option<String>,
    pub(super) statistics: Option<String>,
    pub(super) state: Option<String>,
    pub(super) definitions: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MeasurementTable {
    pub(super) interval: Option<String>,
    pub(super) series: Option<u32>,
    pub(super) samples_per_second: Option<u32>,
    pub(super) keep_minutes: Option<String>,
    pub(super) keep_quarters: Option<String>,
    pub(super) keep_hours: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OvercommitTable {
    pub(super) cpu: Option<f64>,
    pub(super) memory: Option<f64>,
    pub(super) storage: Option<f64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsTable {
    pub(super) watches_per_principal: Option<u32>,
    pub(super) watches: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreTable {
    pub(super) directory: Option<PathBuf>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogTable {
    pub(super) level: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CredentialTable {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) ca: Option<PathBuf>,
    pub(super) ssh_key: Option<PathBuf>,
    pub(super) known_hosts: Option<PathBuf>,
    pub(super) sasl: Option<PathBuf>,
}

/// One host: a file of `hosts.d`, or a `[[host]]` table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HostTable {
    pub(super) id: Option<String>,
    pub(super) uri: Option<String>,
    pub(super) uris: Vec<String>,
    pub(super) credential: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) allow_insecure: bool,
    pub(super) labels: BTreeMap<String, String>,
}
