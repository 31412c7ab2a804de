//! Distinguished names: the second form of a resource name, as other management systems write it.

use super::name::{Name, ObjectClass, decode, encode, unescape};

/// The distinguished names of one VRM (3GPP TS 32.300 syntax, most significant RDN first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnScheme {
    /// Configured prefix, e.g. `DC=example.net,SubNetwork=dc1`; may be empty.
    pub prefix: String,
    /// Id of this VRM, the value of the `VrmFunction` RDN.
    pub vrm_id: String,
    /// Id of the cluster, the value of the `Cluster` RDN.
    pub cluster_id: String,
}

impl DnScheme {
    /// The DN of a named object.
    pub fn dn(&self, name: &Name) -> String {
        let mut dn = String::with_capacity(96);
        if !self.prefix.is_empty() {
            dn.push_str(&self.prefix);
            dn.push(',');
        }
        dn.push_str("VrmFunction=");
        dn.push_str(&escape_rdn(&self.vrm_id));
        let class = name.class();
        if !matches!(
            class,
            Some(
                ObjectClass::Vrm
                    | ObjectClass::Image
                    | ObjectClass::Alarm
                    | ObjectClass::AlarmShelf
                    | ObjectClass::AlarmProfile
            ) | None
        ) {
            dn.push_str(",Cluster=");
            dn.push_str(&escape_rdn(&self.cluster_id));
        }
        let segments: Vec<&str> = name.as_str().split('/').collect();
        for pair in segments.chunks(2) {
            let [collection, id] = pair else {
                // A machine has one agent: the name has no id for it.
                dn.push_str(if pair == ["agent"] { ",GuestAgent=1" } else { "" });
                continue;
            };
            dn.push(',');
            dn.push_str(rdn_class(segments[0], collection));
            dn.push('=');
            dn.push_str(&escape_rdn(&decode(id)));
        }
        dn
    }

    /// The name a DN denotes, or nothing if it lies outside this VRM or has no valid form.
    pub fn name(&self, dn: &str) -> Option<Name> {
        let rest =
            if self.prefix.is_empty() { dn } else { dn.strip_prefix(self.prefix.as_str())?.strip_prefix(',')? };
        let mut rdns = split_rdns(rest)?.into_iter().peekable();
        if rdns.next()? != ("VrmFunction".to_owned(), self.vrm_id.clone()) {
            return None;
        }
        if rdns.peek().is_none() {
            return Some(Name::vrm());
        }
        if rdns.peek().is_some_and(|(class, _)| class == "Cluster") {
            if rdns.next()?.1 != self.cluster_id {
                return None;
            }
            if rdns.peek().is_none() {
                return Some(Name::cluster());
            }
        }
        let mut segments = Vec::new();
        for (class, id) in rdns {
            segments.push(collection_of(&class)?.to_owned());
            segments.push(encode(&id));
        }
        let name = Name::new(segments.join("/"));
        name.class().map(|_| name)
    }
}

/// Collection segment and RDN class of every object below VRM and cluster.
/// Collections of names and the classes of their members; the parts of hosts and machines among them.
const COLLECTIONS: [(&str, &str); 24] = [
    ("hosts", "Host"),
    ("hypervisors", "Hypervisor"),
    ("virtualMachines", "VirtualMachine"),
    ("storagePools", "StoragePool"),
    ("volumes", "StorageVolume"),
    ("networks", "VirtualNetwork"),
    ("storageBackings", "StorageBacking"),
    ("snapshots", "Snapshot"),
    ("images", "Image"),
    ("alarms", "Alarm"),
    ("alarmShelves", "AlarmShelf"),
    ("alarmProfiles", "AlarmProfile"),
    ("measurementJobs", "MeasurementJob"),
    ("thresholdMonitors", "ThresholdMonitor"),
    ("disks", "HostDisk"),
    ("disks", "VirtualDisk"),
    ("nics", "HostNic"),
    ("nics", "VirtualNic"),
    ("filesystems", "HostFilesystem"),
    ("cpus", "HostCpu"),
    ("cpus", "VirtualCpu"),
    ("numaNodes", "NumaNode"),
    ("sensors", "Sensor"),
    ("notificationSinks", "NotificationSink"),
];

/// The class of a collection's members; disks and NICs are of machines or of hosts.
fn rdn_class<'a>(top: &str, collection: &'a str) -> &'a str {
    match (top, collection) {
        ("virtualMachines", "disks") => return "VirtualDisk",
        ("virtualMachines", "cpus") => return "VirtualCpu",
        ("virtualMachines", "nics") => return "VirtualNic",
        _ => {}
    }
    COLLECTIONS.iter().find(|(name, _)| *name == collection).map_or(collection, |(_, class)| class)
}

fn collection_of(class: &str) -> Option<&'static str> {
    COLLECTIONS.iter().find(|(_, name)| *name == class).map(|(collection, _)| *collection)
}

fn escape_rdn(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, ',' | '=' | '+' | '<' | '>' | '#' | ';' | '\\' | '"') || character.is_control() {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                escaped.push_str(&format!("\\{byte:02X}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn split_rdns(text: &str) -> Option<Vec<(String, String)>> {
    text.split(',')
        .map(|rdn| {
            let (class, value) = rdn.split_once('=')?;
            Some((class.to_owned(), unescape_rdn(value)?))
        })
        .collect()
}

fn unescape_rdn(value: &str) -> Option<String> {
    unescape(value, b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::HostId;
    use uuid::Uuid;

    fn scheme() -> DnScheme {
        DnScheme { prefix: "DC=example.net".into(), vrm_id: "dc1-a".into(), cluster_id: "c1".into() }
    }

    #[test]
    fn dn_and_name_are_two_forms_of_one_thing() {
        let host = HostId::parse("kvm-07").unwrap();
        let names = [
            Name::vrm(),
            Name::cluster(),
            Name::host(&host),
            Name::hypervisor(&host, "qemu"),
            Name::storage_pool(&host, "a,b=c"),
            Name::volume(&host, "default", "/var/lib/x"),
            Name::network(&host, "net/1"),
            Name::virtual_machine(Uuid::from_u128(7)),
            Name::snapshot(Uuid::from_u128(7), "before \"it\""),
            Name::storage_backing("nfs1:/export"),
            Name::image("debian-12"),
        ];
        for name in names {
            assert_eq!(scheme().name(&scheme().dn(&name)), Some(name.clone()), "{name}");
            assert!(name.class().is_some());
        }
    }

    #[test]
    fn foreign_and_broken_dns_are_refused() {
        for dn in [
            "",
            "VrmFunction=dc1-a",
            "DC=example.net,VrmFunction=other",
            "DC=example.net,VrmFunction=dc1-a,Cluster=c1,Host",
        ] {
            assert_eq!(scheme().name(dn), None, "{dn}");
        }
    }
}
