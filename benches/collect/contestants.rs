//! Who collects, and how one turn of each is measured.

use super::herd::Herd;
use super::tasks::cpu_time;
use anyhow::{Context, bail};
use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use virt::connect::Connect;

/// Period of those that have a clock of their own.
const PERIOD: Duration = Duration::from_secs(10);

/// Time to get over the first connection and the first readings.
const WARM_UP: Duration = Duration::from_secs(25);

const EXPORTER: &str = "127.0.0.1:19177";

/// Who collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contestant {
    /// The bulk call alone, with the groups of our every round.
    Raw,
    /// The same with virtual CPUs.
    RawWithVcpus,
    /// `vrmd`, everything it does included.
    Vrmd,
    /// Debian's prometheus-libvirt-exporter, one scrape a round.
    Exporter,
    /// collectd with plugin `virt`.
    Collectd,
}

/// What one turn took, all rounds together.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub rounds: u32,
    pub own: Duration,
    pub libvirtd: Duration,
    pub wall: Option<Duration>,
}

impl fmt::Display for Contestant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Raw => "raw bulk call",
            Self::RawWithVcpus => "raw bulk call with vcpu",
            Self::Vrmd => "vrmd",
            Self::Exporter => "prometheus-libvirt-exporter",
            Self::Collectd => "collectd, plugin virt",
        })
    }
}

impl Contestant {
    pub const ALL: [Self; 5] = [Self::Raw, Self::Vrmd, Self::Exporter, Self::RawWithVcpus, Self::Collectd];

    /// Lets it work alone for so many rounds.
    ///
    /// # Errors
    /// It is not installed, or it fails.
    pub fn turn(self, herd: &Herd, rounds: u32) -> anyhow::Result<Turn> {
        match self {
            Self::Raw => raw_turn(herd, rounds, false),
            Self::RawWithVcpus => raw_turn(herd, rounds, true),
            Self::Vrmd => clocked_turn(herd, rounds, vrmd(herd)?),
            Self::Exporter => exporter_turn(herd, rounds),
            Self::Collectd => clocked_turn(herd, rounds, collectd(herd)?),
        }
    }
}

/// A child that ends when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.0.kill();
        let _status = self.0.wait();
    }
}

/// The child's own figures come on standard output, in nanoseconds.
fn raw_turn(herd: &Herd, rounds: u32, with_vcpus: bool) -> anyhow::Result<Turn> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--raw", herd.uri(), "--rounds", &rounds.to_string()]);
    if with_vcpus {
        command.arg("--with-vcpus");
    }
    let before = cpu_time(herd.libvirtd());
    let output = command.stderr(Stdio::inherit()).output()?;
    let libvirtd = cpu_time(herd.libvirtd()).saturating_sub(before);
    let text = String::from_utf8(output.stdout)?;
    let figures: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [own, wall] = figures[..] else { bail!("the child said {text:?}") };
    // One warm-up call is in libvirtd's time: it made one more round.
    let libvirtd = libvirtd * rounds / (rounds + 1);
    Ok(Turn { rounds, own: Duration::from_nanos(own), libvirtd, wall: Some(Duration::from_nanos(wall)) })
}

/// The child of [`Contestant::Raw`].
///
/// # Errors
/// libvirt does not answer.
pub fn raw_calls(uri: &str, with_vcpus: bool, rounds: u32) -> anyhow::Result<()> {
    use virt_sys as sys;
    let mut groups = sys::VIR_DOMAIN_STATS_STATE
        | sys::VIR_DOMAIN_STATS_CPU_TOTAL
        | sys::VIR_DOMAIN_STATS_BALLOON
        | sys::VIR_DOMAIN_STATS_INTERFACE
        | sys::VIR_DOMAIN_STATS_BLOCK;
    if with_vcpus {
        groups |= sys::VIR_DOMAIN_STATS_VCPU;
    }
    let connect = Connect::open_read_only(Some(uri))?;
    let call = || -> anyhow::Result<()> {
        #[expect(clippy::disallowed_methods, reason = "its leak ends with this process")]
        let records = connect.all_domain_stats(groups, sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)?;
        anyhow::ensure!(!records.is_empty(), "no machines");
        Ok(())
    };
    call()?;
    let (mut own, mut wall) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_secs(1));
        let (before, begun) = (cpu_time(std::process::id()), Instant::now());
        call()?;
        wall += begun.elapsed();
        own += cpu_time(std::process::id()).saturating_sub(before);
    }
    println!("{} {}", own.as_nanos(), wall.as_nanos());
    Ok(())
}

/// Those that read every ten seconds by themselves.
fn clocked_turn(herd: &Herd, rounds: u32, mut running: Running) -> anyhow::Result<Turn> {
    std::thread::sleep(WARM_UP);
    let pid = running.0.id();
    let (own, libvirtd) = (cpu_time(pid), cpu_time(herd.libvirtd()));
    std::thread::sleep(PERIOD * rounds);
    let turn = Turn {
        rounds,
        own: cpu_time(pid).saturating_sub(own),
        libvirtd: cpu_time(herd.libvirtd()).saturating_sub(libvirtd),
        wall: None,
    };
    if let Some(status) = running.0.try_wait()? {
        bail!("ended with {status}");
    }
    Ok(turn)
}

fn vrmd(herd: &Herd) -> anyhow::Result<Running> {
    let state = tempfile::tempdir_in(herd.folder())?.keep();
    let child = Command::new(env!("CARGO_BIN_EXE_vrmd"))
        .args(["--host", &format!("herd={}", herd.uri()), "--metrics", "off"])
        .arg("--listen")
        .arg(format!("unix:{}", state.join("vrmd.sock").display()))
        .arg("--state-dir")
        .arg(state.join("state"))
        .env("MALLOC_ARENA_MAX", "4")
        .stderr(std::fs::File::create(state.join("stderr"))?)
        .spawn()?;
    Ok(Running(child))
}

fn collectd(herd: &Herd) -> anyhow::Result<Running> {
    let folder = tempfile::tempdir_in(herd.folder())?.keep();
    let config = folder.join("collectd.conf");
    let text = format!(
        "BaseDir \"{0}\"\nPIDFile \"{0}/pid\"\nInterval 10\nLoadPlugin virt\nLoadPlugin csv\n\
         <Plugin csv>\n DataDir \"{0}/csv\"\n</Plugin>\n<Plugin virt>\n Connection \"{1}\"\n RefreshInterval 60\n\
         HostnameFormat name\n</Plugin>\n",
        folder.display(),
        herd.uri()
    );
    std::fs::write(&config, text)?;
    let child = Command::new("/usr/sbin/collectd")
        .arg("-f")
        .arg("-C")
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(folder.join("stderr"))?)
        .spawn()
        .context("collectd: apt install collectd-core")?;
    Ok(Running(child))
}

fn exporter_turn(herd: &Herd, rounds: u32) -> anyhow::Result<Turn> {
    let child = Command::new("/usr/bin/prometheus-libvirt-exporter")
        .arg(format!("--libvirt.uri={}", herd.uri()))
        .arg(format!("--web.listen-address={EXPORTER}"))
        .stderr(Stdio::null())
        .spawn()
        .context("exporter: apt install prometheus-libvirt-exporter")?;
    let running = Running(child);
    std::thread::sleep(Duration::from_secs(1));
    let lines = scrape()?;
    anyhow::ensure!(lines > 100, "a scrape gave {lines} lines");
    let (own, libvirtd) = (cpu_time(running.0.id()), cpu_time(herd.libvirtd()));
    let mut wall = Duration::ZERO;
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_secs(1));
        let begun = Instant::now();
        scrape()?;
        wall += begun.elapsed();
    }
    Ok(Turn {
        rounds,
        own: cpu_time(running.0.id()).saturating_sub(own),
        libvirtd: cpu_time(herd.libvirtd()).saturating_sub(libvirtd),
        wall: Some(wall),
    })
}

/// One scrape; the number of lines it gave.
fn scrape() -> anyhow::Result<usize> {
    let mut stream = TcpStream::connect(EXPORTER)?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text.lines().count())
}
