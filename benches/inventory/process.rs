//! What /proc tells of a process and of the machine.

use anyhow::Context;
use std::fs;
use std::time::{Duration, Instant};

/// Kernel ticks a second: fixed in the interface to user space.
const TICKS: f64 = 100.0;

/// A process that is watched.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

/// CPU time of a process at a moment.
#[derive(Clone, Copy, Debug)]
pub struct CpuReading {
    seconds: f64,
    at: Instant,
}

impl CpuReading {
    /// Cores used between an earlier reading and this one.
    pub fn cores_since(self, earlier: Self) -> f64 {
        (self.seconds - earlier.seconds) / (self.at - earlier.at).as_secs_f64()
    }

    /// CPU seconds since the process began.
    pub fn seconds(self) -> f64 {
        self.seconds
    }
}

impl Process {
    /// A field of `status` in kibibytes, as mebibytes.
    fn memory(self, field: &str) -> anyhow::Result<f64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("a kernel that tells it")?;
        let kibibytes: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").trim().parse()?;
        Ok(kibibytes / 1_024.0)
    }

    /// Resident memory in MiB.
    ///
    /// # Errors
    /// The process is gone.
    pub fn resident(self) -> anyhow::Result<f64> {
        self.memory("VmRSS")
    }

    /// Highest resident memory so far, in MiB.
    ///
    /// # Errors
    /// The process is gone.
    pub fn peak(self) -> anyhow::Result<f64> {
        self.memory("VmHWM")
    }

    /// Its CPU time.
    ///
    /// # Errors
    /// The process is gone.
    pub fn cpu(self) -> anyhow::Result<CpuReading> {
        let stat = self.read("stat")?;
        // The name in parentheses may hold blanks; utime and stime are the 14th and 15th field.
        let (_, rest) = stat.rsplit_once(')').context("a stat line")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        let (user, system) = ticks(11).zip(ticks(12)).context("utime and stime")?;
        Ok(CpuReading { seconds: (user + system) / TICKS, at: Instant::now() })
    }

    /// Threads and file descriptors.
    ///
    /// # Errors
    /// The process is gone.
    pub fn threads_and_files(self) -> anyhow::Result<(usize, usize)> {
        let count = |folder: &str| Ok::<_, std::io::Error>(fs::read_dir(format!("/proc/{}/{folder}", self.0))?.count());
        Ok((count("task")?, count("fd")?))
    }

    /// Cores used over a time to come.
    ///
    /// # Errors
    /// The process is gone.
    pub async fn cores_over(self, time: Duration) -> anyhow::Result<f64> {
        let before = self.cpu()?;
        tokio::time::sleep(time).await;
        Ok(self.cpu()?.cores_since(before))
    }

    fn read(self, file: &str) -> anyhow::Result<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.0)).context("the daemon runs")
    }
}

/// Load averages.
pub fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

/// Prints what the figures depend on.
pub fn print_machine_facts() {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let libvirt = virt::connect::Connect::version().map_or_else(|error| error.to_string(), |number| number.to_string());
    println!("date     {}", jiff::Timestamp::now());
    println!("machine  {cores} cores, {model}");
    println!("kernel   {}", kernel.trim());
    println!("libvirt  {libvirt}");
    println!("load     {}", load());
}
