//! What happens to a machine: which conditions begin by it, and which end.

use super::context::Context;
use super::levels::float;
use super::machine_parts::{agent_lost, was_counted_on};
use super::parts;
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Finding, Hold, Sign};
use crate::fault::place::owner;
use crate::model::incident::{Incident, IncidentKind};
use crate::model::virtual_machine::RunState;
use crate::model::{Body, Name, Object, PerceivedSeverity};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One thing that happened to a machine or one of its disks.
struct Mishap<'a> {
    /// The machine, or the disk if it is known.
    object: &'a Name,
    machine: Name,
    known: Option<Arc<Object>>,
    label: String,
    details: &'a BTreeMap<String, String>,
    context: &'a Context<'a>,
}

/// What an incident of a machine says.
pub(super) fn signs(object: &Name, incident: &Incident, context: &Context<'_>) -> Vec<Sign> {
    let machine = owner(object);
    let known = context.world.object(&machine);
    let label = known.as_ref().map_or_else(|| machine.to_string(), |known| known.display_name());
    let mishap = Mishap { object, machine, known, label, details: &incident.details, context };
    mishap.signs(&incident.kind)
}

impl Mishap<'_> {
    fn signs(&self, kind: &IncidentKind) -> Vec<Sign> {
        match kind {
            IncidentKind::ProcessDied { signal, status } => self.process_died(*signal, *status),
            IncidentKind::GuestPanicked => vec![self.panicked()],
            IncidentKind::Rebooted => self.reset(),
            IncidentKind::WatchdogFired(action) => {
                let text = format!("the watchdog of {} fired (action {action})", self.label);
                vec![present(self.of_machine(AlarmType::VmWatchdogFired, text).with("action", action.as_str()))]
            }
            IncidentKind::IoError { action, reason } => vec![self.io_error(action, reason)],
            IncidentKind::DiskErrors(errors) => self.disk_errors(errors),
            IncidentKind::ControlBroken => {
                let text = format!("the hypervisor process of {} has a broken monitor", self.label);
                vec![present(self.of_machine(AlarmType::VmControlFailure, text))]
            }
            IncidentKind::BlockThreshold { threshold, excess } => vec![self.block_threshold(*threshold, *excess)],
            IncidentKind::MemoryFailure { recipient, action } => vec![self.memory_failure(recipient, action)],
            IncidentKind::BlockJobEnded { job, status } => self.block_job(job, status),
            IncidentKind::DeviceRemovalFailed(device) => {
                let text = format!("the guest of {} did not give back device {device}", self.label);
                vec![present(self.of_machine(AlarmType::VmDeviceRemovalFailed, text).with("device", device.as_str()))]
            }
            IncidentKind::DeviceRemoved(device) => self.device_removed(device),
            IncidentKind::AgentConnected(connected) => self.agent(*connected),
            IncidentKind::JobEnded { failed } => self.job_ended(*failed),
            IncidentKind::MigrationIteration(iteration) => self.migration_iteration(*iteration),
            IncidentKind::Probed(_) | IncidentKind::Counted { .. } | IncidentKind::Condition { .. } => Vec::new(),
        }
    }

    fn of_machine(&self, alarm_type: AlarmType, text: String) -> Finding {
        let mut finding = Finding::new(alarm_type, &self.machine, text);
        finding.attributes.clone_from(self.details);
        finding
    }

    fn of_disk(&self, alarm_type: AlarmType, text: String) -> Finding {
        Finding { object: self.object.clone(), ..self.of_machine(alarm_type, text) }
    }

    fn over(&self, alarm_type: AlarmType, object: &Name) -> Sign {
        Sign::Over { alarm_type, object: object.clone() }
    }

    /// Target of the disk it happened to; empty if that is not known.
    fn target(&self) -> String {
        if *self.object == self.machine { String::new() } else { format!(" {}", self.object.id()) }
    }

    /// Which start of the machine it happened to: by that a new run is told from the old one.
    fn with_incarnation(&self, finding: Finding) -> Finding {
        match self.known.as_deref().map(|known| &known.body) {
            Some(Body::VirtualMachine(vm)) => match vm.volatile.incarnation {
                Some(incarnation) => finding.with("incarnation", incarnation.to_string()),
                None => finding,
            },
            _ => finding,
        }
    }

    /// A process that ends with status 0 was stopped in order, whoever ordered it.
    fn process_died(&self, signal: Option<i32>, status: Option<i32>) -> Vec<Sign> {
        let words = match (signal, status) {
            (Some(signal), _) => format!("by signal {signal}"),
            (None, Some(0)) => return Vec::new(),
            (None, Some(status)) => format!("with status {status}"),
            (None, None) => "without order".to_owned(),
        };
        let finding = self.of_machine(AlarmType::VmCrashed, format!("the process of {} ended {words}", self.label));
        let finding = signal.into_iter().fold(finding, |finding, signal| finding.with("signal", signal.to_string()));
        vec![present(self.with_incarnation(finding))]
    }

    fn panicked(&self) -> Sign {
        let text = format!("the guest of {} panicked", self.label);
        present(self.with_incarnation(self.of_machine(AlarmType::VmGuestPanicked, text)))
    }

    /// The guest starts anew: neither its panic nor what its disks told it goes on. A watchdog's reset is told as a
    /// reset too, so that a fired watchdog keeps its quiet time.
    fn reset(&self) -> Vec<Sign> {
        let mut signs = vec![self.over(AlarmType::VmGuestPanicked, &self.machine)];
        signs.extend(self.disks().iter().map(|disk| self.over(AlarmType::VmDiskIoError, disk)));
        signs
    }

    /// The machine's disks, and itself for errors of which the disk was not told.
    fn disks(&self) -> Vec<Name> {
        let mut disks = vec![self.machine.clone()];
        if let Some(Body::VirtualMachine(vm)) = self.known.as_deref().map(|known| &known.body) {
            disks.extend(vm.definition.disks.iter().map(|disk| parts::disk(&self.machine, &disk.target)));
        }
        disks
    }

    fn io_error(&self, action: &str, reason: &str) -> Sign {
        let (disk, label) = (self.target(), &self.label);
        let finding = match (action, reason) {
            (_, "enospc") => {
                self.of_disk(AlarmType::VmDiskNoSpace, format!("no space is left for disk{disk} of {label}"))
            }
            ("pause", _) => {
                let text = format!("{label} was paused by an I/O error of disk{disk}");
                self.of_machine(AlarmType::VmPausedIoError, text)
            }
            _ => self.of_disk(AlarmType::VmDiskIoError, format!("requests of disk{disk} of {label} fail")),
        };
        present(finding.with("action", action).with("reason", reason))
    }

    /// The errors as read: what is not among them is over, except errors that a running guest was told of; those
    /// have a quiet time.
    fn disk_errors(&self, errors: &BTreeMap<String, String>) -> Vec<Sign> {
        let disk_of = |target: &String| parts::disk(&self.machine, target);
        let mut signs = Vec::new();
        for (target, error) in errors {
            let (alarm_type, words) = match error.as_str() {
                "no_space" => (AlarmType::VmDiskNoSpace, "has no space left"),
                _ => (AlarmType::VmDiskIoError, "has an error"),
            };
            let text = format!("disk {target} of {} {words}", self.label);
            let finding = Finding { object: disk_of(target), ..self.of_machine(alarm_type, text) };
            signs.push(present(self.context.steady(finding).hold(Hold::Event)));
        }
        let full: Vec<Name> =
            errors.iter().filter(|(_, error)| *error == "no_space").map(|(t, _)| disk_of(t)).collect();
        let over = self.disks().into_iter().filter(|disk| !full.contains(disk));
        signs.extend(over.map(|disk| self.over(AlarmType::VmDiskNoSpace, &disk)));
        if errors.is_empty() {
            signs.push(self.over(AlarmType::VmPausedIoError, &self.machine));
        }
        signs
    }

    fn block_threshold(&self, threshold: u64, excess: u64) -> Sign {
        let text = format!("disk{} of {} crossed its threshold of {threshold} bytes", self.target(), self.label);
        let mut finding = self.of_disk(AlarmType::VmDiskThreshold, text).with("threshold", threshold.to_string());
        if let Some(Body::VirtualMachine(vm)) = self.known.as_deref().map(|known| &known.body) {
            let figures = vm.volatile.disks.get(&self.object.id()).copied().unwrap_or_default();
            if let Some(size) = figures.physical_bytes {
                finding = finding.with("physical", size.to_string());
            }
        }
        present(finding.with("excess", excess.to_string()))
    }

    fn memory_failure(&self, recipient: &str, action: &str) -> Sign {
        let fatal = recipient == "hypervisor" || matches!(action, "fatal" | "reset");
        let severity = if fatal { PerceivedSeverity::Critical } else { PerceivedSeverity::Major };
        let text = format!("memory of {} failed (of the {recipient}; action {action})", self.label);
        let finding = self.of_machine(AlarmType::VmMemoryFailure, text).severity(severity);
        present(finding.with("recipient", recipient).with("action", action))
    }

    /// A copy that is cancelled when it is ready is how backup tools end it: only failures count.
    fn block_job(&self, job: &str, status: &str) -> Vec<Sign> {
        match status {
            "failed" => {
                let text = format!("block job {job} of disk{} of {} failed", self.target(), self.label);
                vec![present(self.of_disk(AlarmType::VmBlockJobFailed, text).with("job", job))]
            }
            "completed" | "ready" => vec![self.over(AlarmType::VmBlockJobFailed, self.object)],
            _ => Vec::new(),
        }
    }

    fn device_removed(&self, device: &str) -> Vec<Sign> {
        let standing = self.context.standing(AlarmType::VmDeviceRemovalFailed, &self.machine);
        let this = standing
            .is_some_and(|standing| standing.finding.attributes.get("device").is_some_and(|failed| failed == device));
        if this { vec![self.over(AlarmType::VmDeviceRemovalFailed, &self.machine)] } else { Vec::new() }
    }

    fn agent(&self, connected: bool) -> Vec<Sign> {
        if connected {
            return vec![self.over(AlarmType::VmGuestAgentLost, &parts::agent(&self.machine))];
        }
        let Some(known) = self.known.as_deref() else { return Vec::new() };
        let running = matches!(&known.body, Body::VirtualMachine(vm) if vm.run_state == RunState::Running);
        if !running || !was_counted_on(known, self.context) {
            return Vec::new();
        }
        vec![Sign::Present(Box::new(self.context.steady(agent_lost(known, &self.label))))]
    }

    /// Only a migration's end says something; libvirt names the operation since 3.3.
    fn job_ended(&self, failed: bool) -> Vec<Sign> {
        let operation = self.details.get("operation").map(String::as_str).unwrap_or_default();
        let mut signs = vec![self.over(AlarmType::VmMigrationSlow, &self.machine)];
        match (operation.starts_with("migration"), failed) {
            (true, true) => {
                let why = self.details.get("message").map(|message| format!(": {message}")).unwrap_or_default();
                let text = format!("a migration of {} failed{why}", self.label);
                let finding = self.of_machine(AlarmType::VmMigrationFailed, text);
                signs.push(present(finding.severity(PerceivedSeverity::Minor)));
            }
            (true, false) => signs.push(self.over(AlarmType::VmMigrationFailed, &self.machine)),
            _ => {}
        }
        signs
    }

    fn migration_iteration(&self, iteration: u32) -> Vec<Sign> {
        let kind = AlarmType::VmMigrationSlow;
        let first = self.context.tallies.first(kind, &self.machine).unwrap_or(self.context.now);
        let elapsed = self.context.now.since(first);
        let too_often = float(u64::from(iteration)) > self.context.number(kind, &self.machine, "iterations.warning");
        let too_long = elapsed > self.context.seconds(kind, &self.machine, "elapsed_seconds.warning");
        if !too_often && !too_long {
            return Vec::new();
        }
        let text = format!("the migration of {} does not come to an end", self.label);
        let finding = self.of_machine(kind, text);
        let finding = finding.with("iterations", iteration.to_string()).with("seconds", elapsed.as_secs().to_string());
        vec![present(self.context.steady(finding).hold(Hold::Event))]
    }
}

/// What an event tells is told at once.
fn present(finding: Finding) -> Sign {
    Sign::Present(Box::new(finding.hold(Hold::Event)))
}
