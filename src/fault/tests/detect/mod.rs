//! What detectors find, type by type: each is raised and cleared over a small world.

mod cluster;
mod host;
mod host_incidents;
mod machine;
mod machine_incidents;
mod measured;
mod network;
mod own;
mod pool;
mod quiet;
mod sticky;

use super::stage::{Stage, host_id};
use crate::model::annotation::{Expectation, ExpectationOrigin, ExpectationSetting};
use crate::model::host::{ConnectionState, Host};
use crate::model::incident::IncidentSubject;
use crate::model::state::{AdministrativeState, ResourceState};
use crate::model::virtual_machine::{RunState, RunStateReason, VirtualDisk, VirtualMachine, VirtualNic, VmDefinition};
use crate::model::{Annotations, Body, Name, Object, PerceivedSeverity, Volatile};
use std::sync::Arc;
use uuid::Uuid;

const GIB: u64 = 1 << 30;

/// A connected host `a` with a running machine 1 on it.
fn stage() -> Stage {
    let mut stage = Stage::new();
    stage.host("a", ConnectionState::Connected);
    running(&mut stage);
    stage
}

fn host() -> Name {
    Name::host(&host_id("a"))
}

fn machine() -> Name {
    Name::virtual_machine(Uuid::from_u128(1))
}

fn the_machine() -> IncidentSubject {
    IncidentSubject::Machine(Uuid::from_u128(1))
}

fn the_disk() -> IncidentSubject {
    IncidentSubject::MachineDisk { uuid: Uuid::from_u128(1), target: "vda".into() }
}

/// Machine 1 with a disk, a NIC and a guest agent is seen in a state.
fn machine_is(stage: &mut Stage, run_state: RunState, reason: RunStateReason) {
    let known = stage.world.0.get(&machine()).cloned();
    let annotations = Annotations {
        expectation: Some(ExpectationSetting {
            expected: Expectation::Running,
            origin: ExpectationOrigin::Operator,
            adopted: Volatile(None),
        }),
        ..Annotations::default()
    };
    let state = ResourceState {
        administrative: Some(AdministrativeState::Unlocked),
        reason: crate::model::StateReason::code(&format!("{run_state:?} {reason:?}")),
        ..ResourceState::default()
    };
    let mut body = match known.as_deref().map(|known| &known.body) {
        Some(Body::VirtualMachine(vm)) => vm.clone(),
        _ => Box::new(VirtualMachine {
            uuid: Uuid::from_u128(1),
            display_name: "vm-1".into(),
            host: Some(host_id("a")),
            technology: "qemu".into(),
            backing_sources: vec!["nfs://filer/vms".into()],
            definition: Arc::new(definition()),
            ..VirtualMachine::default()
        }),
    };
    (body.run_state, body.run_state_reason) = (run_state, reason);
    stage.see(&machine(), state, annotations, Body::VirtualMachine(body));
}

fn definition() -> VmDefinition {
    let disk = VirtualDisk {
        target: "vda".into(),
        source_type: "block".into(),
        format: "qcow2".into(),
        source: "/srv/nfs/vm-1.qcow2".into(),
        ..VirtualDisk::default()
    };
    let nic = VirtualNic { mac: "52:54:00:00:00:01".into(), link_state: "up".into(), ..VirtualNic::default() };
    let agent = crate::model::virtual_machine::GuestAgent { configured: true, connected: Some(true) };
    VmDefinition { disks: vec![disk], nics: vec![nic], agent, ..VmDefinition::default() }
}

fn running(stage: &mut Stage) {
    machine_is(stage, RunState::Running, RunStateReason::Booted);
}

/// Changes what is known of machine 1.
fn change_machine(stage: &mut Stage, change: impl FnOnce(&mut VirtualMachine)) {
    stage.change(&machine(), |object| match &mut object.body {
        Body::VirtualMachine(vm) => change(vm),
        _ => panic!("it is a machine"),
    });
}

fn change_definition(stage: &mut Stage, change: impl FnOnce(&mut VmDefinition)) {
    change_machine(stage, |vm| change(Arc::make_mut(&mut vm.definition)));
}

/// Changes what is known of host `a`.
fn change_host(stage: &mut Stage, change: impl FnOnce(&mut Host)) {
    stage.change(&host(), |object| match &mut object.body {
        Body::Host(host) => change(host),
        _ => panic!("it is a host"),
    });
}

/// True if an alarm of this type is listed and cleared.
fn is_cleared(stage: &Stage, alarm_type: &str) -> bool {
    !stage.the(alarm_type).1.is_active()
}

fn severity(stage: &Stage, alarm_type: &str) -> PerceivedSeverity {
    stage.the(alarm_type).1.perceived_severity
}

/// An object of our own making, expected to work by an operator.
fn expected_up(stage: &mut Stage, name: &Name, body: Body) {
    let state = ResourceState { administrative: Some(AdministrativeState::Unlocked), ..ResourceState::default() };
    stage.see(name, state, Annotations::default(), body);
}

fn lock(object: &mut Object) {
    object.state.administrative = Some(AdministrativeState::Locked);
}
