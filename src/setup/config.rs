//! `config check` and `config diff`: settings files before the daemon takes them.
//!
//! The check is the daemon's own (`vrmd --check`), so that it can never disagree with it. The difference is
//! about hosts, the part that a reload changes in the inventory; other settings are not told by the daemon.

use crate::wire::v1;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// Share of the hosts that a reload may remove unless the settings say otherwise.
const REMOVAL_GUARD: f64 = 0.1;

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
    place: PathBuf,
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
            None => difference.lines.push(format!("+ host/{id}  {}  ({})", joined(&host.uris), host.place.display())),
            Some(known) => difference.lines.extend(changes(id, host, known)),
        }
        if by_api.contains(id.as_str()) {
            difference.warnings.push(format!("host/{id} is registered through the API too: the file wins"));
        }
    }
    let removed: Vec<&&str> = by_file.keys().filter(|id| !hosts.contains_key(**id)).collect();
    difference.lines.extend(removed.iter().map(|id| format!("- host/{id}")));
    difference.warnings.extend(guard_warning(removed.len(), by_file.len(), guard));
    Ok(difference)
}

fn joined(words: &BTreeSet<String>) -> String {
    words.iter().cloned().collect::<Vec<_>>().join(" ")
}

fn changes(id: &str, host: &FileHost, known: &v1::Host) -> Vec<String> {
    let mut lines = Vec::new();
    let known_uris: BTreeSet<String> = known.connection_uris.iter().cloned().collect();
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

/// Hosts of the file, of `vrm.d` and of `hosts.d` beside it, and the removal guard.
fn read_hosts(file: &Path) -> Result<(BTreeMap<String, FileHost>, f64), String> {
    let mut hosts = BTreeMap::new();
    let mut guard = REMOVAL_GUARD;
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut main_files = vec![file.to_path_buf()];
    main_files.extend(toml_files(&directory.join("vrm.d"))?);
    for path in main_files {
        let table = read_toml(&path)?;
        if let Some(told) = table.get("vrm").and_then(|vrm| vrm.get("removal_guard")).and_then(toml::Value::as_float) {
            guard = told;
        }
        let listed =
            ["host", "hosts"].iter().filter_map(|key| table.get(*key)).filter_map(toml::Value::as_array).flatten();
        for entry in listed {
            add_host(&mut hosts, entry, &path)?;
        }
    }
    for path in toml_files(&directory.join("hosts.d"))? {
        add_host(&mut hosts, &toml::Value::Table(read_toml(&path)?), &path)?;
    }
    Ok((hosts, guard))
}

fn toml_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", directory.display())),
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    Ok(paths)
}

fn read_toml(path: &Path) -> Result<toml::Table, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.parse().map_err(|error| format!("{}: {error}", path.display()))
}

fn add_host(hosts: &mut BTreeMap<String, FileHost>, entry: &toml::Value, path: &Path) -> Result<(), String> {
    let text = |value: &toml::Value| value.as_str().map(str::to_owned);
    let uris: BTreeSet<String> = match entry.get("uri").or_else(|| entry.get("uris")) {
        Some(toml::Value::String(uri)) => [uri.clone()].into(),
        Some(toml::Value::Array(uris)) => uris.iter().filter_map(text).collect(),
        _ => return Err(format!("{}: uri is missing", path.display())),
    };
    let named = entry.get("id").or_else(|| entry.get("name")).and_then(text);
    let id = named.or_else(|| uris.iter().find_map(|uri| host_of_uri(uri)));
    let id = id.ok_or_else(|| format!("{}: give the host an id", path.display()))?;
    let labels = entry.get("labels").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let labels = labels.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect();
    let host = FileHost { uris, labels, place: path.to_path_buf() };
    match hosts.insert(id.clone(), host) {
        None => Ok(()),
        Some(earlier) => Err(format!("host {id} stands in {} and in {}", earlier.place.display(), path.display())),
    }
}

/// First label of the host name of an address, in lower case; this machine's for local ones.
fn host_of_uri(uri: &str) -> Option<String> {
    let rest = uri.split_once("://")?.1;
    let authority = rest.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split(':').next()?;
    let name = if host.is_empty() {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    } else {
        host.to_owned()
    };
    name.split('.').next().map(str::to_ascii_lowercase).filter(|label| !label.is_empty())
}

#[cfg(test)]
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
            ("c.toml", "id = \"c\"\nuri = [\"qemu:///system\"]\n"),
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
    fn a_host_in_two_files_is_an_error() {
        let directory = files(&[("a.toml", "id = \"a\"\nuri = \"vrm://a\"\n"), ("b.toml", "uri = \"vrm://a.dc2\"\n")]);
        assert!(diff(&directory.path().join("vrm.toml"), &[]).expect_err("twice").contains("host a stands in"));
    }
}
