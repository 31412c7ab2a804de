//! Storage pools: libvirt's `<pool>`.

use super::error::XmlError;
use super::reader::{Element, with_root};
use super::{extensions, source};
use crate::model::storage::{PoolVolatile, StoragePool};
use crate::model::volatile::Volatile;

/// Reads a pool XML (libvirt: virStoragePoolGetXMLDesc).
///
/// Host, technology, state, autostart, persistence, the backing and the age of the figures are not
/// in it; the caller fills them. Figures that are all zero belong to a pool that was never read and are absent.
///
/// # Errors
/// [`XmlError`]: beyond unreadable documents only a missing name.
pub fn pool(text: &str) -> Result<StoragePool, XmlError> {
    with_root(text, "pool", |root| {
        let display_name = root.text_of("name");
        if display_name.is_empty() {
            return Err(XmlError::Missing("name"));
        }
        let pool_type = root.word("type");
        let target_path = root.text_of("target/path");
        let mut pool = StoragePool {
            display_name,
            pool_uuid: root.text_of("uuid"),
            source: canonical_source(root, &pool_type, &target_path),
            volatile: Volatile(figures(root)),
            pool_type,
            target_path,
            ..StoragePool::default()
        };
        pool.extensions = extensions::left_over(root);
        Ok(pool)
    })
}

fn figures(root: Element<'_, '_>) -> PoolVolatile {
    let bytes = |name| root.child(name).and_then(|element| element.bytes("bytes"));
    let (capacity, allocation, available) = (bytes("capacity"), bytes("allocation"), bytes("available"));
    if [capacity, allocation, available].iter().all(|figure| matches!(figure, None | Some(0))) {
        return PoolVolatile::default();
    }
    PoolVolatile {
        capacity_bytes: capacity,
        allocation_bytes: allocation,
        available_bytes: available,
        ..PoolVolatile::default()
    }
}

fn canonical_source(root: Element<'_, '_>, pool_type: &str, target_path: &str) -> String {
    if pool_type == "dir" {
        return format!("dir:{}", source::local_path(target_path));
    }
    let Some(origin) = root.child("source") else { return format!("{pool_type}:{target_path}") };
    let child_word = |child: &'static str, name| origin.child(child).map(|child| child.word(name)).unwrap_or_default();
    let remote = |protocol: &str, name: &str| source::network(protocol, &source::hosts(origin, protocol), name);
    match pool_type {
        "netfs" => remote(file_protocol(origin), &child_word("dir", "path")),
        "logical" => format!("lvm:{}", origin.text_of("name")),
        "iscsi" | "iscsi-direct" => remote("iscsi", &child_word("device", "path")),
        "rbd" | "sheepdog" => remote(pool_type, &origin.text_of("name")),
        "gluster" => remote("gluster", &format!("{}{}", origin.text_of("name"), child_word("dir", "path"))),
        "scsi" => origin.child("adapter").map_or_else(|| "scsi:".to_owned(), adapter),
        "fs" | "disk" => format!("{pool_type}:{}", child_word("device", "path")),
        _ => format!("{pool_type}:{}", named(origin, target_path)),
    }
}

/// Protocol of a network filesystem; `auto` is NFS, as in libvirt.
fn file_protocol(origin: Element<'_, '_>) -> &'static str {
    match origin.child("format").and_then(|format| format.peek("type")) {
        Some("cifs") => "cifs",
        Some("glusterfs") => "gluster",
        _ => "nfs",
    }
}

/// Name of a ZFS pool, of a Virtuozzo store, or of a kind not known here.
fn named(origin: Element<'_, '_>, target_path: &str) -> String {
    let name = origin.text_of("name");
    if name.is_empty() { target_path.to_owned() } else { name }
}

fn adapter(adapter: Element<'_, '_>) -> String {
    match adapter.attribute("wwpn") {
        Some(wwpn) => format!("fc:{}/{wwpn}", adapter.word("wwnn")),
        None => match adapter.attribute("name") {
            Some(name) => format!("scsi:{name}"),
            None => {
                let parent = adapter.child("parentaddr");
                let unit = parent.map(|parent| parent.word("unique_id")).unwrap_or_default();
                let address = parent.and_then(|parent| parent.child("address")).map(source::pci_address);
                format!("scsi:{}/{unit}", address.unwrap_or_default())
            }
        },
    }
}
