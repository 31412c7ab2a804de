//! Conditions that an incident shows: what happened and left no state to read.

use super::context::Context;
use super::filesystem::holds_images;
use super::levels::float;
use super::mishap;
use super::parts::part;
use crate::fault::catalogue::{self, AlarmType};
use crate::fault::finding::{Finding, Hold, Sign};
use crate::model::incident::{Incident, IncidentKind, IncidentSubject};
use crate::model::{Body, HostId, Name, ObjectClass, PerceivedSeverity};

/// Verdicts on a condition, as others tell them of a part of the host.
struct Verdict<'a> {
    host: &'a HostId,
    incident: &'a Incident,
    object: Name,
}

/// What an incident at a host says.
pub fn signs(host: &HostId, incident: &Incident, context: &Context<'_>) -> Vec<Sign> {
    let object = place(host, &incident.subject);
    let verdict = Verdict { host, incident, object };
    match &incident.kind {
        IncidentKind::Probed(result) => verdict.probed(result.as_ref().err(), context),
        IncidentKind::Counted { counter, by } => verdict.counted(counter, *by, context).into_iter().collect(),
        IncidentKind::Condition { alarm_type, active } => verdict.told(alarm_type, *active, context),
        _ => mishap::signs(&verdict.object, incident, context),
    }
}

impl Verdict<'_> {
    fn found(&self, alarm_type: AlarmType, text: impl Into<String>) -> Finding {
        let mut finding = Finding::new(alarm_type, &self.object, text);
        finding.attributes.clone_from(&self.incident.details);
        finding
    }

    /// A probe looks as often as the catalogue says before it gives its verdict.
    fn probed(&self, trouble: Option<&String>, context: &Context<'_>) -> Vec<Sign> {
        let alarm_type = match &self.incident.subject {
            IncidentSubject::HostFilesystem(_) => AlarmType::HostMountHung,
            IncidentSubject::StoragePool(_) => AlarmType::PoolInaccessible,
            _ => return Vec::new(),
        };
        let Some(trouble) = trouble else {
            return vec![Sign::Over { alarm_type, object: self.object.clone() }];
        };
        let mut finding = self.found(alarm_type, format!("{} does not answer: {trouble}", self.label()));
        finding = finding.with("evidence", "probe").hold(Hold::Event);
        if let IncidentSubject::HostFilesystem(mount_point) = &self.incident.subject {
            let stands_still = holds_images(self.host, mount_point, context, true);
            let severity = if stands_still { PerceivedSeverity::Critical } else { PerceivedSeverity::Major };
            finding = finding.severity(severity).with("mount_point", mount_point.clone());
        }
        vec![Sign::Present(Box::new(finding))]
    }

    fn label(&self) -> String {
        match &self.incident.subject {
            IncidentSubject::HostFilesystem(mount_point) => format!("{mount_point} of {}", self.host),
            _ => format!("{} of {}", self.object.id(), self.host),
        }
    }

    fn counted(&self, counter: &str, by: u64, context: &Context<'_>) -> Option<Sign> {
        let (host, now) = (self.host, context.now);
        let finding = match counter {
            "oom_kill" => {
                let text = format!("the kernel of {host} killed {by} processes for lack of memory");
                self.found(AlarmType::HostOutOfMemoryKill, text)
            }
            "ecc_uncorrected" => {
                self.found(AlarmType::HostMemoryEccUncorrected, format!("memory of {host} lost data {by} times"))
            }
            "ecc_corrected" => {
                let kind = AlarmType::HostMemoryEccCorrected;
                let window = context.seconds(kind, &self.object, "window_seconds");
                let errors = context.tallies.just_now(kind, &Name::host(host), window, now)?;
                if float(errors) < context.number(kind, &self.object, "errors.warning") {
                    return None;
                }
                self.found(kind, format!("memory of {host} was corrected {errors} times lately"))
            }
            "cpu_throttle" => {
                let kind = AlarmType::HostCpuThrottled;
                let rising = context.tallies.rising_for(kind, &Name::host(host), now)?;
                if rising < context.seconds(kind, &self.object, "window_seconds") && !context.stands(kind, &self.object)
                {
                    return None;
                }
                self.found(kind, format!("the processors of {host} slow themselves down"))
            }
            _ => return None,
        };
        Some(Sign::Present(Box::new(finding.hold(Hold::Event))))
    }

    /// A verdict of whoever looks at what is not in the inventory.
    fn told(&self, alarm_type: &str, active: bool, context: &Context<'_>) -> Vec<Sign> {
        let Some(kind) = AlarmType::parse(alarm_type) else { return Vec::new() };
        let object = self.part_of(kind);
        if !active {
            return vec![Sign::Over { alarm_type: kind, object }];
        }
        if kind == AlarmType::HypervisorUnavailable && !wants_kvm(self.host, context) {
            return Vec::new();
        }
        let descriptor = catalogue::descriptor(kind);
        let details = &self.incident.details;
        let text = details.get("text").unwrap_or(&descriptor.meaning);
        let mut finding = Finding::new(kind, &object, text.as_str());
        finding.attributes = details.clone();
        finding.severity = details.get("severity").and_then(|word| PerceivedSeverity::parse(word));
        vec![Sign::Present(Box::new(finding))]
    }

    /// The sensor or processor it is about, where the type is one of those and the details name it.
    fn part_of(&self, kind: AlarmType) -> Name {
        let classes = &catalogue::descriptor(kind).object_classes;
        let of = |class: &str, collection: &str, key: &str| {
            let id = self.incident.details.get(key).filter(|_| classes.iter().any(|known| known == class))?;
            (self.incident.subject == IncidentSubject::Host).then(|| part(&self.object, collection, id))
        };
        of("Sensor", "sensors", "sensor")
            .or_else(|| of("HostDisk", "disks", "disk"))
            .or_else(|| of("HostCpu", "cpus", "cpu"))
            .unwrap_or_else(|| self.object.clone())
    }
}

/// True if a machine is defined there that hardware virtualization is wanted for.
fn wants_kvm(host: &HostId, context: &Context<'_>) -> bool {
    context.world.objects(ObjectClass::VirtualMachine).iter().any(|machine| match &machine.body {
        Body::VirtualMachine(vm) => vm.host.as_ref() == Some(host) && vm.definition.virtualization_type == "kvm",
        _ => false,
    })
}

/// Name of what an incident happened to.
fn place(host: &HostId, subject: &IncidentSubject) -> Name {
    match subject {
        IncidentSubject::Machine(uuid) => Name::virtual_machine(*uuid),
        IncidentSubject::MachineDisk { uuid, target } if target.is_empty() => Name::virtual_machine(*uuid),
        IncidentSubject::MachineDisk { uuid, target } => part(&Name::virtual_machine(*uuid), "disks", target),
        IncidentSubject::Host => Name::host(host),
        IncidentSubject::HostFilesystem(mount) => part(&Name::host(host), "filesystems", mount),
        IncidentSubject::HostDisk(disk) => part(&Name::host(host), "disks", disk),
        IncidentSubject::HostNic(nic) => part(&Name::host(host), "nics", nic),
        IncidentSubject::StoragePool(pool) => Name::storage_pool(host, pool),
        IncidentSubject::Network(network) => Name::network(host, network),
    }
}
