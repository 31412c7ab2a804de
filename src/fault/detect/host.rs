//! Conditions of hosts and of the hypervisors on them.

use super::context::Context;
use super::levels::{self, beyond, float, gib, percent};
use super::tally::identity_warning;
use super::{filesystem, parts};
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding, Hold};
use crate::model::alarm::ThresholdDirection;
use crate::model::host::{ConnectionState, Host, HostNic, Hypervisor};
use crate::model::state::AdministrativeState;
use crate::model::virtual_machine::RunState;
use crate::model::{Body, Object, ObjectClass, StateReason};

/// Drivers of interfaces that no cable goes into.
const VIRTUAL: [&str; 10] =
    ["bridge", "bonding", "team", "vlan", "802.1q vlan support", "vxlan", "tun", "veth", "dummy", "openvswitch"];

/// What a host's state says. The reachability of a host is judged most of all while its state is unknown.
pub(super) fn assess(object: &Object, host: &Host, context: &Context<'_>) -> Assessment {
    let mut assessment = Assessment::default();
    maintenance(object, &mut assessment);
    if host.connection_state == ConnectionState::Connecting {
        return assessment;
    }
    reachability(object, host, &mut assessment);
    counted(object, context, &mut assessment);
    if object.state.unknown {
        return assessment;
    }
    identity(object, host, context, &mut assessment);
    memory(object, host, context, &mut assessment);
    huge_pages(object, host, context, &mut assessment);
    nics(object, host, context, &mut assessment);
    filesystem::assess(object, host, context, &mut assessment);
    assessment
}

/// The lock is ours: it is known whatever the host says.
fn maintenance(object: &Object, assessment: &mut Assessment) {
    assessment.judged.extend([AlarmType::HostOutOfService, AlarmType::MaintenanceOverrun]);
    if object.state.administrative != Some(AdministrativeState::Locked) {
        return;
    }
    let maintenance = object.annotations.maintenance.as_ref();
    let reason = maintenance.map(|maintenance| maintenance.reason.clone()).unwrap_or_default();
    let words = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let text = format!("{} is locked for maintenance{words}", object.name.id());
    assessment.findings.push(Finding::new(AlarmType::HostOutOfService, &object.name, text));
    let Some(end) = maintenance.and_then(|maintenance| maintenance.planned_end) else { return };
    let text = format!("maintenance of {} should have ended at {end}", object.name.id());
    let finding = Finding::new(AlarmType::MaintenanceOverrun, &object.name, text);
    assessment.findings.push(finding.with("planned_end", end.to_string()).hold(Hold::Until(end)));
}

fn reachability(object: &Object, host: &Host, assessment: &mut Assessment) {
    assessment.judged.extend([AlarmType::HostUnreachable, AlarmType::HypervisorAuthFailed]);
    let reason = &object.state.reason;
    if host.connection_state == ConnectionState::Lost && reason.code == StateReason::HOST_UNREACHABLE {
        let text = format!("no contact with {}: {}", object.name.id(), reason.text);
        let finding = Finding::new(AlarmType::HostUnreachable, &object.name, text);
        assessment.findings.push(finding.with("evidence", &*reason.text));
    }
    if host.connection_state == ConnectionState::Refused {
        let text = format!("{} refuses our credential: {}", object.name.id(), reason.text);
        assessment.findings.push(Finding::new(AlarmType::HypervisorAuthFailed, &object.name, text));
    }
    if host.connection_state == ConnectionState::Connected {
        assessment.judged.push(AlarmType::HostDown);
    }
}

/// What shows only over time: each of these has a quiet time, so nothing here says that it is over.
fn counted(object: &Object, context: &Context<'_>, assessment: &mut Assessment) {
    let just_now = |alarm_type: AlarmType, count: &str| {
        let window = context.seconds(alarm_type, &object.name, "window_seconds");
        let found = context.tallies.just_now(alarm_type, &object.name, window, context.now)?;
        let enough = float(found) >= context.number(alarm_type, &object.name, count);
        enough.then_some((found, window.as_secs() / 60))
    };
    if let Some((lost, minutes)) = just_now(AlarmType::HostConnectionUnstable, "count") {
        let text = format!("the connection to {} was lost {lost} times within {minutes} min", object.name.id());
        assessment.findings.push(Finding::new(AlarmType::HostConnectionUnstable, &object.name, text));
    }
    let booted = context.tallies.just_now(
        AlarmType::UnexpectedHostRestart,
        &object.name,
        std::time::Duration::ZERO,
        context.now,
    );
    if booted.is_some() && object.state.administrative != Some(AdministrativeState::Locked) {
        let text = format!("{} booted although it was not locked", object.name.id());
        assessment.findings.push(Finding::new(AlarmType::UnexpectedHostRestart, &object.name, text));
    }
}

/// A person who clears it accepts the UUID, so that a warning counts only when it comes. It is over by itself when
/// the warning was seen to go; that there is none after a restart of the daemon says nothing.
fn identity(object: &Object, host: &Host, context: &Context<'_>, assessment: &mut Assessment) {
    let changed = context.tallies.identity_changed(&object.name);
    let Some(warning) = identity_warning(host) else {
        assessment.judged.extend(changed.map(|_| AlarmType::HostIdentityChanged));
        return;
    };
    if changed == Some(context.now) {
        let finding = Finding::new(AlarmType::HostIdentityChanged, &object.name, warning.as_str());
        assessment.findings.push(finding.with("host_uuid", host.host_uuid.clone()));
    }
}

/// Memory for new needs is known of the machine itself only; a remote libvirt tells what is free without its caches.
/// Both measures must be reached, since a large host has much left at a small percentage (operations.md F14).
fn memory(object: &Object, host: &Host, context: &Context<'_>, assessment: &mut Assessment) {
    let local = host.volatile.uptime_seconds.is_some();
    let Some(available) = host.volatile.memory_free_bytes.filter(|_| local && host.memory_total_bytes > 0) else {
        return;
    };
    assessment.judged.push(AlarmType::HostMemoryHigh);
    let grading = (context.grading)(AlarmType::HostMemoryHigh, &object.name);
    let share = percent(available, host.memory_total_bytes);
    let down = ThresholdDirection::Down;
    let stands = context.severity(AlarmType::HostMemoryHigh, &object.name);
    let severity = levels::worst(stands, |severity, held| {
        beyond(&grading, "available_bytes", float(available), severity, held, down)
            && beyond(&grading, "available_percent", share, severity, held, down)
    });
    let Some(severity) = severity else { return };
    let text = format!("{} has {} ({share:.1} %) of memory left for new needs", object.name.id(), gib(available));
    let crossing = levels::crossing(&grading, "available_bytes", float(available), severity, down);
    let finding = Finding::new(AlarmType::HostMemoryHigh, &object.name, text).severity(severity).crossing(crossing);
    assessment.findings.push(context.steady(finding));
}

/// No free huge page matters only to a machine that should be started here.
fn huge_pages(object: &Object, host: &Host, context: &Context<'_>, assessment: &mut Assessment) {
    assessment.judged.push(AlarmType::HugePagesExhausted);
    let Some(size) = host.volatile.huge_pages.iter().find(|size| size.total > 0 && size.free == 0) else { return };
    let machines = context.world.objects(ObjectClass::VirtualMachine);
    let wanting = machines.iter().find(|machine| {
        let Body::VirtualMachine(vm) = &machine.body else { return false };
        vm.host == object.name.host_id()
            && vm.run_state == RunState::Off
            && vm.definition.huge_pages
            && machine.state.administrative == Some(AdministrativeState::Unlocked)
    });
    if let Some(machine) = wanting {
        let name = machine.display_name();
        let text = format!("{} has no free huge pages; {name} is off and needs some", object.name.id());
        let finding = Finding::new(AlarmType::HugePagesExhausted, &object.name, text);
        assessment.findings.push(context.steady(finding.with("page_size", size.page_size_bytes.to_string())));
    }
}

/// True for an interface with a cable.
fn is_physical(nic: &HostNic) -> bool {
    !nic.driver.is_empty() && !VIRTUAL.contains(&nic.driver.as_str())
}

/// True if an interface carries traffic: it belongs to a bridge or bond, or has an address that was given to it.
fn carries(nic: &HostNic) -> bool {
    !nic.master.is_empty() || nic.addresses.iter().any(|address| !address.starts_with("fe80:"))
}

/// True if the name is that of a bond; the inventory knows the driver of hardware only.
fn is_bond(name: &str, host: &Host) -> bool {
    let by_driver = |nic: &&HostNic| nic.name == name && matches!(nic.driver.as_str(), "bonding" | "team");
    name.starts_with("bond") || name.starts_with("team") || host.nics.iter().find(by_driver).is_some()
}

fn nics(object: &Object, host: &Host, context: &Context<'_>, assessment: &mut Assessment) {
    assessment.judged.extend([AlarmType::HostNicLinkDown, AlarmType::HostNicBondDegraded]);
    for nic in host.nics.iter().filter(|nic| is_physical(nic) && carries(nic) && nic.link_state == "down") {
        let up = |other: &&HostNic| other.master == nic.master && other.link_state == "up";
        let bond_works = is_bond(&nic.master, host) && host.nics.iter().find(up).is_some();
        let finding = if bond_works {
            let text = format!("bond {} of {} works without {}", nic.master, object.name.id(), nic.name);
            Finding::new(AlarmType::HostNicBondDegraded, &parts::nic(&object.name, &nic.master), text)
        } else {
            let text = format!("interface {} of {} has no link", nic.name, object.name.id());
            Finding::new(AlarmType::HostNicLinkDown, &parts::nic(&object.name, &nic.name), text)
        };
        assessment.findings.push(context.steady(finding.with("nic", nic.name.clone())));
    }
}

/// What a hypervisor's state says: its service may be gone while the machine answers (F15), and its events may not
/// arrive though it does (F30).
pub(super) fn assess_hypervisor(object: &Object, hypervisor: &Hypervisor, context: &Context<'_>) -> Assessment {
    if hypervisor.connection_state == ConnectionState::Connecting {
        return Assessment::default();
    }
    let mut assessment = Assessment { judged: vec![AlarmType::HypervisorServiceFailed], ..Assessment::default() };
    let reason = &object.state.reason;
    let lost =
        hypervisor.connection_state == ConnectionState::Lost && reason.code == StateReason::HYPERVISOR_SERVICE_LOST;
    if lost {
        let text = format!("the host answers, its {} service does not: {}", hypervisor.technology, reason.text);
        let finding = Finding::new(AlarmType::HypervisorServiceFailed, &object.name, text);
        assessment.findings.push(finding.with("evidence", &*reason.text));
    }
    assessment.findings.extend(events_missed(object, context));
    assessment
}

fn events_missed(object: &Object, context: &Context<'_>) -> Option<Finding> {
    let host = crate::model::Name::host(&object.name.host_id()?);
    let window = context.seconds(AlarmType::EventChannelStalled, &host, "window_seconds");
    let missed = context.tallies.just_now(AlarmType::EventChannelStalled, &host, window, context.now)?;
    let enough = float(missed) >= context.number(AlarmType::EventChannelStalled, &host, "missed");
    enough.then(|| {
        let minutes = window.as_secs() / 60;
        let text = format!("{missed} changes of {} within {minutes} min were not announced by events", host.id());
        Finding::new(AlarmType::EventChannelStalled, &host, text)
    })
}
