//! Disks of the machine, from `/sys/block`.

use super::root::Root;
use crate::model::host::HostDisk;

/// Folder of all whole block devices; partitions are not in it.
const CLASS: &str = "/sys/block";

/// Names of devices that are no disks even where hardware is behind them.
const SKIPPED: [&str; 6] = ["loop", "ram", "zram", "sr", "fd", "dm-"];

/// The kernel counts sizes in sectors of this many bytes, whatever the device's own.
const SECTOR: u64 = 512;

/// Disks with hardware (or a hypervisor) behind them and a medium in them.
///
/// # Errors
/// The system's error when the folder of block devices cannot be read.
pub fn disks(root: &Root) -> std::io::Result<Vec<HostDisk>> {
    let names = kept(root)?;
    Ok(names.map(|name| disk(root, name)).filter(|disk| disk.size_bytes > 0).collect())
}

/// Names of the disks of [`disks`].
///
/// # Errors
/// The system's error when the folder of block devices cannot be read.
pub fn names(root: &Root) -> std::io::Result<Vec<String>> {
    Ok(kept(root)?
        .filter(|name| root.number(format!("{CLASS}/{name}/size")).is_some_and(|size: u64| size > 0))
        .collect())
}

fn kept(root: &Root) -> std::io::Result<impl Iterator<Item = String>> {
    Ok(root.names(CLASS)?.into_iter().filter(|name| is_kept(root, name)))
}

fn is_kept(root: &Root, name: &str) -> bool {
    let is_skipped = SKIPPED
        .iter()
        .any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())));
    // The paths below a multipath NVMe device are hidden by the kernel itself.
    let is_hidden = root.word(format!("{CLASS}/{name}/hidden")) == "1";
    !is_skipped && !is_hidden && root.has(format!("{CLASS}/{name}/device"))
}

fn disk(root: &Root, name: String) -> HostDisk {
    let file = |file: &str| format!("{CLASS}/{name}/{file}");
    let first = |files: [&str; 2]| {
        let words = files.into_iter().map(|name| root.word(file(name)));
        words.into_iter().find(|word| !word.is_empty()).unwrap_or_default()
    };
    let sectors: u64 = root.number(file("size")).unwrap_or_default();
    let rotational: Option<u8> = root.number(file("queue/rotational"));
    let serial = first(["serial", "device/serial"]);
    HostDisk {
        model: model(&root.word(file("device/vendor")), &root.word(file("device/model"))),
        serial: if serial.is_empty() { scsi_serial(root, &file("device/vpd_pg80")) } else { serial },
        wwn: first(["wwid", "device/wwid"]),
        size_bytes: sectors.saturating_mul(SECTOR),
        rotational: rotational.map(|flag| flag == 1),
        name,
    }
}

/// Vendor and model as libvirt shows them; a virtio disk's vendor is a PCI number and says nothing.
fn model(vendor: &str, model: &str) -> String {
    let vendor = if vendor.starts_with("0x") { "" } else { vendor };
    format!("{vendor} {model}").trim().to_owned()
}

/// Serial number of a SCSI disk: SCSI's vital product data page 0x80, after its four-byte header.
fn scsi_serial(root: &Root, page: &str) -> String {
    let bytes = std::fs::read(root.path(page)).unwrap_or_default();
    let serial = bytes.get(4..).unwrap_or_default();
    let printable: String = serial.iter().map(|&byte| char::from(byte)).filter(|c| c.is_ascii_graphic()).collect();
    printable.chars().take(64).collect()
}
