//! A lab host with a real libvirtd, and guests of 512 bytes of code on it that are started and killed.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Guests being started at once.
const AT_ONCE: usize = 3;

/// A lab host; taken down when dropped.
#[derive(Debug)]
pub struct Guests {
    dir: PathBuf,
    events: Child,
    stopped: Arc<Mutex<HashMap<String, SystemTime>>>,
}

impl Guests {
    /// Brings it up, with somebody who notes when libvirt tells of a stop; nothing, with the reason, where that
    /// cannot be.
    ///
    /// # Errors
    /// The lab does not come up.
    pub fn up() -> anyhow::Result<Result<Self, &'static str>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Err("a lab host needs root, for namespaces and cgroups"));
        }
        let is_there = |tool: &str| std::env::split_paths(&path()).any(|folder| folder.join(tool).exists());
        if !["libvirtd", "virsh", "tini", "qemu-system-x86_64", "stdbuf"].into_iter().all(is_there) {
            return Ok(Err("libvirtd, virsh, tini or QEMU is missing: ./dev lab up installs them"));
        }
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-lab");
        lab("down", &dir, &[])?;
        lab("up", Path::new("one"), &[&dir.to_string_lossy()])?;
        let stopped = Arc::<Mutex<HashMap<String, SystemTime>>>::default();
        let events = follow(&uri(&dir), Arc::clone(&stopped))?;
        Ok(Ok(Self { dir, events, stopped }))
    }

    /// Address of its libvirtd from outside: of its processes nothing but what libvirt tells is known there.
    pub fn uri(&self) -> String {
        uri(&self.dir)
    }

    /// The command line that leads inside, where the pid files of libvirtd lie at their place.
    ///
    /// # Errors
    /// The host is gone.
    pub fn entrance(&self) -> anyhow::Result<Vec<String>> {
        let init = std::fs::read_to_string(self.dir.join("one/init"))?;
        let pid = init.split_whitespace().next().context("a process id")?;
        Ok(["nsenter", "--target", pid, "--mount", "--uts", "--net", "--cgroup"].map(str::to_owned).to_vec())
    }

    /// Starts transient guests of these names, which halt at once.
    ///
    /// # Errors
    /// One does not start.
    pub fn start(&self, names: &[String]) -> anyhow::Result<()> {
        let mut files = Vec::new();
        for name in names {
            let file = self.dir.join(format!("one/{name}.xml"));
            let disk = self.dir.join(format!("one/{name}.img"));
            std::fs::write(&disk, boot_sector())?;
            std::fs::write(&file, definition(name, &disk))?;
            files.push(file);
        }
        let share = files.len().div_ceil(AT_ONCE).max(1);
        let mut starting = Vec::new();
        for part in files.chunks(share) {
            let script: String = part.iter().map(|file| format!("create {}; ", file.display())).collect();
            let mut command = Command::new("virsh");
            command.args(["-q", "-c", &self.uri(), &script]).stdout(Stdio::null()).stderr(Stdio::piped());
            starting.push(command.spawn()?);
        }
        for virsh in starting {
            let output = virsh.wait_with_output()?;
            anyhow::ensure!(output.status.success(), "virsh: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// `kill -9` to a guest's process.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&self, name: &str) -> anyhow::Result<()> {
        let text = std::fs::read_to_string(self.dir.join(format!("one/run/qemu/{name}.pid")))?;
        let pid = Pid::from_raw(text.trim().parse()?).context("a process id")?;
        kill_process(pid, Signal::KILL)?;
        Ok(())
    }

    /// When another client of libvirt was told that a guest stopped.
    pub fn stopped(&self, name: &str) -> Option<SystemTime> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// Removes what guests leave.
    pub fn forget(&self, names: &[String]) {
        for name in names {
            // What is not there need not be removed.
            let _ = std::fs::remove_file(self.dir.join(format!("one/{name}.xml")));
            let _ = std::fs::remove_file(self.dir.join(format!("one/{name}.img")));
        }
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        let _ = self.events.kill();
        let _ = self.events.wait();
        if let Err(fault) = lab("down", &self.dir, &[]) {
            eprintln!("the lab in {} was not taken down: {fault}", self.dir.display());
        }
    }
}

fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

fn uri(dir: &Path) -> String {
    format!("qemu+unix:///system?socket={}/one/run/libvirt-sock", dir.display())
}

fn lab(verb: &str, first: &Path, rest: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab"))
        .arg(verb)
        .arg(first)
        .args(rest)
        .stdin(Stdio::null())
        .output()?;
    anyhow::ensure!(output.status.success(), "lab {verb}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// Lets `virsh event` tell, line by line, and notes the time it gives each stop.
fn follow(uri: &str, stopped: Arc<Mutex<HashMap<String, SystemTime>>>) -> anyhow::Result<Child> {
    let mut child = Command::new("stdbuf")
        .args(["-oL", "virsh", "-q", "-c", uri, "event", "--event", "lifecycle", "--loop", "--timestamp"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if let Some((name, time)) = stop_of(&line) {
                stopped.lock().unwrap_or_else(PoisonError::into_inner).insert(name, time);
            }
        }
    });
    Ok(child)
}

/// Reads `2026-11-24 20:30:51.123+0000: event 'lifecycle' for domain 'k1': Stopped Failed`.
fn stop_of(line: &str) -> Option<(String, SystemTime)> {
    let (time, rest) = line.split_once(": event 'lifecycle' for domain '")?;
    let (name, what) = rest.split_once("': ")?;
    let time = jiff::Timestamp::strptime("%Y-%m-%d %H:%M:%S%.f%z", time).ok()?;
    what.starts_with("Stopped").then(|| (name.to_owned(), SystemTime::from(time)))
}

/// Switches interrupts off and halts, for ever.
fn boot_sector() -> Vec<u8> {
    let mut sector = vec![0xfa, 0xf4, 0xeb, 0xfd];
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector.resize(1 << 16, 0);
    sector
}

fn definition(name: &str, disk: &Path) -> String {
    let kind = if Path::new("/dev/kvm").exists() { "kvm" } else { "qemu" };
    format!(
        "<domain type='{kind}'><name>{name}</name><memory unit='MiB'>24</memory><vcpu>1</vcpu>
         <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
         <devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>
         <target dev='hda' bus='ide'/></disk><controller type='usb' model='none'/>
         <memballoon model='none'/><video><model type='none'/></video></devices></domain>",
        disk.display()
    )
}
