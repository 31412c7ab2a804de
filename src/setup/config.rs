//! `config check` and `config diff`: settings files before the daemon takes them.
//!
//! The check is the daemon's own (`vrmd --check`), so that it can never disagree with it. The difference is
//! about hosts, the part that a reload changes in the inventory; other settings are not told by the daemon.

use crate::client::v1;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, ExitStatus};

/// Runs the daemon's own check; it prints what it finds.
///
/// # Errors
/// The program cannot be started.
pub fn check(vrmd: &Path, file: &Path) -> std::io::Result<ExitStatus> {
    Command::new(vrmd).arg("--check").arg("--config").arg(file).status()
}

/// A host of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileHost {
    uris: BTreeSet<String>,
    labels: BTreeMap<String, String>,
    place: String,
}

/// What a reload would do to the hosts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigDifference {
    /// Lines for people: `+` added, `-` removed, `~` changed.
    pub lines: Vec<String>,
    /// What a person should know besides.
    pub warnings: Vec<String>,
}

/// Compares settings files with the hosts that a running daemon has.
///
/// # Errors
/// A text for people: a file that cannot be read or understood, a host named twice.
pub fn diff(file: &Path, running: &[v1::Host]) -> Result<ConfigDifference, String> {
    let (hosts, guard) = read_hosts(file)?;
    let by_file: BTreeMap<&str, &v1::Host> = running
        .iter()
        .filter(|host| host.origin() == v1::HostOrigin::File)
        .map(|host| (host.name.trim_start_matches("hosts/"), host))
        .collect();
    let by_api: BTreeSet<&str> = running
        .iter()
        .filter(|host| host.origin() == v1::HostOrigin::Api)
        .map(|host| host.name.trim_start_matches("hosts/"))
        .collect();
    let mut difference = ConfigDifference::default();
    for (id, host) in &hosts {
        match by_file.get(id.as_str()) {
            // An address may stand for several hosts (simulators).
            None if by_file.values().any(|known| addresses(known) == host.uris) => {}
            None => difference.lines.push(format!("+ host/{id}  {}  ({})", joined(&host.uris), host.place)),
            Some(known) => difference.lines.extend(changes(id, host, known)),
        }
        if by_api.contains(id.as_str()) {
            difference.warnings.push(format!("host/{id} is registered through the API too: the file wins"));
        }
    }
    let is_kept =
        |id: &str, known: &v1::Host| hosts.contains_key(id) || hosts.values().any(|host| host.uris == addresses(known));
    let removed: Vec<&&str> = by_file.iter().filter(|(id, known)| !is_kept(id, known)).map(|(id, _)| id).collect();
    difference.lines.extend(removed.iter().map(|id| format!("- host/{id}")));
    difference.warnings.extend(guard_warning(removed.len(), by_file.len(), guard));
    Ok(difference)
}

fn addresses(host: &v1::Host) -> BTreeSet<String> {
    host.connection_uris.iter().cloned().collect()
}

fn joined(words: &BTreeSet<String>) -> String {
    words.iter().cloned().collect::<Vec<_>>().join(" ")
}

fn changes(id: &str, host: &FileHost, known: &v1::Host) -> Vec<String> {
    let mut lines = Vec::new();
    let known_uris = addresses(known);
    if !known_uris.is_empty() && known_uris != host.uris {
        lines.push(format!("~ host/{id}  address: {} → {}", joined(&known_uris), joined(&host.uris)));
    }
    let keys: BTreeSet<&String> = known.source_labels.keys().chain(host.labels.keys()).collect();
    for key in keys {
        let (before, after) = (known.source_labels.get(key), host.labels.get(key));
        if before != after {
            let shown = |value: Option<&String>| value.map_or("(none)".to_owned(), Clone::clone);
            lines.push(format!("~ host/{id}  label {key}: {} → {}", shown(before), shown(after)));
        }
    }
    lines
}

fn guard_warning(removed: usize, total: usize, guard: f64) -> Option<String> {
    let (count, all) = (u32::try_from(removed).unwrap_or(u32::MAX), u32::try_from(total).unwrap_or(u32::MAX));
    let is_refused = removed > 1 && f64::from(count) > f64::from(all) * guard;
    is_refused.then(|| {
        format!("REMOVAL_GUARD: removing {removed} of {total} hosts at once is refused; vrmd --allow-removals, or removal_guard in the settings")
    })
}

/// Hosts of the settings, and the removal guard.
#[cfg(feature = "daemon")]
fn read_hosts(file: &Path) -> Result<(BTreeMap<String, FileHost>, f64), String> {
    let inputs = crate::settings::Inputs {
        config: Some(file.to_path_buf()),
        local_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        ..crate::settings::Inputs::default()
    };
    let settings = crate::settings::load(&inputs).map_err(|error| error.to_string())?;
    let hosts = settings.hosts.into_iter().map(|host| {
        let uris = host.uris.into_iter().collect();
        (host.id, FileHost { uris, labels: host.labels, place: host.place })
    });
    Ok((hosts.collect(), settings.removal_guard))
}

/// Settings are only understood by a build with the daemon in it.
#[cfg(not(feature = "daemon"))]
fn read_hosts(file: &Path) -> Result<(BTreeMap<String, FileHost>, f64), String> {
    Err(format!("{}: this vrmctl was built without the daemon's settings; use that of the package", file.display()))
}

#[cfg(all(test, feature = "daemon"))]
mod tests {
    use super::*;

    fn running(id: &str, uri: &str) -> v1::Host {
        v1::Host {
            name: format!("hosts/{id}"),
            connection_uris: vec![uri.to_owned()],
            origin: v1::HostOrigin::File.into(),
            ..v1::Host::default()
        }
    }

    fn files(hosts: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(directory.path().join("hosts.d")).expect("writable");
        std::fs::write(directory.path().join("vrm.toml"), "[vrm]\n").expect("writable");
        for (name, text) in hosts {
            std::fs::write(directory.path().join("hosts.d").join(name), text).expect("writable");
        }
        directory
    }

    #[test]
    fn added_removed_and_changed_hosts_are_told() {
        let directory = files(&[
            ("a.toml", "uri = \"qemu+ssh://vrm@a.dc1/system\"\nlabels = { rack = \"r1\" }\n"),
            ("c.toml", "id = \"c\"\nuri = \"qemu:///system\"\n"),
        ]);
        let hosts = [running("a", "qemu+ssh://vrm@a.dc1/system"), running("b", "vrm://b")];
        let found = diff(&directory.path().join("vrm.toml"), &hosts).expect("readable");
        assert_eq!(found.lines.len(), 3, "{:?}", found.lines);
        assert_eq!(found.lines[0], "~ host/a  label rack: (none) → r1");
        assert!(found.lines[1].starts_with("+ host/c  qemu:///system"));
        assert_eq!(found.lines[2], "- host/b");
        assert!(found.warnings.is_empty());
    }

    #[test]
    fn the_removal_guard_is_announced() {
        let directory = files(&[]);
        let hosts: Vec<v1::Host> = (0..5).map(|n| running(&format!("h{n}"), "vrm://x")).collect();
        let found = diff(&directory.path().join("vrm.toml"), &hosts).expect("readable");
        assert!(found.warnings[0].starts_with("REMOVAL_GUARD"));
    }

    #[test]
    fn files_that_the_daemon_would_refuse_are_not_compared() {
        let directory = files(&[("a.toml", "url = \"vrm://a\"\n")]);
        assert!(diff(&directory.path().join("vrm.toml"), &[]).expect_err("unknown key").contains("url"));
    }
}
