//! A lab host with many small machines.

use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use virt::connect::Connect;

const LAB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab");

/// The host; everything of it ends when this is dropped.
#[derive(Debug)]
pub struct Herd {
    folder: PathBuf,
    uri: String,
    libvirtd: u32,
}

impl Herd {
    /// Makes the host and starts so many machines, each with a disk and a NIC, beside the lab's own.
    ///
    /// # Errors
    /// The lab cannot be made: no root, no QEMU.
    pub fn start(machines: u32) -> anyhow::Result<Self> {
        let folder = PathBuf::from(format!("/tmp/vrm-herd-{}", std::process::id()));
        let mut herd = Self { uri: uri(&folder), folder, libvirtd: 0 };
        lab(&["up", "one"], &herd.folder)?;
        herd.libvirtd = libvirtd_of(&herd.folder)?;
        let connect = Connect::open(Some(&herd.uri))?;
        for number in 0..machines {
            connect.create_domain_xml(&definition(&herd.folder, number)?, 0).context("start of a machine")?;
        }
        Ok(herd)
    }

    /// Its address, for libvirt.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Process id of its libvirtd.
    pub fn libvirtd(&self) -> u32 {
        self.libvirtd
    }

    /// A place for files that go with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        if let Err(error) = lab(&["down"], &self.folder) {
            eprintln!("{error:#}");
        }
    }
}

fn uri(folder: &Path) -> String {
    format!("qemu+unix:///system?socket={}/one/run/libvirt-sock", folder.display())
}

fn lab(verb: &[&str], folder: &Path) -> anyhow::Result<()> {
    let status = Command::new(LAB).args(verb).arg(folder).status()?;
    ensure!(status.success(), "lab {verb:?}: {status}");
    Ok(())
}

/// The libvirtd below the lab host's first process.
fn libvirtd_of(folder: &Path) -> anyhow::Result<u32> {
    let init = std::fs::read_to_string(folder.join("one/init"))?;
    let ancestor: u32 = init.split_whitespace().next().context("a pid")?.parse()?;
    let mut found = None;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if name.trim() == "libvirtd" && descends(pid, ancestor) {
            found = Some(pid);
        }
    }
    found.context("a libvirtd below the lab host")
}

fn descends(mut pid: u32, ancestor: u32) -> bool {
    while pid > 1 {
        if pid == ancestor {
            return true;
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(')') else { return false };
        let Some(parent) = rest.split_whitespace().nth(1).and_then(|parent| parent.parse().ok()) else { return false };
        pid = parent;
    }
    false
}

/// A machine that halts at once: what is measured is the collecting, not the guests.
fn definition(folder: &Path, number: u32) -> anyhow::Result<String> {
    let disk = folder.join(format!("herd-{number}.raw"));
    let mut image = vec![0_u8; 1 << 20];
    image[..4].copy_from_slice(&[0xfa, 0xf4, 0xeb, 0xfd]);
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    std::fs::write(&disk, image)?;
    Ok(format!(
        "<domain type='qemu'><name>herd-{number}</name><memory unit='MiB'>8</memory><vcpu>2</vcpu>\
         <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os><clock offset='utc'/><devices>\
         <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>\
         <target dev='vda' bus='virtio'/></disk>\
         <interface type='network'><mac address='52:54:00:2a:{:02x}:{:02x}'/><source network='lab'/>\
         <model type='virtio'/></interface><controller type='usb' model='none'/>\
         <memballoon model='virtio'/><video><model type='none'/></video></devices></domain>",
        disk.display(),
        number >> 8,
        number & 0xff
    ))
}
