//! Measurements: readings of counters and levels, results of granularity periods, measurement jobs and threshold
//! monitors. Plain records; what they mean is worked out by `performance`.

use super::metric::{MeasuredClass, Metric};
use super::{HostId, Name, PerceivedSeverity, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What is measured: an object, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeasuredKey {
    /// The managed object.
    pub owner: Owner,
    /// Which part of it.
    pub part: Part,
}

/// A managed object that is measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A machine, wherever it runs.
    Machine(Uuid),
    /// A host.
    Host(HostId),
    /// Any other object, by name: pools, volumes, networks, the cluster, the VRM.
    Other(Name),
}

/// A part of a managed object, by what stays the same over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The object itself.
    #[default]
    Whole,
    /// A CPU of a host or a machine, by its number.
    Cpu(u32),
    /// A NUMA node, by its number.
    NumaNode(u32),
    /// A disk: of a machine by target (`vda`), of a host by kernel name (`sda`).
    Disk(Arc<str>),
    /// A NIC: of a machine by MAC address, of a host by interface name.
    Nic(Arc<str>),
    /// A filesystem of a host, by mount point.
    Filesystem(Arc<str>),
    /// A sensor of a host, e.g. `coretemp-0/temp1`.
    Sensor(Arc<str>),
}

/// What one look at the counters of an endpoint gave.
///
/// Every sample of a batch was taken between `time` and `time + spent`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleBatch {
    /// Wall clock when the look began.
    pub time: Timestamp,
    /// Monotonic clock at the middle of the look, since any fixed moment: differences of it are true intervals.
    pub monotonic: Duration,
    /// How long the look took.
    pub spent: Duration,
    /// What was read.
    pub samples: Vec<Sample>,
}

/// Readings of one object at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What was measured.
    pub key: MeasuredKey,
    /// Counts starts of what counts: cumulative readings of two incarnations never subtract. For machines the
    /// hypervisor's id of the running instance, for hosts the boot.
    pub incarnation: u64,
    /// The readings; a metric is there once at most.
    pub readings: Vec<(Metric, Number)>,
    /// Metrics that were asked for and not given, with the reason.
    pub absent: Vec<(Metric, AbsentReason)>,
}

/// A reading.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// Counters and sizes.
    Integer(u64),
    /// Shares, rates, temperatures.
    Real(f64),
}

impl Number {
    /// As a floating-point number; beyond 2^53 the last digits go.
    #[expect(clippy::cast_precision_loss, reason = "said in the docs; counters are subtracted as integers before")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

/// Why there is no value. Never shown as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbsentReason {
    /// The technology or the server does not have it.
    Unsupported,
    /// The read-only connection of profile monitor forbids it.
    ReadOnlyConnection,
    /// What there is is too old to be told.
    Stale,
    /// The host does not answer.
    HostLost,
    /// The object does not answer (its hypervisor process hangs).
    NotResponding,
    /// The object is off: there is nothing to measure.
    NotRunning,
    /// A first reading, or a first one after a reset: there is nothing to subtract.
    NoInterval,
    /// A division by nothing: no operation took place whose mean could be told.
    NoEvents,
    /// It was not measured in this time (the VRM was down, the job was suspended).
    NotMeasured,
}

/// Why the result of a period must be used with care (3GPP *suspect*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuspectReason {
    /// Measuring began after the period did.
    LateStart,
    /// Readings are missing in the middle.
    Gap,
    /// A counter began anew or went back.
    CounterReset,
    /// The host was not reachable for a part of it.
    HostLost,
    /// The wall clock was set.
    ClockStep,
    /// The machine moved to another host.
    Migration,
    /// The source's clock differs from ours by more than a second.
    SourceClock,
    /// The VRM sheds load: readings are rarer than asked for.
    Overload,
}

/// Suspect reasons of a period as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Suspect(pub u16);

impl SuspectReason {
    /// Every reason, in the order of the bits of [`Suspect`].
    pub const ALL: [Self; 8] = [
        Self::LateStart,
        Self::Gap,
        Self::CounterReset,
        Self::HostLost,
        Self::ClockStep,
        Self::Migration,
        Self::SourceClock,
        Self::Overload,
    ];
}

impl Suspect {
    /// Adds a reason.
    pub fn add(&mut self, reason: SuspectReason) {
        self.0 |= 1 << reason as u16;
    }

    /// True if there is a reason.
    pub fn any(self) -> bool {
        self.0 != 0
    }

    /// The reasons.
    pub fn reasons(self) -> impl Iterator<Item = SuspectReason> {
        SuspectReason::ALL.into_iter().filter(move |reason| self.0 & (1 << *reason as u16) != 0)
    }
}

/// Result of one metric of one object over one granularity period.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodValue {
    /// Cumulative and event metrics: the difference; gauges: the mean over time; status: the last. Nothing with
    /// the reason if there is no value.
    pub value: Result<f64, AbsentReason>,
    /// Least reading (gauges).
    pub min: Option<f64>,
    /// Greatest reading (gauges).
    pub max: Option<f64>,
    /// Last reading.
    pub last: Option<f64>,
    /// Number of readings it rests on.
    pub samples: u32,
    /// Why it must be used with care.
    pub suspect: Suspect,
}

/// Results of one object over one granularity period, by metric in catalogue order.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodResult {
    /// What was measured.
    pub key: MeasuredKey,
    /// Begin, aligned to UTC.
    pub begin: Timestamp,
    /// Length.
    pub granularity: Duration,
    /// Results.
    pub values: Vec<(Metric, PeriodValue)>,
}

/// A standing order to measure (3GPP `PerfMetricJob`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasurementJob {
    /// Its id, the last segment of its name.
    pub id: String,
    /// What it is for, for people; may be empty.
    pub description: String,
    /// Metrics; none: the core set of each class.
    pub metrics: Vec<Metric>,
    /// What is measured.
    pub scope: MeasurementScope,
    /// Granularity period in seconds, aligned to UTC: 10 to 86,400.
    pub granularity_seconds: u32,
    /// Reports cover this many seconds, a multiple of the granularity period; 0: no reports.
    pub reporting_seconds: u32,
    /// First period begins then at the earliest.
    pub start: Option<Timestamp>,
    /// No period begins then or later.
    pub stop: Option<Timestamp>,
    /// Low-priority jobs go first under overload.
    pub priority: JobPriority,
    /// Suspended by somebody: nothing is measured for it.
    pub suspended: bool,
    /// Periods in which nothing but zeros was counted are left out of reports (Q.822 zero suppression).
    pub zero_suppression: bool,
}

/// What a job or a monitor is about: objects by name, and everything below roots (new objects join).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MeasurementScope {
    /// Objects by name.
    pub objects: Vec<Name>,
    /// Roots of subtrees; `cluster` is everything.
    pub roots: Vec<Name>,
}

/// What goes first when the VRM cannot do everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobPriority {
    /// Shed first.
    Low,
    /// Shed after low.
    #[default]
    Medium,
    /// Shed last.
    High,
}

/// A watch on a metric that raises an alarm (3GPP `ThresholdMonitor`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThresholdMonitor {
    /// Its id, the last segment of its name.
    pub id: String,
    /// What it is for, for people; may be empty.
    pub description: String,
    /// The metric; nothing only in an empty record.
    pub metric: Option<Metric>,
    /// What is watched.
    pub scope: MeasurementScope,
    /// Which way is bad.
    pub direction: ThresholdDirection,
    /// Levels, the mildest first; at most four, each severity once.
    pub levels: Vec<ThresholdLevel>,
    /// Distance the value must come back over a level before it is cleared, in the metric's unit.
    pub hysteresis: f64,
    /// Length of the periods whose result is compared, in seconds.
    pub granularity_seconds: u32,
    /// Suspended by somebody.
    pub suspended: bool,
}

/// Which way a threshold is crossed when it gets worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdDirection {
    /// High is bad.
    #[default]
    Up,
    /// Low is bad.
    Down,
}

/// A level of a threshold monitor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThresholdLevel {
    /// The value.
    pub value: f64,
    /// Severity of the alarm beyond it.
    pub severity: PerceivedSeverity,
}

/// A level was crossed; what the measurement task tells the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdCrossing {
    /// Id of the monitor.
    pub monitor: String,
    /// Name of what was measured, e.g. `virtualMachines/…/disks/vda`.
    pub object: Name,
    /// The metric.
    pub metric: Metric,
    /// Severity now; nothing when it came back below every level.
    pub severity: Option<PerceivedSeverity>,
    /// Value that crossed.
    pub value: f64,
    /// Level that was crossed.
    pub level: f64,
    /// Which way is worse.
    pub direction: ThresholdDirection,
    /// Hysteresis of the monitor.
    pub hysteresis: f64,
    /// End of the period whose result crossed.
    pub time: Timestamp,
}

impl Owner {
    /// The name of the managed object.
    pub fn name(&self) -> Name {
        match self {
            Self::Machine(uuid) => Name::virtual_machine(*uuid),
            Self::Host(host) => Name::host(host),
            Self::Other(name) => name.clone(),
        }
    }
}

impl MeasuredKey {
    /// The object itself.
    pub fn whole(owner: Owner) -> Self {
        Self { owner, part: Part::Whole }
    }

    /// The name of what is measured, e.g. `virtualMachines/{uuid}/disks/vda`.
    pub fn name(&self) -> Name {
        let owner = self.owner.name();
        let text = |kind: &str, id: &str| Name::new(format!("{owner}/{kind}/{}", super::name::encode(id)));
        match &self.part {
            Part::Whole => owner,
            Part::Cpu(number) => text("cpus", &number.to_string()),
            Part::NumaNode(number) => text("numaNodes", &number.to_string()),
            Part::Disk(disk) => text("disks", disk),
            Part::Nic(nic) => text("nics", nic),
            Part::Filesystem(mount) => text("filesystems", mount),
            Part::Sensor(sensor) => text("sensors", sensor),
        }
    }

    /// What a name denotes, if it can be measured.
    pub fn of_name(name: &Name) -> Option<Self> {
        let segments: Vec<&str> = name.as_str().split('/').collect();
        let (owner, rest): (Owner, &[&str]) = match segments.as_slice() {
            ["virtualMachines", uuid, rest @ ..] => (Owner::Machine(Uuid::parse_str(uuid).ok()?), rest),
            ["hosts", _, "storagePools" | "networks", ..] | ["cluster" | "vrm"] => (Owner::Other(name.clone()), &[]),
            ["hosts", host, rest @ ..] => (Owner::Host(HostId::parse(host).ok()?), rest),
            _ => return None,
        };
        let part = match rest {
            [] => Part::Whole,
            ["cpus", number] => Part::Cpu(number.parse().ok()?),
            ["numaNodes", number] => Part::NumaNode(number.parse().ok()?),
            ["disks", disk] => Part::Disk(super::name::decode(disk).into()),
            ["nics", nic] => Part::Nic(super::name::decode(nic).into()),
            ["filesystems", mount] => Part::Filesystem(super::name::decode(mount).into()),
            ["sensors", sensor] => Part::Sensor(super::name::decode(sensor).into()),
            _ => return None,
        };
        Some(Self { owner, part })
    }

    /// Class of what is measured.
    pub fn class(&self) -> Option<MeasuredClass> {
        use super::ObjectClass;
        let machine = matches!(self.owner, Owner::Machine(_));
        Some(match &self.part {
            Part::Whole => match self.owner.name().class()? {
                ObjectClass::Host => MeasuredClass::Host,
                ObjectClass::VirtualMachine => MeasuredClass::VirtualMachine,
                ObjectClass::StoragePool => MeasuredClass::StoragePool,
                ObjectClass::Volume => MeasuredClass::Volume,
                ObjectClass::Network => MeasuredClass::Network,
                ObjectClass::Cluster => MeasuredClass::Cluster,
                ObjectClass::Vrm => MeasuredClass::Vrm,
                _ => return None,
            },
            Part::Cpu(_) if machine => MeasuredClass::VirtualCpu,
            Part::Cpu(_) => MeasuredClass::HostCpu,
            Part::NumaNode(_) => MeasuredClass::NumaNode,
            Part::Disk(_) if machine => MeasuredClass::VirtualDisk,
            Part::Disk(_) => MeasuredClass::HostDisk,
            Part::Nic(_) if machine => MeasuredClass::VirtualNic,
            Part::Nic(_) => MeasuredClass::HostNic,
            Part::Filesystem(_) => MeasuredClass::HostFilesystem,
            Part::Sensor(_) => MeasuredClass::Sensor,
        })
    }
}

/// A question about history: every metric of every object over a time.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementQuery {
    /// What was measured.
    pub keys: Vec<MeasuredKey>,
    /// Metrics; those an object does not have are passed over.
    pub metrics: Vec<Metric>,
    /// Granularity period in seconds.
    pub granularity_seconds: u32,
    /// Periods that begin then or later.
    pub begin: Timestamp,
    /// Periods that begin before.
    pub end: Timestamp,
}

/// Answer to a question about history: one metric of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementSeries {
    /// What was measured.
    pub key: MeasuredKey,
    /// The metric.
    pub metric: Metric,
    /// Results by begin of the period, in order. A period that is not there was not measured.
    pub points: Vec<(Timestamp, PeriodValue)>,
    /// The value that 95 of 100 minutes of a period do not exceed, by begin: of periods of an hour only, and where the
    /// minutes were measured.
    pub p95: Vec<(Timestamp, f64)>,
}

/// The newest reading of one metric of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct LatestReading {
    /// What was measured.
    pub key: MeasuredKey,
    /// The metric.
    pub metric: Metric,
    /// Cumulative metrics: the count since `start`; others: the level over the last interval.
    pub value: Result<Number, AbsentReason>,
    /// When it was taken.
    pub time: Timestamp,
    /// Cumulative metrics: since when it counts, as far as known (`_created` of OpenMetrics).
    pub start: Option<Timestamp>,
    /// Why it must be used with care.
    pub suspect: Suspect,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measured_object_is_found_by_its_name() {
        let machine = Owner::Machine(Uuid::from_u128(7));
        let host = Owner::Host(HostId::parse("kvm-07").expect("a good id"));
        let keys = [
            MeasuredKey::whole(machine.clone()),
            MeasuredKey { owner: machine.clone(), part: Part::Cpu(3) },
            MeasuredKey { owner: machine.clone(), part: Part::Disk("vda".into()) },
            MeasuredKey { owner: machine, part: Part::Nic("52:54:00:00:00:01".into()) },
            MeasuredKey { owner: host.clone(), part: Part::Filesystem("/var/lib/libvirt".into()) },
            MeasuredKey { owner: host, part: Part::Sensor("coretemp-0/temp1".into()) },
            MeasuredKey::whole(Owner::Other(Name::new("hosts/kvm-07/storagePools/default"))),
        ];
        for key in keys {
            assert_eq!(MeasuredKey::of_name(&key.name()), Some(key.clone()), "{key:?}");
            assert!(key.class().is_some(), "{key:?}");
        }
        assert_eq!(MeasuredKey::of_name(&Name::new("alarms/7")), None);
    }

    #[test]
    fn suspect_reasons_are_a_set() {
        let mut suspect = Suspect::default();
        assert!(!suspect.any());
        suspect.add(SuspectReason::Gap);
        suspect.add(SuspectReason::Overload);
        assert_eq!(suspect.reasons().collect::<Vec<_>>(), [SuspectReason::Gap, SuspectReason::Overload]);
    }
}
