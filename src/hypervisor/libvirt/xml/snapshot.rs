//! Snapshots: libvirt's `<domainsnapshot>`.

use super::domain::uuid_of;
use super::error::XmlError;
use super::reader::{Element, with_root};
use crate::model::time::Timestamp;
use crate::model::virtual_machine::Snapshot;
use uuid::Uuid;

/// Reads a snapshot XML (libvirt: virDomainSnapshotGetXMLDesc).
///
/// The host is not in it, the machine only where the document carries its definition, and whether
/// it is current only in documents of old libvirt; the caller fills these.
///
/// # Errors
/// [`XmlError`]: beyond unreadable documents only a missing name.
pub fn snapshot(text: &str) -> Result<Snapshot, XmlError> {
    with_root(text, "domainsnapshot", |root| {
        let display_name = root.text_of("name");
        if display_name.is_empty() {
            return Err(XmlError::Missing("name"));
        }
        let vm_state = root.text_of("state");
        let seconds: i64 = root.child("creationTime").and_then(Element::text_number).unwrap_or_default();
        Ok(Snapshot {
            vm_uuid: root.child("domain").and_then(uuid_of).unwrap_or(Uuid::nil()),
            parent: root.text_of("parent/name"),
            current: root.text_of("active") == "1",
            create_time: Timestamp(seconds.saturating_mul(1_000_000)),
            description: root.text_of("description"),
            memory_included: memory_included(root, &vm_state),
            disk_mode: disk_mode(root).to_owned(),
            vm_state,
            display_name,
            host: None,
        })
    })
}

/// Documents without `<memory>` come from before it existed: a checkpoint of a running machine had its memory.
fn memory_included(root: Element<'_, '_>, vm_state: &str) -> bool {
    match root.child("memory").and_then(|memory| memory.attribute("snapshot")) {
        Some(mode) => mode != "no",
        None => matches!(vm_state, "running" | "paused" | "blocked"),
    }
}

/// `external` if any disk is, else `internal` if any is; without a list of disks it is internal.
fn disk_mode(root: Element<'_, '_>) -> &'static str {
    let Some(disks) = root.child("disks") else { return "internal" };
    let modes: Vec<&str> = disks.children("disk").filter_map(|disk| disk.attribute("snapshot")).collect();
    ["external", "internal"].into_iter().find(|mode| modes.contains(mode)).unwrap_or("none")
}
