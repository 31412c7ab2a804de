//! A QEMU driver inside the test's own process, and 512-byte guests that raise real events.
//!
//! No daemon is needed. Each test has a root folder of its own; libvirt's knowledge of the QEMU
//! binary, which takes seconds to gather, is copied from a folder that all tests share.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use virt::connect::Connect;
use virt::domain::Domain;

const EMULATOR: &str = "/usr/bin/qemu-system-x86_64";

/// `hlt`, for ever.
pub const HALT: &[u8] = &[0xf4, 0xeb, 0xfd];
/// ACPI power-off by port 604h, then halt.
pub const POWER_OFF: &[u8] = &[0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4, 0xeb, 0xfd];
/// Wait one second by int 15h, then reset by the keyboard controller.
pub const REBOOT: &[u8] =
    &[0xb4, 0x86, 0xb9, 0x0f, 0x00, 0xba, 0x40, 0x42, 0xcd, 0x15, 0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd];
/// Set the date by int 1Ah, then halt.
pub const SET_CLOCK: &[u8] = &[0xb4, 0x05, 0xb9, 0x30, 0x20, 0xba, 0x01, 0x01, 0xcd, 0x1a, 0xf4, 0xeb, 0xfd];
/// Report a panic at port 505h, then halt.
pub const PANIC: &[u8] = &[0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd];
/// Start the ib700 watchdog with two seconds, then halt.
pub const WATCHDOG: &[u8] = &[0xba, 0x43, 0x04, 0xb0, 0x0e, 0xee, 0xf4, 0xeb, 0xfd];
/// Write sector 62 by int 13h, then halt.
pub const WRITE: &[u8] =
    &[0xbb, 0x00, 0x7c, 0xb8, 0x01, 0x03, 0xb9, 0x3f, 0x00, 0xb6, 0x00, 0xb2, 0x80, 0xcd, 0x13, 0xf4, 0xeb, 0xfd];

/// A QEMU driver with a root folder of its own. Machines that still run are destroyed at the end.
pub struct Embed {
    root: PathBuf,
    outside: Option<Connect>,
    _folder: tempfile::TempDir,
    _turn: fs::File,
}

impl Embed {
    /// A driver, or nothing (said on stderr) on a machine without QEMU.
    pub fn new() -> Option<Self> {
        if !Path::new(EMULATOR).exists() {
            eprintln!("skipped: no {EMULATOR} on this machine");
            return None;
        }
        let turn = lock(&shared().join("turn"));
        let folder = tempfile::Builder::new().prefix("vrm-embed-").tempdir_in("/tmp").expect("a folder");
        let root = folder.path().to_owned();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("permissions");
        fs::create_dir_all(root.join("etc")).expect("a folder");
        let settings = "stdio_handler = \"file\"\nuser = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\n";
        fs::write(root.join("etc/qemu.conf"), settings).expect("settings");
        copy(&shared().join("cache"), &root.join("cache"));
        Some(Self { root, outside: None, _folder: folder, _turn: turn })
    }

    /// Address of the driver.
    pub fn uri(&self) -> String {
        format!("qemu:///embed?root={}", self.root.display())
    }

    /// A path in the root folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The tests' own connection, with which the world is changed behind the adapter's back.
    /// Only to be asked for once the adapter is connected: that is what starts the event loop.
    pub fn outside(&mut self) -> &Connect {
        let uri = self.uri();
        let root = self.root.clone();
        self.outside.get_or_insert_with(|| {
            let connect = Connect::open(Some(&uri)).expect("opens");
            copy(&root.join("cache"), &shared().join("cache"));
            connect
        })
    }

    /// Starts a transient machine whose boot sector is `code`.
    pub fn start(&mut self, name: &str, code: &[u8], devices: &str) -> Domain {
        let image = self.path(&format!("{name}.img"));
        boot_disk(&image, code, 1 << 20);
        let xml = machine(name, &image, devices);
        self.outside().create_domain_xml(&xml, 0).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Process of a running machine.
    pub fn process(&self, name: &str) -> rustix::process::Pid {
        let text = fs::read_to_string(self.root.join(format!("run/qemu/{name}.pid"))).expect("it runs");
        rustix::process::Pid::from_raw(text.trim().parse().expect("a number")).expect("not zero")
    }
}

impl Drop for Embed {
    fn drop(&mut self) {
        let Some(outside) = self.outside.take() else { return };
        for domain in outside.list_all_domains(1).unwrap_or_default() {
            let name = domain.name().unwrap_or_default();
            let _ = fs::read_to_string(self.root.join(format!("run/qemu/{name}.pid"))).ok().and_then(|text| {
                let pid = rustix::process::Pid::from_raw(text.trim().parse().ok()?)?;
                rustix::process::kill_process(pid, rustix::process::Signal::CONT).ok()
            });
            let _ = domain.destroy();
        }
    }
}

/// A disk image that boots `code`.
pub fn boot_disk(path: &Path, code: &[u8], size: u64) {
    let mut sector = [0u8; 512];
    sector[..code.len()].copy_from_slice(code);
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut file = fs::File::create(path).expect("an image");
    file.write_all(&sector).expect("written");
    file.set_len(size).expect("grown");
}

/// Definition of a small machine with one IDE disk.
pub fn machine(name: &str, image: &Path, devices: &str) -> String {
    let kind = if Path::new("/dev/kvm").exists() { "kvm" } else { "qemu" };
    format!(
        "<domain type='{kind}'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
         <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
         <on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
         <devices><emulator>{EMULATOR}</emulator>
         <disk type='file' device='disk'><driver name='qemu' type='raw' error_policy='enospace'/>
         <source file='{}'/><target dev='hda' bus='ide'/></disk>{devices}</devices></domain>",
        image.display()
    )
}

/// What all tests of this kind share on this machine.
fn shared() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embed");
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// One QEMU test at a time: two cores are soon spent on firmware looking for disks.
fn lock(path: &Path) -> fs::File {
    let file = fs::File::create(path).expect("a lock file");
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).expect("locked");
    file
}

/// Copies a tree of files; what is there already is left alone.
fn copy(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else { return };
    fs::create_dir_all(to).expect("a folder");
    for entry in entries.flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if !target.exists() && entry.path().is_file() {
            fs::copy(entry.path(), &target).expect("copied");
        }
    }
}
