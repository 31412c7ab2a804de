//! The real daemon as a child process, with a state directory, socket and log of its own.

use super::client::TestClient;
use super::waiting::{PATIENCE, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A `vrmd`; ended when dropped.
pub struct TestDaemon {
    directory: tempfile::TempDir,
    state: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

/// How a daemon ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit status.
    pub status: ExitStatus,
    /// How long it took.
    pub took: Duration,
}

impl TestDaemon {
    /// A daemon that is not started yet, watching these hosts (`ID=URI` or `URI`).
    pub fn with_hosts(hosts: &[&str]) -> Self {
        let mut daemon = Self::bare();
        for host in hosts {
            daemon.arguments.extend(["--host".to_owned(), (*host).to_owned()]);
        }
        daemon
    }

    /// A daemon that is not started yet and reads `vrm.toml`, `vrm.d` and `hosts.d` of [`Self::directory`].
    pub fn with_settings(main: &str) -> Self {
        let mut daemon = Self::bare();
        let file = daemon.directory().join("vrm.toml");
        std::fs::create_dir_all(daemon.directory().join("hosts.d")).expect("a folder");
        std::fs::write(&file, main).expect("written");
        daemon.arguments.extend(["--config".to_owned(), file.display().to_string()]);
        daemon
    }

    fn bare() -> Self {
        let directory = tempfile::Builder::new().prefix("vrmd").tempdir().expect("a folder");
        let state = directory.path().join("state");
        Self { directory, state, arguments: Vec::new(), environment: Vec::new(), child: None }
    }

    /// Keeps its state elsewhere.
    pub fn state_at(mut self, state: &Path) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// With a further argument.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With a variable in its environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Started and ready.
    pub async fn started(mut self) -> Self {
        self.start().await;
        self
    }

    /// Writes a file of `hosts.d`.
    pub fn host_file(&self, id: &str, text: &str) {
        std::fs::write(self.directory().join(format!("hosts.d/{id}.toml")), text).expect("written");
    }

    /// Removes a file of `hosts.d`.
    pub fn no_host_file(&self, id: &str) {
        std::fs::remove_file(self.directory().join(format!("hosts.d/{id}.toml"))).expect("removed");
    }

    /// Where socket, log and settings lie.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The state directory.
    pub fn state_directory(&self) -> &Path {
        &self.state
    }

    /// The listening socket.
    pub fn socket(&self) -> PathBuf {
        self.directory().join("vrmd.sock")
    }

    /// What it has said so far, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory().join("log")).unwrap_or_default()
    }

    /// Process id of the running daemon.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the daemon runs").id()
    }

    /// Starts the process without waiting for anything.
    pub fn spawn(&mut self) {
        self.spawn_with(&[]);
    }

    /// The same with arguments for this life only.
    pub fn spawn_with(&mut self, arguments: &[&str]) {
        assert!(self.child.is_none(), "the daemon runs already");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.directory().join("log"))
            .expect("the log can be written");
        let mut command = self.command();
        command.args(arguments).stderr(log);
        self.child = Some(command.spawn().expect("vrmd starts"));
    }

    /// The command line, e.g. to start a second instance.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vrmd"));
        command
            .args(&self.arguments)
            .arg("--listen")
            .arg(format!("unix:{}", self.socket().display()))
            .arg("--state-dir")
            .arg(&self.state)
            .args(["--metrics", "off"])
            .env_remove("NOTIFY_SOCKET")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Starts the process and waits until it says that it serves.
    pub async fn start(&mut self) {
        self.spawn();
        self.ready().await;
    }

    /// Waits until it says that it serves.
    pub async fn ready(&mut self) {
        wait_for("the daemon is ready", PATIENCE, async || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().expect("our child")) {
                assert!(status.success(), "vrmd ended as {status}:\n{}", self.log());
            }
            let mut client = TestClient::connect(&self.socket()).await.ok()?;
            client.serves("").await.then_some(())
        })
        .await;
    }

    /// A new client on a connection of its own.
    pub async fn client(&self) -> TestClient {
        TestClient::connect(&self.socket()).await.expect("the daemon accepts")
    }

    /// Asks the simulator's control socket.
    pub fn simulate(&self, request: &serde_json::Value) {
        let mut stream = UnixStream::connect(self.state.join("sim.sock")).expect("the control socket");
        writeln!(stream, "{request}").expect("sent");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).expect("answered");
        assert!(answer.contains("\"ok\":true"), "{request}: {answer}");
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, signal).expect("the daemon runs");
    }

    /// `kill -9`, and waits until the process is gone.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("the daemon runs");
        child.kill().expect("killed");
        child.wait().expect("our child");
    }

    /// Ends it with SIGTERM.
    pub async fn stop(&mut self) -> Ended {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Ended {
        let asked = Instant::now();
        let mut child = self.child.take().expect("the daemon runs");
        let (status, _) = wait_for("the daemon ends", PATIENCE, async || child.try_wait().expect("our child")).await;
        Ended { status, took: asked.elapsed() }
    }
}

impl Drop for TestDaemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- vrmd said ---\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
    }
}

/// Entries of a folder of a process: `task` for its threads, `fd` for its descriptors.
pub fn count(pid: u32, folder: &str) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/{folder}")).map_or(0, Iterator::count)
}

/// A number of `/proc/PID/status`, e.g. `VmRSS` in kB.
pub fn proc_status(pid: u32, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
