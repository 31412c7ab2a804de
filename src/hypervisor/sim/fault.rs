//! Faults as data: what can be made to fail, and the scripts that make it fail at a given time.

use super::dice::{Dice, Topic};
use super::mishap::Mishap;
use super::params::FaultSource;
use serde::{Deserialize, Serialize};

/// Longest line of a script or of the control socket, in bytes.
pub const MAX_LINE: usize = 64 * 1024;
/// Most lines of a script.
pub const MAX_SCRIPT_LINES: usize = 10_000;
/// Highest rate of a storm, in changes per second.
pub const MAX_STORM_RATE: u32 = 20_000;

/// Something that goes wrong, written as `{"kind":"drop-host","host":"sim-2"}`.
///
/// A host is named by its id or its number from 1; a machine by name, UUID or `#` and its number from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Fault {
    /// The host's connections break and new ones fail.
    DropHost {
        /// The host.
        host: String,
    },
    /// Calls to the host return only at their deadline.
    HangHost {
        /// The host.
        host: String,
    },
    /// Every call to the host takes longer.
    SlowHost {
        /// The host.
        host: String,
        /// By so much, in milliseconds.
        delay_ms: u64,
    },
    /// The host's connections break and our credential is refused.
    RefuseHost {
        /// The host.
        host: String,
    },
    /// The host answers, its hypervisor service does not.
    LoseService {
        /// The host.
        host: String,
    },
    /// The machine's hypervisor process does not answer: its figures are missing.
    HangMachine {
        /// The machine.
        vm: String,
    },
    /// The machine's hypervisor process dies.
    CrashMachine {
        /// The machine.
        vm: String,
    },
    /// The machine's guest panics and is kept for inspection.
    PanicMachine {
        /// The machine.
        vm: String,
    },
    /// A disk of the machine fails: it is paused.
    IoError {
        /// The machine.
        vm: String,
    },
    /// Anything else that may happen to a machine; short form `{"kind":"watchdog","vm":…}`.
    Mishap {
        /// The machine.
        vm: String,
        /// What happens.
        what: Mishap,
    },
    /// A copy of the machine with its UUID runs on another host.
    DuplicateUuid {
        /// The machine.
        vm: String,
        /// The host of the copy.
        host: String,
    },
    /// The pool (and whatever shares its backing) has no space left.
    FillPool {
        /// The host.
        host: String,
        /// The pool.
        pool: String,
    },
    /// The pool runs and cannot be reached; in a shared pool on all hosts of the group.
    LosePool {
        /// The host.
        host: String,
        /// The pool.
        pool: String,
    },
    /// The pool has lost redundancy.
    DegradePool {
        /// The host.
        host: String,
        /// The pool.
        pool: String,
    },
    /// The filesystem mounted there does not answer; a shared one on all hosts of the group.
    MountHung {
        /// The host.
        host: String,
        /// The mount point.
        mount: String,
    },
    /// The filesystem mounted there has no space left.
    FillFilesystem {
        /// The host.
        host: String,
        /// The mount point.
        mount: String,
    },
    /// A disk of the host has failed.
    DiskFailed {
        /// The host.
        host: String,
        /// The disk.
        disk: String,
    },
    /// A NIC of the host has no carrier.
    NicDown {
        /// The host.
        host: String,
        /// The NIC.
        nic: String,
    },
    /// The host's memory is used up.
    LowMemory {
        /// The host.
        host: String,
    },
    /// No huge page of the host is free.
    ExhaustHugePages {
        /// The host.
        host: String,
    },
    /// A verdict about a part of the host, e.g. `hostRaidDegraded` of `disk:sda`.
    Condition {
        /// The host.
        host: String,
        /// Alarm type it speaks for.
        alarm_type: String,
        /// The part: `disk:NAME`, `nic:NAME`, `filesystem:MOUNT`, `pool:NAME`, `network:NAME`, or empty.
        #[serde(default)]
        object: String,
    },
    /// A counter of bad things rises once, e.g. `oom_kill`.
    Count {
        /// The host.
        host: String,
        /// The counter.
        counter: String,
        /// By how many.
        #[serde(default = "one")]
        by: u64,
    },
    /// The pool stops.
    StopPool {
        /// The host.
        host: String,
        /// The pool.
        pool: String,
    },
    /// The network stops.
    StopNetwork {
        /// The host.
        host: String,
        /// The network.
        network: String,
    },
    /// The host says that events were lost.
    EventGap {
        /// The host.
        host: String,
    },
    /// State changes of machines in turn, at a steady rate.
    Storm {
        /// Changes per second, at most [`MAX_STORM_RATE`].
        changes_per_second: u32,
        /// For so long.
        seconds: u32,
    },
    /// Ends faults: those of the host, those of the machine, or all.
    Restore {
        /// The host, if only its faults.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// The machine, if only its faults.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vm: Option<String>,
    },
}

/// What a counter rises by unless it is said.
fn one() -> u64 {
    1
}

/// Why a fault cannot be injected or a script not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct FaultError {
    /// The field at fault.
    pub field: String,
    /// What is wrong.
    pub reason: String,
}

impl FaultError {
    /// An error about a field.
    pub fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }
}

impl Fault {
    /// Reads a fault from JSON; its kind may be spelled with `-` or `_`.
    ///
    /// # Errors
    /// [`FaultError`] if the kind is unknown or a field is missing, unknown or malformed.
    pub fn from_json(mut value: serde_json::Value) -> Result<Self, FaultError> {
        let Some(kind) = value.get_mut("kind") else {
            return Err(FaultError::new("kind", "missing, e.g. \"drop-host\""));
        };
        if let Some(text) = kind.as_str() {
            let text = text.replace('_', "-");
            let mishap = Mishap::of_kind(&text);
            *kind = text.into();
            if let (Some(_), Some(fields)) = (mishap, value.as_object_mut())
                && let Some(kind) = fields.insert("kind".to_owned(), "mishap".into())
            {
                fields.insert("what".to_owned(), kind);
            }
        }
        serde_json::from_value(value).map_err(|error| FaultError::new("fault", error.to_string()))
    }

    /// The kind as JSON spells it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::DropHost { .. } => "drop-host",
            Self::HangHost { .. } => "hang-host",
            Self::SlowHost { .. } => "slow-host",
            Self::RefuseHost { .. } => "refuse-host",
            Self::LoseService { .. } => "lose-service",
            Self::HangMachine { .. } => "hang-machine",
            Self::CrashMachine { .. } => "crash-machine",
            Self::PanicMachine { .. } => "panic-machine",
            Self::IoError { .. } => "io-error",
            Self::Mishap { what, .. } => what.kind(),
            Self::DuplicateUuid { .. } => "duplicate-uuid",
            Self::FillPool { .. } => "fill-pool",
            Self::LosePool { .. } => "lose-pool",
            Self::DegradePool { .. } => "degrade-pool",
            Self::MountHung { .. } => "mount-hung",
            Self::FillFilesystem { .. } => "fill-filesystem",
            Self::DiskFailed { .. } => "disk-failed",
            Self::NicDown { .. } => "nic-down",
            Self::LowMemory { .. } => "low-memory",
            Self::ExhaustHugePages { .. } => "exhaust-huge-pages",
            Self::Condition { .. } => "condition",
            Self::Count { .. } => "count",
            Self::StopPool { .. } => "stop-pool",
            Self::StopNetwork { .. } => "stop-network",
            Self::EventGap { .. } => "event-gap",
            Self::Storm { .. } => "storm",
            Self::Restore { .. } => "restore",
        }
    }
}

/// A fault and when it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Microseconds of simulated time after the start.
    pub at: i64,
    /// What happens.
    pub fault: Fault,
}

/// Faults in order of time: written down, or made up without end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Script {
    /// No faults.
    #[default]
    Empty,
    /// A list, ordered by time.
    Written(Vec<Entry>),
    /// One small fault every half minute, restored after twenty seconds.
    Drip,
    /// A burst of changes every minute.
    Storm,
}

const SECOND: i64 = 1_000_000;

impl Script {
    /// The built-in script of a source; a file's has to be read by the caller ([`Script::parse`]).
    pub fn built_in(source: &FaultSource) -> Self {
        match source {
            FaultSource::None | FaultSource::File(_) => Self::Empty,
            FaultSource::Drip => Self::Drip,
            FaultSource::Storm => Self::Storm,
        }
    }

    /// Reads JSON lines of the form `{"at": seconds, "fault": {…}}`; empty lines and `#` lines are skipped.
    ///
    /// # Errors
    /// [`FaultError`] whose field is `line N`.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |reason: String| FaultError { field: format!("line {}", index + 1), reason };
            if line.len() > MAX_LINE || entries.len() >= MAX_SCRIPT_LINES {
                return Err(wrong(format!("at most {MAX_SCRIPT_LINES} lines of at most {MAX_LINE} bytes")));
            }
            entries.push(parse_entry(line).map_err(|error| wrong(error.to_string()))?);
        }
        entries.sort_by_key(|entry: &Entry| entry.at);
        Ok(Self::Written(entries))
    }

    /// The entry of a number from 0, if there is one. Made-up scripts depend on the dice and the world's size.
    pub fn entry(&self, number: u64, dice: Dice, hosts: u64, vms: u64) -> Option<Entry> {
        match self {
            Self::Empty => None,
            Self::Written(entries) => entries.get(usize::try_from(number).ok()?).cloned(),
            Self::Drip => Some(drip(number, dice, hosts, vms)),
            Self::Storm => {
                let at = i64::try_from(number).ok()?.saturating_mul(60).saturating_add(15).saturating_mul(SECOND);
                Some(Entry { at, fault: Fault::Storm { changes_per_second: 200, seconds: 10 } })
            }
        }
    }
}

/// Even numbers bring a fault, odd ones end it twenty seconds later.
fn drip(number: u64, dice: Dice, hosts: u64, vms: u64) -> Entry {
    let round = number / 2;
    let begin = i64::try_from(round).unwrap_or(i64::MAX / SECOND / 64).saturating_mul(30) + 10;
    if number % 2 == 1 {
        return Entry { at: (begin + 20).saturating_mul(SECOND), fault: Fault::Restore { host: None, vm: None } };
    }
    let host = (dice.below(hosts, Topic::Drip, round, 1) + 1).to_string();
    let vm = format!("#{}", dice.below(vms, Topic::Drip, round, 2));
    let mishap = |vm, what| Fault::Mishap { vm, what };
    let fault = match dice.below(16, Topic::Drip, round, 3) {
        _ if vms == 0 => Fault::EventGap { host },
        0 => Fault::DropHost { host },
        1 => Fault::HangMachine { vm },
        2 => Fault::CrashMachine { vm },
        3 => Fault::PanicMachine { vm },
        4 => Fault::IoError { vm },
        5 => Fault::FillPool { host, pool: "default".to_owned() },
        6 => Fault::StopPool { host, pool: "default".to_owned() },
        7 => mishap(vm, Mishap::Watchdog),
        8 => mishap(vm, Mishap::Enospc),
        9 => mishap(vm, Mishap::ControlError),
        10 => mishap(vm, Mishap::AgentLost),
        11 => mishap(vm, Mishap::BlockJobFailed),
        12 => Fault::MountHung { host, mount: super::ailment::SHARED_MOUNT.to_owned() },
        13 => Fault::DiskFailed { host, disk: "sda".to_owned() },
        14 => Fault::NicDown { host, nic: "eno1".to_owned() },
        _ => Fault::StopNetwork { host, network: "default".to_owned() },
    };
    Entry { at: begin.saturating_mul(SECOND), fault }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: f64,
    fault: serde_json::Value,
}

#[expect(clippy::cast_possible_truncation, reason = "checked to lie within ten years")]
fn parse_entry(line: &str) -> Result<Entry, FaultError> {
    let line: Line = serde_json::from_str(line).map_err(|error| FaultError::new("json", error.to_string()))?;
    if !(0.0..=315_360_000.0).contains(&line.at) {
        return Err(FaultError::new("at", "seconds after the start, from 0 to ten years"));
    }
    Ok(Entry { at: (line.at * 1e6) as i64, fault: Fault::from_json(line.fault)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_sorted_and_its_bad_lines_are_named() {
        let script = Script::parse(
            "# night\n{\"at\": 9, \"fault\": {\"kind\": \"restore\"}}\n\n{\"at\": 2.5, \"fault\": {\"kind\": \"drop_host\", \"host\": \"2\"}}\n",
        )
        .expect("good");
        let Script::Written(entries) = script else { panic!("written") };
        assert_eq!(entries[0], Entry { at: 2_500_000, fault: Fault::DropHost { host: "2".to_owned() } });
        assert_eq!(entries[1].fault, Fault::Restore { host: None, vm: None });
        for bad in ["{", "{\"at\":-1,\"fault\":{\"kind\":\"restore\"}}", "{\"at\":1,\"fault\":{\"kind\":\"melt\"}}"] {
            assert_eq!(Script::parse(bad).expect_err(bad).field, "line 1");
        }
        let short = serde_json::json!({"kind": "block_threshold", "vm": "#1"});
        let mishap = Fault::Mishap { vm: "#1".to_owned(), what: Mishap::BlockThreshold };
        assert_eq!(Fault::from_json(short), Ok(mishap));
        let extra = serde_json::json!({"kind": "drop-host", "host": "1", "colour": "red"});
        assert!(Fault::from_json(extra).is_err());
    }

    #[test]
    fn every_drip_is_followed_by_its_end() {
        let dice = Dice::new(1, "sim");
        for round in 0..100 {
            let begin = Script::Drip.entry(round * 2, dice, 3, 24).expect("endless");
            let end = Script::Drip.entry(round * 2 + 1, dice, 3, 24).expect("endless");
            let next = Script::Drip.entry(round * 2 + 2, dice, 3, 24).expect("endless");
            assert_eq!(end.fault, Fault::Restore { host: None, vm: None });
            assert!(begin.at < end.at && end.at < next.at);
            let json = serde_json::to_value(&begin.fault).expect("json");
            let spelled = if json["kind"] == "mishap" { &json["what"] } else { &json["kind"] };
            assert_eq!(begin.fault.kind(), spelled);
        }
    }
}
