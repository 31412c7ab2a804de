//! Hardware of a host: libvirt's `<sysinfo>`, taken from the firmware's SMBIOS tables.

use super::error::XmlError;
use super::reader::{Element, with_root};
use crate::model::host::HostHardware;

/// Reads a sysinfo XML (libvirt: virConnectGetSysinfo). What the firmware leaves out stays empty.
///
/// # Errors
/// [`XmlError`] for unreadable documents.
pub fn sysinfo(text: &str) -> Result<HostHardware, XmlError> {
    with_root(text, "sysinfo", |root| {
        let board = |name| entry(root, "baseBoard", name);
        let system = |name| Some(entry(root, "system", name)).filter(|value| !value.is_empty());
        let version = entry(root, "bios", "version");
        let date = entry(root, "bios", "date");
        Ok(HostHardware {
            vendor: system("manufacturer").unwrap_or_else(|| board("manufacturer")),
            model: system("product").unwrap_or_else(|| board("product")),
            serial_number: system("serial").unwrap_or_else(|| board("serial")),
            firmware_version: if date.is_empty() { version } else { format!("{version} ({date})").trim().to_owned() },
        })
    })
}

fn entry(root: Element<'_, '_>, group: &'static str, name: &str) -> String {
    let entries = root.child(group).into_iter().flat_map(|group| group.children("entry"));
    let found = entries.into_iter().find(|entry| entry.peek("name") == Some(name));
    found.map(|entry| entry.text().into_owned()).unwrap_or_default()
}
