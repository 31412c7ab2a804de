//! Whether a machine's hypervisor process answers, and whether its disks do.

use super::context::Context;
use super::parts::lies_under;
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding, Hold};
use crate::model::name::decode;
use crate::model::virtual_machine::{ControlState, RunState, RunStateReason, VirtualMachine};
use crate::model::{Body, HostId, Name, Object, ObjectClass};

/// Adds what the control state and the statistics of a machine say.
pub(super) fn assess(object: &Object, vm: &VirtualMachine, context: &Context<'_>, assessment: &mut Assessment) {
    assessment.judged.extend([AlarmType::VmControlFailure, AlarmType::VmIoStalled]);
    let finding = io_stalled(object, vm, context).or_else(|| control_failed(object, vm, context));
    assessment.findings.extend(finding.map(|finding| context.steady(finding)));
}

fn control_failed(object: &Object, vm: &VirtualMachine, context: &Context<'_>) -> Option<Finding> {
    let found = |words: &str| {
        let text = format!("the hypervisor process of {} {words}", vm.display_name);
        Finding::new(AlarmType::VmControlFailure, &object.name, text)
    };
    if vm.run_state == RunState::Paused && vm.run_state_reason == RunStateReason::ApiError {
        return Some(found("was paused by an error of its interface").with("reason", "api_error"));
    }
    match vm.control() {
        ControlState::NotResponding => Some(found("does not answer")),
        ControlState::Failed => Some(found("has a broken monitor")),
        // A job that holds the monitor is normal for a while, and as long as it is one that takes long.
        ControlState::Job if vm.run_state == RunState::Running => {
            let limit = context.seconds(AlarmType::VmControlFailure, &object.name, "locked_seconds");
            Some(found("is locked by a job").hold(Hold::For(limit)))
        }
        _ => None,
    }
}

/// Requests that do not come back make a process silent. Which it is tells what its disks lie on.
fn io_stalled(object: &Object, vm: &VirtualMachine, context: &Context<'_>) -> Option<Finding> {
    let silent = vm.control() == ControlState::NotResponding || vm.volatile.statistics_partial;
    if !silent || vm.run_state != RunState::Running {
        return None;
    }
    let suspect = suspect_backing(vm, context)?;
    let text = format!("requests of {} to {suspect} do not come back", vm.display_name);
    Some(Finding::new(AlarmType::VmIoStalled, &object.name, text).with("backing", suspect))
}

/// What one of its disks lies on, if an alarm says that it is in trouble.
fn suspect_backing(vm: &VirtualMachine, context: &Context<'_>) -> Option<String> {
    let lost =
        |source: &&String| context.stands(AlarmType::StorageBackingLost, &Name::storage_backing(source.as_str()));
    if let Some(source) = vm.backing_sources.iter().find(lost) {
        return Some(source.clone());
    }
    let host = vm.host.as_ref()?;
    hung_mount(vm, &Name::host(host), context).or_else(|| inaccessible_pool(vm, host, context))
}

fn hung_mount(vm: &VirtualMachine, host: &Name, context: &Context<'_>) -> Option<String> {
    let hung = context.conditions.of_owner(host).into_iter().filter(|key| key.alarm_type == AlarmType::HostMountHung);
    let mut mounts = hung.map(|key| decode(key.object.as_str().rsplit('/').next().unwrap_or_default()));
    mounts.find(|mount| vm.definition.disks.iter().any(|disk| lies_under(&disk.source, mount)))
}

fn inaccessible_pool(vm: &VirtualMachine, host: &HostId, context: &Context<'_>) -> Option<String> {
    let pools = context.world.objects(ObjectClass::StoragePool);
    let suspect = pools.iter().find(|object| {
        let Body::StoragePool(pool) = &object.body else { return false };
        pool.host.as_ref() == Some(host)
            && context.stands(AlarmType::PoolInaccessible, &object.name)
            && vm.definition.disks.iter().any(|disk| {
                disk.pool == pool.display_name
                    || (!pool.target_path.is_empty() && lies_under(&disk.source, &pool.target_path))
            })
    });
    suspect.map(|object| object.display_name())
}
