//! The script `lab` as a value: hosts are up while it lives.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// One lab in a directory of its own; taken down when dropped.
#[derive(Debug)]
pub struct Lab {
    dir: PathBuf,
}

impl Lab {
    /// One host `one` with `qemu:///system` and `lxc:///system`; `None`, with the reason printed, where this cannot be.
    pub fn one(name: &str) -> Option<Self> {
        Self::up("one", name)
    }

    /// Two hosts `kvm-a` and `kvm-b` on TCP.
    pub fn cluster(name: &str) -> Option<Self> {
        Self::up("cluster", name)
    }

    fn up(kind: &str, name: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: lab hosts need root, for namespaces and cgroups");
            return None;
        }
        // A fixed directory, so that the ruins of a run that was killed are found and removed.
        let lab = Self { dir: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name) };
        lab.down();
        lab.expect("up", &[kind, &lab.dir.to_string_lossy()]);
        Some(lab)
    }

    /// Where the hosts keep their files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs `lab VERB DIR ARGS…`; its standard output when it succeeds.
    pub fn run(&self, verb: &str, args: &[&str]) -> String {
        let dir = self.dir.to_string_lossy();
        self.expect(verb, &[&[dir.as_ref()], args].concat())
    }

    /// Runs `virsh ARGS…` on `host`, or on the LXC driver of `HOST/lxc`.
    pub fn virsh(&self, host: &str, args: &[&str]) -> String {
        self.run("virsh", &[&[host], args].concat())
    }

    /// Every endpoint, as (host, URI).
    pub fn uris(&self) -> Vec<(String, String)> {
        let pair = |line: &str| line.split_once(' ').map(|(host, uri)| (host.to_owned(), uri.to_owned()));
        self.run("uris", &[]).lines().filter_map(pair).collect()
    }

    /// Ends all hosts; may be repeated.
    pub fn down(&self) {
        self.expect("down", &[&self.dir.to_string_lossy()]);
    }

    fn expect(&self, verb: &str, args: &[&str]) -> String {
        let output = self.call(verb, args);
        assert!(output.status.success(), "lab {verb} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Names and subnet of its own: a developer's `./dev lab up cluster` may be up at the same time.
    fn call(&self, verb: &str, args: &[&str]) -> Output {
        Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab"))
            .env("LAB_PREFIX", "vrmtest")
            .env("LAB_SUBNET", "10.99.1")
            .arg(verb)
            .args(args)
            .output()
            .expect("the lab script starts")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.call("down", &[&self.dir.to_string_lossy()]);
    }
}
