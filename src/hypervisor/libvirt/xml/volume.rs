//! Volumes: libvirt's `<volume>`.

use super::error::XmlError;
use super::reader::with_root;
use super::secrets;
use crate::model::storage::{Volume, VolumeVolatile};
use crate::model::volatile::Volatile;

/// Reads a volume XML (libvirt: virStorageVolGetXMLDesc).
///
/// Host, pool and the age of the figures are not in it; the caller fills them.
///
/// # Errors
/// [`XmlError`]: beyond unreadable documents only a missing name.
pub fn volume(text: &str) -> Result<Volume, XmlError> {
    with_root(text, "volume", |root| {
        let display_name = root.text_of("name");
        if display_name.is_empty() {
            return Err(XmlError::Missing("name"));
        }
        let bytes = |name| root.child(name).and_then(|element| element.bytes("bytes"));
        let format = root.at("target/format").map(|format| format.word("type")).unwrap_or_default();
        Ok(Volume {
            key: root.text_of("key"),
            path: root.text_of("target/path"),
            volume_type: root.attribute("type").unwrap_or("file").to_owned(),
            format,
            backing_path: secrets::public_source(&root.text_of("backingStore/path")),
            encrypted: root.at("target/encryption").is_some(),
            capacity_bytes: bytes("capacity").unwrap_or_default(),
            volatile: Volatile(VolumeVolatile { allocation_bytes: bytes("allocation"), as_of: None }),
            display_name,
            ..Volume::default()
        })
    })
}
