//! Every fault that alarms can be made of: seen when it strikes, and seen to be over.

use super::*;
use crate::hypervisor::sim::mishap::Mishap;
use crate::model::incident::{IncidentKind, IncidentSubject};
use crate::model::storage::PoolState;
use crate::model::virtual_machine::{ControlState, RunState};

fn inject(opener: &SimOpener, fault: Value) {
    let fault = Fault::from_json(fault).expect("a fault");
    opener.handle().inject(&fault).expect("it strikes");
}

fn restore(opener: &SimOpener) {
    inject(opener, json!({"kind": "restore"}));
}

/// Incidents told by events so far.
fn told(link: &mut Link) -> Vec<IncidentKind> {
    let events = std::iter::from_fn(|| link.events.try_recv().ok());
    let incidents = events.filter_map(|event| match event.subject {
        EventSubject::Machine { incident, .. } => incident.map(|incident| incident.kind),
        _ => None,
    });
    incidents.collect()
}

/// Incidents of a reading.
fn read_incidents(observation: &Observation) -> Vec<(IncidentSubject, IncidentKind)> {
    let incidents = observation.facts.iter().filter_map(|fact| match fact {
        Fact::Incident(incident) => Some((incident.subject.clone(), incident.kind.clone())),
        _ => None,
    });
    incidents.collect()
}

/// A running machine with a disk, by its number and UUID.
async fn victim(endpoint: &Endpoint) -> Uuid {
    let seen = read(endpoint, Scope::Machines).await;
    let victim = seen.facts.iter().find_map(|fact| match fact {
        Fact::Machine(machine) => {
            let definition = machine.definition.as_ref().expect("read");
            let suits = machine.state.run_state == RunState::Running
                && machine.persistent
                && definition.agent.configured
                && definition.disks.iter().any(|disk| disk.target == "vda");
            suits.then_some(machine.state.uuid)
        }
        _ => None,
    });
    victim.expect("there is one")
}

#[tokio::test(start_paused = true)]
async fn every_mishap_of_a_machine_is_told_and_ends() {
    let (opener, endpoints) = open("sim://?vms=24&seed=7");
    let endpoint = &endpoints[0];
    let mut link = connect(endpoint).await;
    let uuid = victim(endpoint).await;
    for mishap in Mishap::ALL {
        told(&mut link);
        inject(&opener, json!({"kind": mishap.kind(), "vm": uuid.to_string()}));
        let begun = told(&mut link);
        assert_eq!(begun, mishap.begins().into_iter().collect::<Vec<_>>(), "{mishap:?}");
        let seen = read(endpoint, Scope::Machine(uuid)).await;
        let Fact::Machine(machine) = &seen.facts[0] else { panic!("{seen:?}") };
        if let Some((run_state, reason)) = mishap.state() {
            assert_eq!((machine.state.run_state, machine.state.reason), (run_state, reason), "{mishap:?}");
        }
        restore(&opener);
        assert_eq!(told(&mut link), mishap.ends().into_iter().collect::<Vec<_>>(), "{mishap:?}");
        let seen = read(endpoint, Scope::Machine(uuid)).await;
        let Fact::Machine(machine) = &seen.facts[0] else { panic!("{seen:?}") };
        assert_eq!(machine.state.run_state, RunState::Running, "{mishap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_a_broken_monitor_and_a_lost_agent_can_be_read() {
    let (opener, endpoints) = open("sim://?vms=24&seed=7");
    let endpoint = &endpoints[0];
    let _link = connect(endpoint).await;
    let uuid = victim(endpoint).await;
    for kind in ["control-error", "agent-lost", "enospc"] {
        inject(&opener, json!({"kind": kind, "vm": uuid.to_string()}));
    }
    let look = async || {
        let seen = read(endpoint, Scope::Machine(uuid)).await;
        let Fact::Machine(machine) = &seen.facts[0] else { panic!("{seen:?}") };
        let agent = machine.definition.as_ref().expect("read").agent.connected;
        let control = seen.facts.iter().find_map(|fact| match fact {
            Fact::MachineControl { control, .. } => Some(*control),
            _ => None,
        });
        (agent, control, read_incidents(&seen))
    };
    let errors = |errors: &[(&str, &str)]| {
        let errors = errors.iter().map(|(target, error)| ((*target).to_owned(), (*error).to_owned()));
        vec![(IncidentSubject::Machine(uuid), IncidentKind::DiskErrors(errors.collect()))]
    };
    let (agent, control, incidents) = look().await;
    assert_eq!((agent, control), (Some(false), Some(ControlState::Failed)));
    assert_eq!(incidents, errors(&[("vda", "no_space")]));
    restore(&opener);
    let (agent, control, incidents) = look().await;
    assert_eq!((agent, control), (Some(true), Some(ControlState::Responding)));
    assert_eq!(incidents, errors(&[]));
}

#[tokio::test(start_paused = true)]
async fn hosts_tell_of_mounts_disks_conditions_and_counters() {
    let (opener, endpoints) = open("sim://?hosts=2&vms=4&seed=7");
    let endpoint = &endpoints[1];
    let _links = (connect(&endpoints[0]).await, connect(endpoint).await);
    assert!(
        read_incidents(&read(endpoint, Scope::Statistics).await)
            .iter()
            .all(|(_, kind)| { matches!(kind, IncidentKind::DiskErrors(errors) if errors.is_empty()) })
    );
    for fault in [
        json!({"kind": "mount-hung", "host": "1", "mount": "/srv/nfs/vms"}),
        json!({"kind": "disk-failed", "host": "2", "disk": "sda"}),
        json!({"kind": "condition", "host": "2", "alarm_type": "hostRaidDegraded", "object": "disk:nvme0n1"}),
        json!({"kind": "count", "host": "2", "counter": "oom_kill", "by": 2}),
    ] {
        inject(&opener, fault);
    }
    let seen = read_incidents(&read(endpoint, Scope::Statistics).await);
    let has = |seen: &[(IncidentSubject, IncidentKind)], subject: IncidentSubject, wanted: &IncidentKind| {
        seen.iter().any(|(about, kind)| *about == subject && kind == wanted)
    };
    let hung = IncidentKind::Probed(Err("does not answer for 5s".into()));
    assert!(has(&seen, IncidentSubject::HostFilesystem("/srv/nfs/vms".into()), &hung), "{seen:?}");
    assert!(has(&seen, IncidentSubject::StoragePool("nfs".into()), &hung), "{seen:?}");
    let condition = |alarm_type: &str, active| IncidentKind::Condition { alarm_type: alarm_type.into(), active };
    assert!(has(&seen, IncidentSubject::HostDisk("sda".into()), &condition("hostDiskFailed", true)));
    assert!(has(&seen, IncidentSubject::HostDisk("nvme0n1".into()), &condition("hostRaidDegraded", true)));
    let counted = IncidentKind::Counted { counter: "oom_kill".into(), by: 2 };
    assert!(has(&seen, IncidentSubject::Host, &counted));

    restore(&opener);
    let seen = read_incidents(&read(endpoint, Scope::Statistics).await);
    assert!(has(&seen, IncidentSubject::StoragePool("nfs".into()), &IncidentKind::Probed(Ok(()))), "{seen:?}");
    assert!(has(&seen, IncidentSubject::HostDisk("sda".into()), &condition("hostDiskFailed", false)));
    assert!(!has(&seen, IncidentSubject::Host, &counted), "told once");
}

#[tokio::test(start_paused = true)]
async fn pools_links_and_figures_of_a_host_show_its_ailments() {
    let (opener, endpoints) = open("sim://?vms=4&seed=7");
    let endpoint = &endpoints[0];
    let _link = connect(endpoint).await;
    for fault in [
        json!({"kind": "lose-pool", "host": "1", "pool": "ceph"}),
        json!({"kind": "degrade-pool", "host": "1", "pool": "fast"}),
        json!({"kind": "nic-down", "host": "1", "nic": "eno1"}),
        json!({"kind": "low-memory", "host": "1"}),
        json!({"kind": "exhaust-huge-pages", "host": "1"}),
        json!({"kind": "fill-filesystem", "host": "1", "mount": "/"}),
    ] {
        inject(&opener, fault);
    }
    let pools = read(endpoint, Scope::StoragePools).await;
    let state = |wanted: &str| {
        pools.facts.iter().find_map(|fact| match fact {
            Fact::StoragePool(facts) if facts.pool.display_name == wanted => Some(facts.pool.pool_state),
            _ => None,
        })
    };
    assert_eq!((state("ceph"), state("fast")), (Some(PoolState::Inaccessible), Some(PoolState::Degraded)));
    let devices = read(endpoint, Scope::HostDevices).await;
    let Fact::HostDevices(devices) = &devices.facts[0] else { panic!("{devices:?}") };
    let eno1 = devices.nics.iter().flatten().find(|nic| nic.name == "eno1").expect("there");
    assert_eq!(eno1.link_state, "down");
    let figures = read(endpoint, Scope::Statistics).await;
    let figures = figures.facts.iter().find_map(|fact| match fact {
        Fact::HostStatistics(figures) => Some(figures),
        _ => None,
    });
    let figures = figures.expect("told");
    assert!(figures.memory_free_bytes < Some(1 << 30));
    assert_eq!((figures.huge_pages[0].free, figures.filesystem_available_bytes["/"]), (0, 0));
    for bad in [
        json!({"kind": "mount-hung", "host": "1", "mount": "/nowhere"}),
        json!({"kind": "condition", "host": "1", "alarm_type": "x", "object": "moon:full"}),
        json!({"kind": "nic-down", "host": "9", "nic": "eno1"}),
    ] {
        let fault = Fault::from_json(bad).expect("a fault");
        assert!(opener.handle().inject(&fault).is_err(), "{fault:?}");
    }
}
