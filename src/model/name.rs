//! Names: resource names (`hosts/kvm-07`), host ids and object classes. Distinguished names are in `dn`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// The name of a managed object below the VRM, e.g. `hosts/kvm-07/storagePools/default`.
///
/// Free strings inside are percent-encoded, so a segment never holds `/`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

impl Name {
    /// Takes a text that already has the form of a name.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Name of the VRM itself.
    pub fn vrm() -> Self {
        Self::new("vrm")
    }

    /// Name of the cluster this VRM manages.
    pub fn cluster() -> Self {
        Self::new("cluster")
    }

    /// Name of a host.
    pub fn host(host: &HostId) -> Self {
        Self::new(format!("hosts/{host}"))
    }

    /// Name of a hypervisor of a host; `technology` is the lower-case driver name (`qemu`, `lxc`).
    pub fn hypervisor(host: &HostId, technology: &str) -> Self {
        Self::new(format!("hosts/{host}/hypervisors/{}", encode(technology)))
    }

    /// Name of a virtual machine; it lies under the VRM because migration must not rename it.
    pub fn virtual_machine(uuid: Uuid) -> Self {
        Self::new(format!("virtualMachines/{uuid}"))
    }

    /// Name of a snapshot of a virtual machine.
    pub fn snapshot(uuid: Uuid, snapshot: &str) -> Self {
        Self::new(format!("virtualMachines/{uuid}/snapshots/{}", encode(snapshot)))
    }

    /// Name of a storage pool.
    pub fn storage_pool(host: &HostId, pool: &str) -> Self {
        Self::new(format!("hosts/{host}/storagePools/{}", encode(pool)))
    }

    /// Name of a volume; `key` is libvirt's volume key, of which the id is a digest.
    pub fn volume(host: &HostId, pool: &str, key: &str) -> Self {
        Self::new(format!("hosts/{host}/storagePools/{}/volumes/{}", encode(pool), digest16(key)))
    }

    /// Name of a virtual network.
    pub fn network(host: &HostId, network: &str) -> Self {
        Self::new(format!("hosts/{host}/networks/{}", encode(network)))
    }

    /// Name of what several pools and disks really lie on; `source` is the canonical source.
    pub fn storage_backing(source: &str) -> Self {
        Self::new(format!("storageBackings/{}", digest16(source)))
    }

    /// Name of an image.
    pub fn image(image: &str) -> Self {
        Self::new(format!("images/{}", encode(image)))
    }

    /// Name of an alarm.
    pub fn alarm(id: Uuid) -> Self {
        Self::new(format!("alarms/{id}"))
    }

    /// Name of a rule that shelves alarms.
    pub fn alarm_shelf(id: &str) -> Self {
        Self::new(format!("alarmShelves/{}", encode(id)))
    }

    /// Name of a rule that grades alarms.
    pub fn alarm_profile(id: &str) -> Self {
        Self::new(format!("alarmProfiles/{}", encode(id)))
    }

    /// Name of a measurement job.
    pub fn measurement_job(id: &str) -> Self {
        Self::new(format!("measurementJobs/{}", encode(id)))
    }

    /// Name of a threshold monitor.
    pub fn threshold_monitor(id: &str) -> Self {
        Self::new(format!("thresholdMonitors/{}", encode(id)))
    }

    /// Class of the object a name denotes, or nothing if the text has no name's form.
    pub fn class(&self) -> Option<ObjectClass> {
        let segments: Vec<&str> = self.0.split('/').collect();
        Some(match segments.as_slice() {
            ["vrm"] => ObjectClass::Vrm,
            ["cluster"] => ObjectClass::Cluster,
            ["hosts", _] => ObjectClass::Host,
            ["hosts", _, "hypervisors", _] => ObjectClass::Hypervisor,
            ["hosts", _, "storagePools", _] => ObjectClass::StoragePool,
            ["hosts", _, "storagePools", _, "volumes", _] => ObjectClass::Volume,
            ["hosts", _, "networks", _] => ObjectClass::Network,
            ["virtualMachines", _] => ObjectClass::VirtualMachine,
            ["virtualMachines", _, "snapshots", _] => ObjectClass::Snapshot,
            ["storageBackings", _] => ObjectClass::StorageBacking,
            ["images", _] => ObjectClass::Image,
            ["alarms", _] => ObjectClass::Alarm,
            ["alarmShelves", _] => ObjectClass::AlarmShelf,
            ["alarmProfiles", _] => ObjectClass::AlarmProfile,
            ["measurementJobs", _] => ObjectClass::MeasurementJob,
            ["thresholdMonitors", _] => ObjectClass::ThresholdMonitor,
            _ => return None,
        })
    }

    /// The host a name lies under, if it lies under one.
    pub fn host_id(&self) -> Option<HostId> {
        let mut segments = self.0.split('/');
        match (segments.next(), segments.next()) {
            (Some("hosts"), Some(host)) => HostId::parse(host).ok(),
            _ => None,
        }
    }

    /// The name of the containing object, e.g. the host of a pool; the VRM for top-level objects.
    pub fn parent(&self) -> Option<Name> {
        if self.0.as_ref() == "vrm" {
            return None;
        }
        let mut segments: Vec<&str> = self.0.split('/').collect();
        if segments.len() <= 2 {
            return Some(match self.class() {
                Some(ObjectClass::Host | ObjectClass::VirtualMachine | ObjectClass::StorageBacking) => Self::cluster(),
                _ => Self::vrm(),
            });
        }
        segments.truncate(segments.len() - 2);
        Some(Self::new(segments.join("/")))
    }

    /// The last segment, decoded: what tells the object from its siblings.
    pub fn id(&self) -> String {
        decode(self.0.rsplit('/').next().unwrap_or_default())
    }
}

impl Default for Name {
    /// The VRM itself.
    fn default() -> Self {
        Self::vrm()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a host id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no host id: lower-case letters, digits and hyphens, beginning with a letter, at most 63 characters")]
pub struct HostIdError(pub String);

/// The operator's short name of a host: `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`, fixed for life.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostId(Arc<str>);

impl HostId {
    /// Checks and takes a host id.
    ///
    /// # Errors
    /// [`HostIdError`] if the text breaks the pattern.
    pub fn parse(text: &str) -> Result<Self, HostIdError> {
        let bytes = text.as_bytes();
        let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        let good = !bytes.is_empty()
            && bytes.len() <= 63
            && bytes[0].is_ascii_lowercase()
            && bytes.iter().all(inner)
            && bytes[bytes.len() - 1] != b'-';
        if good { Ok(Self(text.into())) } else { Err(HostIdError(text.chars().take(80).collect())) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for HostId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for HostId {
    type Error = HostIdError;

    fn try_from(text: String) -> Result<Self, HostIdError> {
        Self::parse(&text)
    }
}

impl From<HostId> for String {
    fn from(host: HostId) -> String {
        host.0.to_string()
    }
}

/// Class of a managed object (information object class of `docs/information-model.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectClass {
    /// The manager itself.
    Vrm,
    /// The set of hosts it manages.
    Cluster,
    /// A physical server.
    Host,
    /// One virtualization technology on a host.
    Hypervisor,
    /// A virtual machine or container.
    VirtualMachine,
    /// A storage pool of a host.
    StoragePool,
    /// A volume of a pool.
    Volume,
    /// What pools and disks really lie on.
    StorageBacking,
    /// A virtual network of a host.
    Network,
    /// A snapshot of a virtual machine.
    Snapshot,
    /// An image that virtual machines are made from.
    Image,
    /// An alarm.
    Alarm,
    /// A rule that shelves alarms.
    AlarmShelf,
    /// A rule that grades alarms.
    AlarmProfile,
    /// A standing order to measure.
    MeasurementJob,
    /// A watch on a metric that raises an alarm.
    ThresholdMonitor,
}

impl ObjectClass {
    /// The classes of managed resources, in containment order. Alarms and the rules about them are
    /// records of the same log, not resources.
    pub const RESOURCES: [Self; 11] = [
        Self::Vrm,
        Self::Cluster,
        Self::Host,
        Self::Hypervisor,
        Self::VirtualMachine,
        Self::StoragePool,
        Self::Volume,
        Self::StorageBacking,
        Self::Network,
        Self::Snapshot,
        Self::Image,
    ];

    /// The classes of records kept beside the resources.
    pub const RECORDS: [Self; 5] =
        [Self::Alarm, Self::AlarmShelf, Self::AlarmProfile, Self::MeasurementJob, Self::ThresholdMonitor];

    /// True for managed resources, false for records.
    pub fn is_resource(self) -> bool {
        Self::RESOURCES.contains(&self)
    }

    /// The class name as DNs carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vrm => "VrmFunction",
            Self::Cluster => "Cluster",
            Self::Host => "Host",
            Self::Hypervisor => "Hypervisor",
            Self::VirtualMachine => "VirtualMachine",
            Self::StoragePool => "StoragePool",
            Self::Volume => "StorageVolume",
            Self::StorageBacking => "StorageBacking",
            Self::Network => "VirtualNetwork",
            Self::Snapshot => "Snapshot",
            Self::Image => "Image",
            Self::Alarm => "Alarm",
            Self::AlarmShelf => "AlarmShelf",
            Self::AlarmProfile => "AlarmProfile",
            Self::MeasurementJob => "MeasurementJob",
            Self::ThresholdMonitor => "ThresholdMonitor",
        }
    }
}

/// Percent-encodes what may not stand in a name segment.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':' | b'@' | b'+') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Undoes [`encode`]; a broken escape stays as it is.
pub fn decode(segment: &str) -> String {
    unescape(segment, b'%').unwrap_or_else(|| segment.to_owned())
}

/// Undoes an escape of a mark and two hexadecimal digits; nothing if one is broken.
pub(super) fn unescape(text: &str, mark: u8) -> Option<String> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == mark {
            let hex = std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok()?;
            plain.push(u8::from_str_radix(hex, 16).ok()?);
            at += 3;
        } else {
            plain.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(plain).ok()
}

/// First 16 hexadecimal digits of the SHA-256 of a key: the id of objects whose key is a path.
pub fn digest16(key: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(key.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_ids_follow_the_pattern() {
        for good in ["a", "kvm-07", "x1"] {
            assert!(HostId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "7up", "Kvm", "a_b", "end-", &"a".repeat(64)] {
            assert!(HostId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn free_strings_survive_encoding() {
        for text in ["default", "a/b c%", "späß", "100%,=#"] {
            assert_eq!(decode(&encode(text)), text);
            assert!(!encode(text).contains('/'));
        }
    }
}
