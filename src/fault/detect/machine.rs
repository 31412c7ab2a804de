//! Conditions of virtual machines that their run state shows.

use super::context::Context;
use super::{machine_control, machine_parts};
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding, Hold};
use crate::model::annotation::{ExpectationOrigin, ExpectationSetting};
use crate::model::state::AdministrativeState;
use crate::model::virtual_machine::{RunState, RunStateReason, VirtualMachine};
use crate::model::{Object, OutsideChanges, PerceivedSeverity};

/// One judgement: a condition that is there, or nothing.
type Judgement = fn(&Object, &VirtualMachine, &Context<'_>) -> Option<Finding>;

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
            AlarmType::VmPausedUnexpected,
            AlarmType::VmTransientStateStuck,
            AlarmType::VmDuplicateActive,
        ],
        ..Assessment::default()
    };
    if vm.run_state == RunState::Running {
        assessment.judged.push(AlarmType::VmDiskNoSpace);
    }
    if panic_can_be_judged(object, vm, context) {
        assessment.judged.push(AlarmType::VmGuestPanicked);
    }
    let watchdog = context.standing(AlarmType::VmWatchdogFired, &object.name);
    if watchdog.is_some_and(|standing| standing.finding.hold == Hold::Shown) {
        assessment.judged.push(AlarmType::VmWatchdogFired);
    }
    if migration_recovered(object, vm, context) {
        assessment.judged.push(AlarmType::VmMigrationFailed);
    }
    if !vm.run_state.is_active() || vm.run_state_reason == RunStateReason::Migrated {
        assessment.judged.push(AlarmType::VmMigrationSlow);
    }
    let judgements: [Judgement; 9] =
        [crashed, panicked, stopped, paused_by_io_error, paused_by_watchdog, left_paused, stuck, postcopy, duplicate];
    let found = judgements.into_iter().filter_map(|judge| judge(object, vm, context));
    assessment.findings.extend(found.map(|finding| context.steady(finding)));
    machine_control::assess(object, vm, context, &mut assessment);
    machine_parts::assess(object, vm, context, &mut assessment);
    assessment
}

/// True if nobody minds that it is not running.
fn is_locked(object: &Object) -> bool {
    object.state.administrative == Some(AdministrativeState::Locked)
}

/// A panic is over when the guest runs *again*: a machine that libvirt calls running may have panicked (panic
/// device with action preserve, a dump kernel), and a stop after a panic says nothing about it. Evidence of a new run
/// is another incarnation that did not come by migration, or, where that is not known, a state that began after
/// the panic. A reset is told by its own incident.
fn panic_can_be_judged(object: &Object, vm: &VirtualMachine, context: &Context<'_>) -> bool {
    if is_locked(object) {
        return true;
    }
    if vm.run_state != RunState::Running {
        return is_panicked(vm);
    }
    let Some(standing) = context.standing(AlarmType::VmGuestPanicked, &object.name) else { return true };
    if !standing.by_event() {
        return true;
    }
    let then = standing.finding.attributes.get("incarnation");
    match then.zip(vm.volatile.incarnation) {
        Some((then, now)) => *then != now.to_string() && vm.run_state_reason != RunStateReason::Migrated,
        None => *object.state.since > standing.detected,
    }
}

/// A machine that stood still after post-copy and runs now has recovered.
fn migration_recovered(object: &Object, vm: &VirtualMachine, context: &Context<'_>) -> bool {
    vm.run_state == RunState::Running
        && vm.run_state_reason != RunStateReason::PostCopyFailed
        && context.severity(AlarmType::VmMigrationFailed, &object.name) == Some(PerceivedSeverity::Critical)
}

fn is_panicked(vm: &VirtualMachine) -> bool {
    let by_reason = vm.run_state_reason == RunStateReason::Panicked && vm.run_state != RunState::Running;
    by_reason || (vm.run_state == RunState::Paused && vm.run_state_reason == RunStateReason::Crashed)
}

fn crashed(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    use RunStateReason::{Crashed, Failed};
    let failed = match vm.run_state {
        RunState::Off => matches!(vm.run_state_reason, Crashed | Failed),
        RunState::Crashed => vm.run_state_reason != RunStateReason::Panicked,
        _ => false,
    };
    if !failed || is_locked(object) {
        return None;
    }
    let text = format!("{} ended without order ({})", vm.display_name, vm.run_state_reason.as_str());
    Some(Finding::new(AlarmType::VmCrashed, &object.name, text).with("reason", vm.run_state_reason.as_str()))
}

fn panicked(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    (is_panicked(vm) && !is_locked(object)).then(|| {
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
pub(super) fn stop_severity(expectation: Option<ExpectationSetting>, policy: OutsideChanges) -> PerceivedSeverity {
    let strict = expectation.is_some_and(|setting| setting.origin != ExpectationOrigin::Observed);
    if !strict && policy == OutsideChanges::Warn { PerceivedSeverity::Warning } else { PerceivedSeverity::Major }
}

fn is_paused(vm: &VirtualMachine, reason: RunStateReason) -> bool {
    vm.run_state == RunState::Paused && vm.run_state_reason == reason
}

fn paused_by_io_error(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    is_paused(vm, RunStateReason::IoError).then(|| {
        let text = format!("{} is paused by an I/O error", vm.display_name);
        Finding::new(AlarmType::VmPausedIoError, &object.name, text)
    })
}

fn paused_by_watchdog(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    is_paused(vm, RunStateReason::Watchdog).then(|| {
        let text = format!("{} is paused by its watchdog", vm.display_name);
        Finding::new(AlarmType::VmWatchdogFired, &object.name, text).hold(Hold::Shown)
    })
}

/// Pauses for snapshots, saves and migrations have reasons of their own; only a person's has *user*.
fn left_paused(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    (is_paused(vm, RunStateReason::User) && !is_locked(object)).then(|| {
        let text = format!("{} was paused from outside and left so", vm.display_name);
        Finding::new(AlarmType::VmPausedUnexpected, &object.name, text)
    })
}

fn stuck(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    use RunStateReason::{Dump, FromSnapshot, Migration, Save, ShuttingDown, Snapshot, StartingUp};
    let passing = match vm.run_state {
        RunState::ShuttingDown => true,
        RunState::Paused => {
            matches!(vm.run_state_reason, Dump | FromSnapshot | Migration | Save | ShuttingDown | Snapshot | StartingUp)
        }
        _ => false,
    };
    passing.then(|| {
        let state = match vm.run_state {
            RunState::ShuttingDown => "shutting down".to_owned(),
            _ => format!("paused ({})", vm.run_state_reason.as_str()),
        };
        let text = format!("{} does not get beyond {state}", vm.display_name);
        Finding::new(AlarmType::VmTransientStateStuck, &object.name, text).with("reason", vm.run_state_reason.as_str())
    })
}

fn postcopy(object: &Object, vm: &VirtualMachine, _: &Context<'_>) -> Option<Finding> {
    let failed = vm.run_state.is_active() && vm.run_state_reason == RunStateReason::PostCopyFailed;
    failed.then(|| {
        let text = format!("the migration of {} failed in post-copy: it stands still on both sides", vm.display_name);
        Finding::new(AlarmType::VmMigrationFailed, &object.name, text)
            .severity(PerceivedSeverity::Critical)
            .with("phase", "post_copy")
    })
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
