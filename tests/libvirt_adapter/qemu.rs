//! Real QEMU, driven in the process by `qemu:///embed`.

use super::embed::{self, Embed};
use super::world::*;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use vrm::hypervisor::port::{EventSubject, HypervisorError};
use vrm::model::capability::{Availability, Capability};
use vrm::model::incident::{Incident, IncidentKind, IncidentSubject};
use vrm::model::observation::{Fact, GoneCause, MachineStatistics, Observation, Scope};
use vrm::model::registration::Profile;
use vrm::model::virtual_machine::{ControlState, RunState, RunStateReason};

/// Words of an event about this machine that begin with `wanted`.
fn about(uuid: uuid::Uuid, wanted: &str) -> impl Fn(&EventSubject) -> Option<(String, Option<GoneCause>)> {
    move |subject| match subject {
        EventSubject::Machine { uuid: told, leaving, text, .. } if *told == uuid && text.starts_with(wanted) => {
            Some((text.clone(), *leaving))
        }
        _ => None,
    }
}

/// The incident of an event about this machine whose words begin with `wanted`.
fn incident_of(uuid: uuid::Uuid, wanted: &str) -> impl Fn(&EventSubject) -> Option<Incident> {
    move |subject| match subject {
        EventSubject::Machine { uuid: told, incident, text, .. } if *told == uuid && text.starts_with(wanted) => {
            incident.as_deref().cloned()
        }
        _ => None,
    }
}

/// Errors of a machine's disks in a reading, if it asked for them.
fn disk_errors(observation: &Observation, wanted: uuid::Uuid) -> Option<BTreeMap<String, String>> {
    observation.facts.iter().find_map(|fact| match fact {
        Fact::Incident(incident) if incident.machine() == Some(wanted) => match &incident.kind {
            IncidentKind::DiskErrors(errors) => Some(errors.clone()),
            _ => None,
        },
        _ => None,
    })
}

fn figures(observation: &Observation, wanted: uuid::Uuid) -> Option<MachineStatistics> {
    observation.facts.iter().find_map(|fact| match fact {
        Fact::MachineStatistics(figures) if figures.uuid == wanted => Some((**figures).clone()),
        _ => None,
    })
}

fn control(observation: &Observation, wanted: uuid::Uuid) -> Option<ControlState> {
    let verdicts = observation.facts.iter().filter_map(|fact| match fact {
        Fact::MachineControl { uuid, control } if *uuid == wanted => Some(*control),
        _ => None,
    });
    verdicts.reduce(|_, later| later)
}

#[tokio::test]
async fn life_of_a_machine() {
    let Some(mut embed) = Embed::new() else { return };
    let (hypervisor, mut link) = connected(&embed.uri(), Profile::Monitor).await;
    assert_eq!(link.hypervisor.technology, "qemu");
    let capabilities = &link.hypervisor.capabilities;
    assert_eq!(capabilities[&Capability::BulkStatistics], Availability::Available);
    assert_eq!(capabilities[&Capability::Migration], Availability::NeedsManage);
    assert_eq!(capabilities[&Capability::DiskErrors], Availability::Unknown, "nothing runs that could be asked");
    assert!(link.hypervisor.events.len() >= 26, "{:?}", link.hypervisor.events);

    let image = embed.path("m.img");
    embed::boot_disk(&image, embed::HALT, 1 << 20);
    let nic = "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>";
    let domain = embed.outside().define_domain_xml(&embed::machine("m", &image, nic)).expect("defines");
    let uuid = domain.uuid().expect("has one");
    event(&mut link, about(uuid, "lifecycle defined/added")).await;
    let off = &machines(&read(&hypervisor, Scope::Machine(uuid)).await)["m"];
    assert_eq!((off.state.run_state, off.state.incarnation, off.persistent), (RunState::Off, None, true));

    domain.create().expect("starts");
    event(&mut link, about(uuid, "lifecycle started/booted")).await;
    let on = &machines(&read(&hypervisor, Scope::Machine(uuid)).await)["m"];
    assert_eq!((on.state.run_state, on.state.reason), (RunState::Running, RunStateReason::Booted));
    assert!(on.state.incarnation.is_some());
    let definition = on.definition.as_ref().expect("read");
    assert_eq!((definition.disks[0].target.as_str(), definition.nics.len()), ("hda", 1));

    let seen = read(&hypervisor, Scope::Statistics).await;
    let figures = figures(&seen, uuid).expect("figures");
    assert!(!figures.partial && figures.cpu_time_ns > Some(0) && figures.memory_rss_bytes > Some(0), "{figures:?}");
    assert_eq!(figures.disks["hda"].capacity_bytes, Some(1 << 20));
    assert!(
        seen.facts.iter().any(|fact| matches!(fact, Fact::HostStatistics(host) if host.memory_free_bytes > Some(0)))
    );

    domain.suspend().expect("pauses");
    event(&mut link, about(uuid, "lifecycle suspended/paused")).await;
    let listed = read(&hypervisor, Scope::MachineStates).await;
    assert_eq!(states(&listed)["m"].reason, RunStateReason::User);
    domain.destroy().expect("stops");
    let (_, leaving) = event(&mut link, about(uuid, "lifecycle stopped/destroyed")).await;
    assert_eq!(leaving, Some(GoneCause::Removed));
    let off = &machines(&read(&hypervisor, Scope::Machine(uuid)).await)["m"];
    assert_eq!((off.state.run_state, off.state.reason), (RunState::Off, RunStateReason::Destroyed));
    domain.undefine().expect("undefines");
    event(&mut link, about(uuid, "lifecycle undefined/removed")).await;
    let gone = read(&hypervisor, Scope::Machine(uuid)).await;
    assert!(matches!(gone.facts[..], [Fact::MachineGone { .. }]));
}

#[tokio::test]
async fn what_guests_do_is_told() {
    let Some(mut embed) = Embed::new() else { return };
    let (_hypervisor, mut link) = connected(&embed.uri(), Profile::Monitor).await;
    let watchdog = "<watchdog model='ib700' action='pause'/>";
    type Case<'a> = (&'a str, &'a [u8], &'a str, &'a str, Option<IncidentKind>);
    let cases: [Case<'_>; 5] = [
        ("reboot", embed::REBOOT, "", "reboot", Some(IncidentKind::Rebooted)),
        ("clock", embed::SET_CLOCK, "", "rtc_change", None),
        ("panic", embed::PANIC, "<panic model='isa'/>", "lifecycle crashed", Some(IncidentKind::GuestPanicked)),
        ("watchdog", embed::WATCHDOG, watchdog, "watchdog", Some(IncidentKind::WatchdogFired("pause".into()))),
        ("poweroff", embed::POWER_OFF, "", "lifecycle stopped/shutdown", None),
    ];
    for (name, code, devices, wanted, kind) in cases {
        let domain = embed.start(name, code, devices);
        let uuid = domain.uuid().expect("has one");
        match kind {
            None => drop(event(&mut link, about(uuid, wanted)).await),
            Some(kind) => assert_eq!(event(&mut link, incident_of(uuid, wanted)).await.kind, kind),
        }
        let _ = domain.destroy();
    }
}

#[tokio::test]
async fn a_full_disk_pauses_the_machine_and_is_told() {
    let Some(mut embed) = Embed::new() else { return };
    let Some(full) = SmallDisk::new(&embed.path("full")) else { return };
    let (hypervisor, mut link) = connected(&embed.uri(), Profile::Monitor).await;
    let image = embed.path("full/d.img");
    embed::boot_disk(&image, embed::WRITE, 1 << 20);
    full.fill();
    let domain = embed.outside().create_domain_xml(&embed::machine("d", &image, ""), 0).expect("starts");
    let uuid = domain.uuid().expect("has one");
    until(&hypervisor, Scope::Machine(uuid), |seen| machines(seen).remove("d")?.definition.ok()).await;
    let incident = event(&mut link, incident_of(uuid, "io_error_reason")).await;
    assert_eq!(incident.subject, IncidentSubject::MachineDisk { uuid, target: "hda".into() });
    assert_eq!(incident.kind, IncidentKind::IoError { action: "pause".into(), reason: "enospc".into() });
    assert!(incident.details["path"].ends_with("d.img"), "{:?}", incident.details);
    let seen = until(&hypervisor, Scope::Machine(uuid), |seen| {
        let state = machines(seen).remove("d")?.state;
        (state.run_state == RunState::Paused).then_some(state)
    });
    assert_eq!(seen.await.reason, RunStateReason::IoError);
    let bad = BTreeMap::from([("hda".to_owned(), "no_space".to_owned())]);
    let found = |wanted: &BTreeMap<String, String>| {
        let wanted = wanted.clone();
        move |seen: &Observation| disk_errors(seen, uuid).filter(|errors| *errors == wanted)
    };
    until(&hypervisor, Scope::Machine(uuid), found(&bad)).await;

    // As after a lost connection: nothing was told, the state says where to look.
    let (again, _link) = connected(&embed.uri(), Profile::Monitor).await;
    assert_eq!(disk_errors(&read(&again, Scope::Machines).await, uuid), Some(bad));

    full.empty();
    domain.resume().expect("goes on");
    until(&hypervisor, Scope::Machine(uuid), found(&BTreeMap::new())).await;
    let quiet = read(&hypervisor, Scope::Machine(uuid)).await;
    assert_eq!(disk_errors(&quiet, uuid), None, "nothing to ask any more");
    domain.destroy().expect("stops");
}

#[tokio::test]
async fn a_hung_process_is_left_out_and_taken_back() {
    let Some(mut embed) = Embed::new() else { return };
    let (hypervisor, _link) = connected(&embed.uri(), Profile::Monitor).await;
    let (hung, well) = (embed.start("hung", embed::HALT, ""), embed.start("well", embed::HALT, ""));
    let (hung, well) = (hung.uuid().expect("has one"), well.uuid().expect("has one"));
    read(&hypervisor, Scope::Machines).await;
    let before = read(&hypervisor, Scope::Statistics).await;
    assert!(!figures(&before, hung).expect("figures").partial);
    rustix::process::kill_process(embed.process("hung"), rustix::process::Signal::STOP).expect("stopped");

    // The first poll that meets it hangs; its caller is freed by the deadline.
    let asked = Instant::now();
    let deadline = Duration::from_secs(1);
    let error = hypervisor.observe(Scope::Statistics, deadline).await.expect_err("hangs");
    assert_eq!(error, HypervisorError::TimedOut(deadline));
    assert!(asked.elapsed() < deadline * 3, "took {:?}", asked.elapsed());
    hypervisor.probe(Duration::from_secs(1)).await.expect("the control lane is not affected");
    let states_meanwhile = hypervisor.observe(Scope::MachineStates, Duration::from_secs(1)).await;
    assert_eq!(states(&states_meanwhile.expect("not affected"))["hung"].run_state, RunState::Running);

    let one = hypervisor.observe(Scope::Machine(hung), Duration::from_secs(2)).await.expect("its definition is read");
    assert!(machines(&one)["hung"].definition.is_ok(), "as it was when it still answered");
    let all = hypervisor.observe(Scope::Machines, Duration::from_secs(3)).await.expect("all are read");
    assert_eq!(machines(&all).len(), 2);

    // Then it is known, and left out.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let seen = hypervisor.observe(Scope::Statistics, Duration::from_secs(2)).await;
        let quarantined = hypervisor.vitals().quarantined_machines == 1;
        if let Some(seen) = seen.ok().filter(|_| quarantined) {
            assert_eq!(control(&seen, hung), Some(ControlState::NotResponding));
            assert!(figures(&seen, hung).expect("what can be had").partial);
            assert_eq!(figures(&seen, hung).expect("what can be had").memory_rss_bytes, None, "absent, not 0");
            assert!(!figures(&seen, well).expect("figures").partial);
            break;
        }
        assert!(Instant::now() < deadline, "never quarantined");
    }
    assert!(hypervisor.vitals().severed_lanes >= 1);

    rustix::process::kill_process(embed.process("hung"), rustix::process::Signal::CONT).expect("goes on");
    let back = until(&hypervisor, Scope::Statistics, |seen| figures(seen, hung).filter(|figures| !figures.partial));
    assert!(back.await.memory_rss_bytes.is_some());
    assert_eq!(hypervisor.vitals().quarantined_machines, 0);
    until(&hypervisor, Scope::MachineStates, |_| (hypervisor.vitals().stuck_threads == 0).then_some(())).await;
}

#[tokio::test]
async fn a_killed_process_is_told_as_failed() {
    let Some(mut embed) = Embed::new() else { return };
    let (hypervisor, mut link) = connected(&embed.uri(), Profile::Monitor).await;
    let uuid = embed.start("k", embed::HALT, "").uuid().expect("has one");
    rustix::process::kill_process(embed.process("k"), rustix::process::Signal::KILL).expect("killed");
    let (_, leaving) = event(&mut link, about(uuid, "lifecycle stopped/failed")).await;
    assert_eq!(leaving, Some(GoneCause::Failed));
    let gone = until(&hypervisor, Scope::Machine(uuid), |seen| {
        seen.facts.iter().find(|fact| matches!(fact, Fact::MachineGone { .. })).cloned()
    });
    gone.await;
}

/// A 64 KiB filesystem.
struct SmallDisk {
    path: std::path::PathBuf,
}

impl SmallDisk {
    fn new(path: &std::path::Path) -> Option<Self> {
        std::fs::create_dir_all(path).expect("a folder");
        let mount =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(path).status();
        if !mount.is_ok_and(|status| status.success()) {
            eprintln!("skipped: may not mount a tmpfs here");
            return None;
        }
        Some(Self { path: path.to_owned() })
    }

    fn fill(&self) {
        use std::io::Write as _;
        let mut filler = std::fs::File::create(self.path.join("filler")).expect("a file");
        while filler.write_all(&[1; 4_096]).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.path.join("filler")).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
