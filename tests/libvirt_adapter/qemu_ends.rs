//! How real QEMU processes end: those that were ordered to are no fault, those that were not are told at once.

use super::embed::{self, Embed};
use super::world::*;
use rustix::process::{Signal, kill_process};
use std::time::{Duration, Instant};
use vrm::hypervisor::port::{EventSubject, Link};
use vrm::model::incident::IncidentKind;
use vrm::model::observation::Scope;
use vrm::model::registration::Profile;

/// Stops of each of the five kinds. With `VRM_STOP_ROUNDS=20` a hundred, which takes minutes.
fn rounds() -> usize {
    std::env::var("VRM_STOP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2)
}

/// Waits for libvirt's event that the machine has stopped; which death was told until then.
async fn stopped(link: &mut Link, uuid: uuid::Uuid) -> (String, Option<IncidentKind>) {
    let mut death = None;
    loop {
        let next = event(link, |subject| match subject {
            EventSubject::Machine { uuid: about, text, .. } if *about == uuid => Some((text.clone(), died(subject))),
            _ => None,
        });
        let (text, told) = next.await;
        death = death.or(told);
        if text.starts_with("lifecycle stopped") {
            return (text, death);
        }
    }
}

#[tokio::test]
async fn ordered_stops_of_every_kind_are_no_death() {
    let Some(mut embed) = Embed::new() else { return };
    let (hypervisor, mut link) = connected(&embed.uri(), Profile::Monitor).await;
    let mut wrong = Vec::new();
    for round in 0..rounds() {
        for kind in ["destroy", "graceful", "save", "term", "power-off"] {
            let name = format!("{kind}{round}");
            let code = if kind == "power-off" { embed::POWER_OFF } else { embed::HALT };
            let domain = if kind == "save" { kept(&mut embed, &name) } else { embed.start(&name, code, "") };
            let uuid = domain.uuid().expect("has one");
            read(&hypervisor, Scope::MachineStates).await;
            match kind {
                "destroy" => domain.destroy().expect("stops"),
                "graceful" => domain.destroy_flags(virt::sys::VIR_DOMAIN_DESTROY_GRACEFUL).expect("stops"),
                "save" => domain.managed_save(0).expect("saves"),
                "term" => kill_process(embed.process(&name), Signal::TERM).expect("told to end"),
                _ => {}
            }
            let (text, died) = stopped(&mut link, uuid).await;
            wrong.extend(died.map(|died| (name, text, died)));
        }
    }
    // Later ones too: the watch waits three seconds for libvirt before it calls it silent.
    let late = tokio::time::timeout(Duration::from_secs(4), event(&mut link, died)).await;
    assert!(wrong.is_empty() && late.is_err(), "{wrong:?} {late:?}");
}

/// Starts a machine that survives being stopped: only such a one can be saved.
fn kept(embed: &mut Embed, name: &str) -> virt::domain::Domain {
    let image = embed.path(&format!("{name}.img"));
    embed::boot_disk(&image, embed::HALT, 1 << 20);
    let domain = embed.outside().define_domain_xml(&embed::machine(name, &image, "")).expect("defines");
    domain.create().expect("starts");
    domain
}

fn died(subject: &EventSubject) -> Option<IncidentKind> {
    match subject {
        EventSubject::Machine { incident: Some(incident), .. } => {
            matches!(incident.kind, IncidentKind::ProcessDied { .. }).then(|| incident.kind.clone())
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_hung_process_that_is_destroyed_is_no_death() {
    let Some(mut embed) = Embed::new() else { return };
    let (hypervisor, mut link) = connected(&embed.uri(), Profile::Monitor).await;
    let domain = embed.start("hung", embed::HALT, "");
    let uuid = domain.uuid().expect("has one");
    read(&hypervisor, Scope::MachineStates).await;
    kill_process(embed.process("hung"), Signal::STOP).expect("stopped");
    // SIGTERM, ten seconds later SIGKILL.
    tokio::task::spawn_blocking(move || domain.destroy()).await.expect("no panic").expect("stops");
    let (text, died) = stopped(&mut link, uuid).await;
    assert_eq!((text.as_str(), died), ("lifecycle stopped/destroyed", None));
}

#[tokio::test]
async fn a_killed_process_is_told_before_libvirt_does() {
    let Some(mut embed) = Embed::new() else { return };
    let (hypervisor, mut link) = connected(&embed.uri(), Profile::Monitor).await;
    for round in 0..4 {
        let name = format!("k{round}");
        let uuid = embed.start(&name, embed::HALT, "").uuid().expect("has one");
        read(&hypervisor, Scope::MachineStates).await;
        let signal = if round % 2 == 0 { Signal::KILL } else { Signal::SEGV };
        let killed = Instant::now();
        kill_process(embed.process(&name), signal).expect("killed");
        let told = event(&mut link, |subject| match subject {
            EventSubject::Machine { uuid: about, text, .. } if *about == uuid => {
                let stopped = text.starts_with("lifecycle stopped").then_some(None);
                died(subject).map(Some).or(stopped)
            }
            _ => None,
        });
        let Some(kind) = told.await else {
            eprintln!("skipped: this kernel does not tell how a process ended");
            return;
        };
        // No bound on the time: it depends on what else this machine does, and on the core file of the second.
        eprintln!("{signal:?} told after {:?}", killed.elapsed());
        assert_eq!(kind, IncidentKind::ProcessDied { signal: Some(signal.as_raw()), status: None });
        let (text, _) = stopped(&mut link, uuid).await;
        assert_eq!(text, "lifecycle stopped/failed");
    }
}
