//! A `vrmd` of its own for each measurement, and what is asked of it again and again.

use super::process::Process;
use anyhow::{Context, bail};
use prost::Message as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use vrm::client::{Client, Endpoint};
use vrm::wire::v1;

/// What must happen happens within two minutes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
    started: Instant,
    /// Program that it is started with.
    entrance: Vec<String>,
}

/// All machines, listed page by page.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// How long it took.
    pub took: Duration,
    /// Machines listed.
    pub machines: usize,
    /// Bytes of the answers.
    pub bytes: usize,
    /// Pages.
    pub pages: usize,
}

impl Daemon {
    /// Starts a daemon with these settings (TOML) in an empty directory on the disk of the build.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(settings: &str) -> anyhow::Result<Self> {
        Self::start_in(settings, &[])
    }

    /// The same by way of a program that changes into another host's namespaces: its command line, to which that of
    /// the daemon is added.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_in(settings: &str, entrance: &[String]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let config = folder.path().join("vrm.toml");
        std::fs::write(&config, format!("{settings}\n[log]\nlevel = \"warn\"\n"))?;
        let started = Instant::now();
        Ok(Self { child: spawn(folder.path(), entrance)?, folder, started, entrance: entrance.to_vec() })
    }

    /// Ends it with `kill -9` and starts it again on what it left.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn kill_and_restart(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.started = Instant::now();
        self.child = spawn(self.folder.path(), &self.entrance)?;
        Ok(())
    }

    /// Waits until it says that it is ready; the time since it was started.
    ///
    /// # Errors
    /// It does not come to that in time.
    pub async fn ready(&self) -> anyhow::Result<Duration> {
        loop {
            if self.connect().await?.is_serving("").await.unwrap_or(false) {
                return Ok(self.age());
            }
            anyhow::ensure!(self.age() < PATIENCE, "not ready\n{}", self.complaints());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The process.
    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Time since it was started.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// What it said on standard error.
    pub fn complaints(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// It does not come up in time.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        let endpoint = Endpoint::Unix(socket(self.folder.path()));
        loop {
            match Client::connect(&endpoint.clone().into()).await {
                Ok(client) => return Ok(client),
                Err(error) if self.age() > PATIENCE => bail!("{error}\n{}", self.complaints()),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Waits until `hosts` hosts are connected and read, and so many machines are listed.
    ///
    /// # Errors
    /// It does not come to that in time.
    pub async fn full_inventory(&self, client: &Client, hosts: u32, machines: i32) -> anyhow::Result<Duration> {
        let asked = Instant::now();
        loop {
            let connected = client.server_info().await?.hosts.unwrap_or_default().connected;
            if connected >= hosts && count_machines(client).await? >= machines {
                return Ok(self.age());
            }
            if asked.elapsed() > PATIENCE {
                bail!("{connected} hosts connected after {:?}\n{}", self.age(), self.complaints());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Bytes of its store.
    pub fn store_bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.folder.path().join("state")).into_iter().flatten().flatten();
        let database = files.filter(|file| file.file_name().to_string_lossy().starts_with("journal.db"));
        database.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
    }

    /// A conversation with its simulator.
    ///
    /// # Errors
    /// There is none.
    pub async fn simulator(&self) -> anyhow::Result<Simulator> {
        let stream = UnixStream::connect(self.folder.path().join("state/sim.sock")).await?;
        Ok(Simulator(BufReader::new(stream)))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Nothing of it is kept, so it need not end in order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, entrance: &[String]) -> anyhow::Result<Child> {
    let complaints = std::fs::File::options().create(true).append(true).open(folder.join("stderr"))?;
    let mut command = match entrance {
        [] => Command::new(env!("CARGO_BIN_EXE_vrmd")),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(env!("CARGO_BIN_EXE_vrmd"));
            command
        }
    };
    let child = command
        .arg("--config")
        .arg(folder.join("vrm.toml"))
        .arg("--state-dir")
        .arg(folder.join("state"))
        .arg("--listen")
        .arg(format!("unix:{}", socket(folder).display()))
        .args(["--metrics", "off"])
        // As the systemd unit sets it.
        .env("MALLOC_ARENA_MAX", "4")
        .stdin(Stdio::null())
        .stderr(complaints)
        .spawn()?;
    Ok(child)
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("s")
}

async fn count_machines(client: &Client) -> anyhow::Result<i32> {
    let request = v1::ListVirtualMachinesRequest { page_size: 1, ..Default::default() };
    Ok(client.inventory().list_virtual_machines(request).await?.into_inner().total_size)
}

/// Lists all machines in pages of 1,000.
///
/// # Errors
/// A call fails.
pub async fn list_all(client: &Client, view: v1::View) -> anyhow::Result<Listing> {
    let mut inventory = client.inventory();
    let begun = Instant::now();
    let mut listing = Listing { took: Duration::ZERO, machines: 0, bytes: 0, pages: 0 };
    let mut page_token = String::new();
    loop {
        let request =
            v1::ListVirtualMachinesRequest { page_size: 1_000, page_token, view: view.into(), ..Default::default() };
        let page = inventory.list_virtual_machines(request).await?.into_inner();
        listing.machines += page.virtual_machines.len();
        listing.bytes += page.encoded_len();
        listing.pages += 1;
        if page.next_page_token.is_empty() {
            return Ok(Listing { took: begun.elapsed(), ..listing });
        }
        page_token = page.next_page_token;
    }
}

/// The simulator's control socket.
#[derive(Debug)]
pub struct Simulator(BufReader<UnixStream>);

impl Simulator {
    /// Makes a request; answers whether it was accepted, with the answer.
    ///
    /// # Errors
    /// The conversation ended.
    pub async fn ask(&mut self, request: &serde_json::Value) -> anyhow::Result<(bool, serde_json::Value)> {
        self.0.write_all(format!("{request}\n").as_bytes()).await?;
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        let answer: serde_json::Value = serde_json::from_str(&line).context("an answer")?;
        Ok((answer["ok"] == true, answer))
    }
}

/// Settings of one host.
pub fn host(id: &str, uri: &str) -> String {
    format!("[[host]]\nid = \"{id}\"\nuri = \"{uri}\"\n")
}
