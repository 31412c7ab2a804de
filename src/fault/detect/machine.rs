//! Conditions of virtual machines that their state shows.

use super::context::Context;
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding};
use crate::model::annotation::{ExpectationOrigin, ExpectationSetting};
use crate::model::state::AdministrativeState;
use crate::model::virtual_machine::{ControlState, RunState, RunStateReason, VirtualMachine};
use crate::model::{Object, OutsideChanges, PerceivedSeverity};

/// What a machine's state says.
pub(super) fn assess(object: &Object, vm: &VirtualMachine, context: &Context<'_>) -> Assessment {
    if object.state.unknown || vm.run_state == RunState::Unknown {
        return Assessment::default();
    }
    let mut assessment = Assessment {
        judged: vec![
            AlarmType::VmCrashed,
            AlarmType::VmUnexpectedStop,
            AlarmType::VmPausedIoError,
            AlarmType::VmControlFailure,
            AlarmType::VmDuplicateActive,
        ],
        findings: Vec::new(),
    };
    // A panic is over when the guest runs again; a stop after it says nothing about it.
    if vm.run_state == RunState::Running || vm.run_state_reason == RunStateReason::Panicked {
        assessment.judged.push(AlarmType::VmGuestPanicked);
    }
    let judgements = [crashed, panicked, stopped, paused_by_io_error, control_failed, duplicate];
    assessment.findings.extend(judgements.into_iter().filter_map(|judge| judge(object, vm, context)));
    assessment
}

/// True if nobody minds that it is not running.
fn is_locked(object: &Object) -> bool {
    object.state.administrative == Some(AdministrativeState::Locked)
}

fn crashed(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    use RunStateReason::{Crashed, Failed, Panicked};
    let failed = match vm.run_state {
        RunState::Off => matches!(vm.run_state_reason, Crashed | Failed),
        RunState::Crashed | RunState::Paused => vm.run_state_reason == Crashed,
        _ => false,
    };
    if !failed || vm.run_state_reason == Panicked || is_locked(object) {
        return None;
    }
    let text = format!("{} ended without order ({})", vm.display_name, vm.run_state_reason.as_str());
    Some(Finding::new(AlarmType::VmCrashed, &object.name, text).with("reason", vm.run_state_reason.as_str()))
}

fn panicked(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    let panicked = vm.run_state_reason == RunStateReason::Panicked && vm.run_state != RunState::Running;
    panicked.then(|| {
        let text = format!("the guest of {} panicked", vm.display_name);
        Finding::new(AlarmType::VmGuestPanicked, &object.name, text)
    })
}

fn stopped(object: &Object, vm: &VirtualMachine, context: &Context<'_>) -> Option<Finding> {
    let off = vm.run_state == RunState::Off
        && !matches!(vm.run_state_reason, RunStateReason::Crashed | RunStateReason::Failed | RunStateReason::Panicked);
    if !off || object.state.administrative != Some(AdministrativeState::Unlocked) {
        return None;
    }
    let severity = stop_severity(object.annotations.expectation, context.outside_changes);
    let text = format!("{} is off ({}) and expected to run", vm.display_name, vm.run_state_reason.as_str());
    Some(
        Finding::new(AlarmType::VmUnexpectedStop, &object.name, text)
            .severity(severity)
            .with("reason", vm.run_state_reason.as_str()),
    )
}

/// A strict expectation always alarms; an observed one as the policy says (operations.md F1).
fn stop_severity(expectation: Option<ExpectationSetting>, policy: OutsideChanges) -> PerceivedSeverity {
    let strict = expectation.is_some_and(|setting| setting.origin != ExpectationOrigin::Observed);
    if !strict && policy == OutsideChanges::Warn { PerceivedSeverity::Warning } else { PerceivedSeverity::Major }
}

fn paused_by_io_error(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    let paused = vm.run_state == RunState::Paused && vm.run_state_reason == RunStateReason::IoError;
    paused.then(|| {
        let text = format!("{} is paused by an I/O error", vm.display_name);
        Finding::new(AlarmType::VmPausedIoError, &object.name, text)
    })
}

fn control_failed(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    let words = match vm.control_state {
        ControlState::NotResponding => "does not answer",
        ControlState::Failed => "has a broken monitor",
        _ => return None,
    };
    let text = format!("the hypervisor process of {} {words}", vm.display_name);
    Some(Finding::new(AlarmType::VmControlFailure, &object.name, text))
}

fn duplicate(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    let active: Vec<_> = vm.instances.iter().filter(|instance| instance.run_state.is_active()).collect();
    let migrating = active.iter().any(|instance| instance.run_state == RunState::Paused)
        && vm.run_state_reason == RunStateReason::Migration;
    let [first, .., last] = active.as_slice() else { return None };
    if migrating {
        return None;
    }
    let danger = if first.disks_digest == last.disks_digest {
        "the same disks: risk of data corruption"
    } else {
        "different disks: two different machines share a UUID"
    };
    let hosts: Vec<&str> = active.iter().map(|instance| instance.host.as_str()).collect();
    let text = format!("{} is active on {} with {danger}", vm.display_name, hosts.join(" and "));
    Some(Finding::new(AlarmType::VmDuplicateActive, &object.name, text).with("hosts", hosts.join(" ")))
}
