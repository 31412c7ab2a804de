//! Conditions of a machine's parts: guest agent, NICs, disks.

use super::context::Context;
use super::levels::{self, percent};
use super::parts;
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding};
use crate::model::Object;
use crate::model::virtual_machine::{RunState, VirtualDisk, VirtualMachine};

/// Adds what the parts of a machine show.
pub(super) fn assess(object: &Object, vm: &VirtualMachine, context: &Context<'_>, assessment: &mut Assessment) {
    agent(object, vm, context, assessment);
    nics(object, vm, context, assessment);
    assessment.judged.push(AlarmType::VmDiskThreshold);
    for disk in &vm.definition.disks {
        threshold(object, vm, disk, context, assessment);
    }
}

/// An agent is missed while its machine runs and if it was there before, for long enough to be counted on.
fn agent(object: &Object, vm: &VirtualMachine, context: &Context<'_>, assessment: &mut Assessment) {
    let agent = &vm.definition.agent;
    if vm.run_state == RunState::Running && agent.configured && agent.connected.is_none() {
        return;
    }
    assessment.judged.push(AlarmType::VmGuestAgentLost);
    if vm.run_state != RunState::Running || agent.connected != Some(false) {
        return;
    }
    let name = parts::agent(&object.name);
    if was_counted_on(object, context) || context.stands(AlarmType::VmGuestAgentLost, &name) {
        assessment.findings.push(context.steady(agent_lost(object, &vm.display_name)));
    }
}

/// True if the agent was once connected for long enough that its absence means something.
pub(super) fn was_counted_on(machine: &Object, context: &Context<'_>) -> bool {
    let stable = context.seconds(AlarmType::VmGuestAgentLost, &machine.name, "stable_seconds");
    context.tallies.agent_was_stable(&machine.name) >= stable
}

/// The finding of a lost agent.
pub(super) fn agent_lost(machine: &Object, label: &str) -> Finding {
    let text = format!("the guest agent of {label} has gone");
    Finding::new(AlarmType::VmGuestAgentLost, &parts::agent(&machine.name), text)
}

/// A link that was up and is not, while the machine runs; taps of guests that boot come and go.
fn nics(object: &Object, vm: &VirtualMachine, context: &Context<'_>, assessment: &mut Assessment) {
    assessment.judged.push(AlarmType::VmNicLinkDown);
    if vm.run_state != RunState::Running {
        return;
    }
    // Looked for first: what the profiles say costs more, and most machines have none.
    if vm.definition.nics.iter().all(|nic| nic.link_state != "down") {
        return;
    }
    let settle = context.seconds(AlarmType::VmNicLinkDown, &object.name, "settle_seconds");
    if vm.volatile.start_time.is_some_and(|start| context.now.since(start) < settle) {
        return;
    }
    for nic in vm.definition.nics.iter().filter(|nic| nic.link_state == "down") {
        let name = parts::nic(&object.name, &nic.mac);
        if !context.tallies.link_was_up(&name) && !context.stands(AlarmType::VmNicLinkDown, &name) {
            continue;
        }
        let text = format!("the link of interface {} of {} was set down", nic.mac, vm.display_name);
        let finding = Finding::new(AlarmType::VmNicLinkDown, &name, text).with("mac", nic.mac.clone());
        assessment.findings.push(context.steady(finding));
    }
}

/// A growing image on a block device that has used most of it. An event's word stands until the device was extended
/// or less is used than the event said.
fn threshold(
    object: &Object,
    vm: &VirtualMachine,
    disk: &VirtualDisk,
    context: &Context<'_>,
    assessment: &mut Assessment,
) {
    let name = parts::disk(&object.name, &disk.target);
    let figures = vm.volatile.disks.get(&disk.target).copied().unwrap_or_default();
    let (Some(used), Some(size)) = (figures.allocation_bytes, figures.physical_bytes.filter(|size| *size > 0)) else {
        assessment.kept.push((AlarmType::VmDiskThreshold, name));
        return;
    };
    let grows = disk.source_type == "block" && disk.format != "raw" && !disk.format.is_empty() && !disk.read_only;
    if let Some(standing) = context.standing(AlarmType::VmDiskThreshold, &name) {
        let number = |key: &str| standing.finding.attributes.get(key).and_then(|value| value.parse::<u64>().ok());
        if let Some(level) = number("threshold") {
            let extended = number("physical").is_some_and(|former| size > former);
            if used >= level && !extended {
                assessment.kept.push((AlarmType::VmDiskThreshold, name));
            }
            return;
        }
    }
    if !grows {
        return;
    }
    let grading = (context.grading)(AlarmType::VmDiskThreshold, &name);
    let stands = context.severity(AlarmType::VmDiskThreshold, &name);
    let Some((severity, crossing)) = levels::risen(&grading, "percent", percent(used, size), stands) else { return };
    let text = format!("disk {} of {} has used {:.0} % of its device", disk.target, vm.display_name, crossing.observed);
    let finding = Finding::new(AlarmType::VmDiskThreshold, &name, text).severity(severity).crossing(crossing);
    assessment.findings.push(context.steady(finding));
}
