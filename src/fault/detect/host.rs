//! Conditions of hosts and of the hypervisors on them.

use super::context::Context;
use crate::fault::catalogue::AlarmType;
use crate::fault::finding::{Assessment, Finding};
use crate::model::host::{ConnectionState, Host, Hypervisor};
use crate::model::{Object, StateReason};

/// What a host's state says. The reachability of a host is judged most of all while its state is unknown.
pub(super) fn assess(object: &Object, host: &Host, _: &Context<'_>) -> Assessment {
    if host.connection_state == ConnectionState::Connecting {
        return Assessment::default();
    }
    let mut assessment =
        Assessment { judged: vec![AlarmType::HostUnreachable, AlarmType::HypervisorAuthFailed], findings: Vec::new() };
    let reason = &object.state.reason;
    if host.connection_state == ConnectionState::Lost && reason.code == StateReason::HOST_UNREACHABLE {
        let text = format!("no contact with {}: {}", object.name.id(), reason.text);
        assessment
            .findings
            .push(Finding::new(AlarmType::HostUnreachable, &object.name, text).with("evidence", &*reason.text));
    }
    if host.connection_state == ConnectionState::Refused {
        let text = format!("{} refuses our credential: {}", object.name.id(), reason.text);
        assessment.findings.push(Finding::new(AlarmType::HypervisorAuthFailed, &object.name, text));
    }
    assessment
}

/// What a hypervisor's state says: its service may be gone while the machine answers (F15).
pub(super) fn assess_hypervisor(object: &Object, hypervisor: &Hypervisor, _: &Context<'_>) -> Assessment {
    if hypervisor.connection_state == ConnectionState::Connecting {
        return Assessment::default();
    }
    let mut assessment = Assessment { judged: vec![AlarmType::HypervisorServiceFailed], findings: Vec::new() };
    let reason = &object.state.reason;
    let lost =
        hypervisor.connection_state == ConnectionState::Lost && reason.code == StateReason::HYPERVISOR_SERVICE_LOST;
    if lost {
        let text = format!("the host answers, its {} service does not: {}", hypervisor.technology, reason.text);
        let finding = Finding::new(AlarmType::HypervisorServiceFailed, &object.name, text);
        assessment.findings.push(finding.with("evidence", &*reason.text));
    }
    assessment
}
