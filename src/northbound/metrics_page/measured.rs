//! Measured series on the OpenMetrics page, written piece by piece: of ten thousand machines the page is larger than
//! what should be in memory at once.
//!
//! Labels are what stays the same (UUIDs, host ids, device names); names that people change are in `_info` only. What
//! is absent has no series.

use crate::changes::ChangeLog;
use crate::measurement::{LatestTable, OwnerReadings};
use crate::model::measurement::{MeasuredKey, Number, Owner, Part};
use crate::model::metric::Metric;
use crate::model::virtual_machine::RunState;
use crate::model::{Body, ObjectClass, Timestamp};
use crate::northbound::open_metrics_names::{FAMILIES, Family, is_counter, unit};
use crate::northbound::performance::MetricDescription;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

/// Where the text goes, a piece at a time; false: nobody reads any more.
pub(super) type Sink<'a> = dyn FnMut(&mut String) -> bool + 'a;

/// Run states with their words.
const STATES: [(RunState, &str); 8] = [
    (RunState::Unknown, "unknown"),
    (RunState::Running, "running"),
    (RunState::Blocked, "blocked"),
    (RunState::Paused, "paused"),
    (RunState::ShuttingDown, "shutting_down"),
    (RunState::Off, "off"),
    (RunState::Crashed, "crashed"),
    (RunState::Suspended, "suspended"),
];

/// A piece is handed on when it has so many bytes.
const PIECE: usize = 64 * 1024;

/// Everything that is measured now.
pub(super) struct Measured<'a> {
    log: &'a ChangeLog,
    table: &'a LatestTable,
    /// The readings of each object that there is, from the host that told of it last.
    owners: BTreeMap<&'a Owner, &'a Arc<OwnerReadings>>,
    meanings: HashMap<Metric, String>,
}

impl<'a> Measured<'a> {
    pub(super) fn new(log: &'a ChangeLog, table: &'a LatestTable, descriptions: Vec<MetricDescription>) -> Self {
        let mut owners: BTreeMap<&Owner, &Arc<OwnerReadings>> = BTreeMap::new();
        for (owner, readings) in table.hosts.values().flat_map(|held| &held.owners) {
            let held = owners.entry(owner).or_insert(readings);
            if readings.at > held.at {
                *held = readings;
            }
        }
        // What is gone has no series, however young its last reading is.
        owners.retain(|owner, _| log.get(owner.name().as_str()).is_some());
        let meanings = descriptions.into_iter().map(|one| (one.metric, one.meaning)).collect();
        Self { log, table, owners, meanings }
    }

    /// Writes all families; false if nobody reads any more.
    pub(super) fn write(&self, sink: &mut Sink<'_>) -> bool {
        let mut text = String::with_capacity(PIECE + 1024);
        self.machines(&mut text, sink)
            && FAMILIES.iter().all(|family| self.family(family, &mut text, sink))
            && handed(&mut text, sink, 1)
    }

    /// `vrm_vm_info` and `vrm_vm_state`, which are known without measuring.
    fn machines(&self, text: &mut String, sink: &mut Sink<'_>) -> bool {
        let machines = self.log.all(ObjectClass::VirtualMachine);
        text.push_str("# HELP vrm_vm Name and host of each machine; join on vm.\n# TYPE vrm_vm info\n");
        for object in &machines {
            let Body::VirtualMachine(vm) = &object.body else { continue };
            let host = vm.host.as_ref().map(ToString::to_string).unwrap_or_default();
            let labels = [("vm", vm.uuid.to_string()), ("name", vm.display_name.clone()), ("host", host)];
            line(text, "vrm_vm_info", &labels, "1");
            if !handed(text, sink, PIECE) {
                return false;
            }
        }
        text.push_str(
            "# HELP vrm_vm_state Run state of each machine whose state is known.\n# TYPE vrm_vm_state stateset\n",
        );
        for object in machines.iter().filter(|object| !object.state.unknown) {
            let Body::VirtualMachine(vm) = &object.body else { continue };
            for (state, word) in STATES {
                let labels = [("vm", vm.uuid.to_string()), ("vrm_vm_state", word.to_owned())];
                line(text, "vrm_vm_state", &labels, if state == vm.run_state { "1" } else { "0" });
            }
            if !handed(text, sink, PIECE) {
                return false;
            }
        }
        true
    }

    fn family(&self, family: &Family, text: &mut String, sink: &mut Sink<'_>) -> bool {
        let name = format!("vrm_{}", family.name);
        let mut begun = false;
        for readings in self.owners.values().filter(|readings| !self.table.is_lost(readings) || is_own(family.metric)) {
            for part in &readings.parts {
                let key = MeasuredKey { owner: readings.owner.clone(), part: part.part.clone() };
                if key.class() != Some(family.metric.class()) {
                    continue;
                }
                let Some(latest) = readings.latest(part, family.metric) else { continue };
                let Some(value) = latest.value.ok().and_then(|value| written(value, family.divisor)) else { continue };
                if !begun {
                    self.head(&name, family, text);
                    begun = true;
                }
                samples(text, &name, &labels(&key), family.metric, &value, latest.start);
            }
            if !handed(text, sink, PIECE) {
                return false;
            }
        }
        true
    }

    fn head(&self, name: &str, family: &Family, text: &mut String) {
        let kind = if is_counter(family.metric) { "counter" } else { "gauge" };
        let meaning = self.meanings.get(&family.metric).map_or("", String::as_str);
        // Writing into a string does not fail.
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", escaped(meaning));
        if let Some(unit) = unit(name) {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
    }
}

/// Told of a host that does not answer, too: what the VRM knows itself.
fn is_own(metric: Metric) -> bool {
    matches!(metric, Metric::VrmCollectionDuration | Metric::VrmCollectionOverrun | Metric::VrmCollectionFailed)
}

/// Hands the text on once it has so many bytes.
fn handed(text: &mut String, sink: &mut Sink<'_>, least: usize) -> bool {
    text.len() < least || sink(text)
}

fn samples(
    text: &mut String,
    name: &str,
    labels: &[(&'static str, String)],
    metric: Metric,
    value: &str,
    start: Option<Timestamp>,
) {
    if !is_counter(metric) {
        return line(text, name, labels, value);
    }
    line(text, &format!("{name}_total"), labels, value);
    if let Some(start) = start {
        let (seconds, nanos) = start.seconds_and_nanos();
        line(text, &format!("{name}_created"), labels, &format!("{seconds}.{:03}", nanos / 1_000_000));
    }
}

fn line(text: &mut String, name: &str, labels: &[(&'static str, String)], value: &str) {
    text.push_str(name);
    for (at, (label, value)) in labels.iter().enumerate() {
        // Writing into a string does not fail.
        let _ = write!(text, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, escaped(value));
    }
    if !labels.is_empty() {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

/// A value in the base unit; nothing for one that is no number.
fn written(value: Number, divisor: f64) -> Option<String> {
    #[expect(clippy::float_cmp, reason = "exactly the constant of the table")]
    let unscaled = divisor == 1.0;
    match value {
        Number::Integer(value) if unscaled => Some(value.to_string()),
        value => {
            let value = value.as_f64() / divisor;
            value.is_finite().then(|| value.to_string())
        }
    }
}

/// The labels that tell a series from others of its family.
fn labels(key: &MeasuredKey) -> Vec<(&'static str, String)> {
    let mut labels = match &key.owner {
        Owner::Machine(uuid) => vec![("vm", uuid.to_string())],
        Owner::Host(host) => vec![("host", host.to_string())],
        Owner::Other(name) => {
            let host = name.host_id().map(|host| ("host", host.to_string()));
            let own = match name.class() {
                Some(ObjectClass::StoragePool) => Some(("pool", name.id())),
                Some(ObjectClass::Network) => Some(("network", name.id())),
                Some(ObjectClass::Volume) => Some(("volume", name.to_string())),
                _ => None,
            };
            host.into_iter().chain(own).collect()
        }
    };
    let machine = matches!(key.owner, Owner::Machine(_));
    labels.extend(match &key.part {
        Part::Whole => None,
        Part::Cpu(number) => Some((if machine { "vcpu" } else { "cpu" }, number.to_string())),
        Part::NumaNode(number) => Some(("node", number.to_string())),
        Part::Disk(disk) => Some(("disk", disk.to_string())),
        Part::Nic(nic) => Some(("nic", nic.to_string())),
        Part::Filesystem(mount) => Some(("mountpoint", mount.to_string())),
        Part::Sensor(sensor) => Some(("sensor", sensor.to_string())),
    });
    labels
}

#[cfg(test)]
mod tests;
