//! Which files are read, in which order, and what the command line overrides.

use super::error::SettingsError;
use super::fragment::{Fragment, HostTable};
use super::hosts::{HostSetting, merged, parse_host_argument};
use super::profile::parse_profile;
use super::validated::{Settings, Validation, parse_listener, parse_metrics};
use std::path::{Path, PathBuf};

/// Default main file; drop-ins lie beside it in `vrm.d/` and `hosts.d/`.
const MAIN_FILE: &str = "/etc/vrm/vrm.toml";

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Main file; given and missing is an error.
    pub config: Option<PathBuf>,
    /// `[ID=]URI`, repeatable.
    pub hosts: Vec<String>,
    /// `unix:PATH` or `ADDRESS:PORT`, repeatable; replaces those of the files.
    pub listen: Vec<String>,
    /// State directory.
    pub state_dir: Option<PathBuf>,
    /// Profile.
    pub profile: Option<String>,
    /// Metrics page.
    pub metrics: Option<String>,
    /// Name of this machine, default for ids.
    pub local_name: String,
}

/// Reads files and command line into settings.
///
/// # Errors
/// [`SettingsError`] naming file, key and reason.
pub fn load(inputs: &Inputs) -> Result<Settings, SettingsError> {
    let main = inputs.config.clone().unwrap_or_else(|| MAIN_FILE.into());
    // With hosts on the command line and no file named, the machine's own files stay out of it.
    let read_files = inputs.config.is_some() || inputs.hosts.is_empty();
    let mut table = toml::Table::new();
    let mut hosts = Vec::new();
    let mut place = "default settings".to_owned();
    if read_files {
        if main.exists() || inputs.config.is_some() {
            place = main.display().to_string();
            merge(&mut table, read(&main)?);
        }
        let directory = main.parent().unwrap_or(Path::new("."));
        for file in toml_files(&directory.join("vrm.d"))? {
            merge(&mut table, read(&file)?);
            place = format!("{place}, {}", file.display());
        }
        for file in toml_files(&directory.join("hosts.d"))? {
            let host: HostTable = read(&file)?.try_into().map_err(|error| syntax(&file, &error))?;
            hosts.push(HostSetting::from_table(host, &file.display().to_string(), &inputs.local_name)?);
        }
    }
    let fragment: Fragment =
        table.try_into().map_err(|error| SettingsError::Syntax { path: main.clone(), reason: error_text(&error) })?;
    finish(inputs, fragment, hosts, &place)
}

fn finish(
    inputs: &Inputs,
    mut fragment: Fragment,
    mut hosts: Vec<HostSetting>,
    place: &str,
) -> Result<Settings, SettingsError> {
    for host in std::mem::take(&mut fragment.host) {
        hosts.push(HostSetting::from_table(host, place, &inputs.local_name)?);
    }
    for argument in &inputs.hosts {
        hosts.push(parse_host_argument(argument, &inputs.local_name)?);
    }
    let validation = Validation { place, local_name: &inputs.local_name };
    let mut settings = validation.settings(fragment, merged(hosts)?)?;
    let invalid = |key: &str| {
        let key = key.to_owned();
        move |reason| SettingsError::Invalid { place: "command line".into(), key, reason }
    };
    if !inputs.listen.is_empty() {
        let listeners: Result<Vec<_>, String> = inputs.listen.iter().map(|text| parse_listener(text)).collect();
        settings.listeners = listeners.map_err(invalid("--listen"))?;
    }
    if let Some(profile) = &inputs.profile {
        settings.profile = parse_profile(profile).map_err(invalid("--profile"))?;
    }
    if inputs.metrics.is_some() {
        settings.metrics = parse_metrics(inputs.metrics.as_deref()).map_err(invalid("--metrics"))?;
    }
    if let Some(directory) = &inputs.state_dir {
        settings.state_directory.clone_from(directory);
    }
    Ok(settings)
}

fn read(path: &Path) -> Result<toml::Table, SettingsError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| SettingsError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    text.parse::<toml::Table>().map_err(|error| syntax(path, &error))
}

fn syntax(path: &Path, error: &toml::de::Error) -> SettingsError {
    SettingsError::Syntax { path: path.to_owned(), reason: error_text(error) }
}

fn error_text(error: &toml::de::Error) -> String {
    error.to_string().trim_end().to_owned()
}

/// The `.toml` files of a directory by name; none if there is no such directory.
fn toml_files(directory: &Path) -> Result<Vec<PathBuf>, SettingsError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(SettingsError::Unreadable { path: directory.to_owned(), reason: error.to_string() });
        }
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    Ok(files)
}

/// Later tables over earlier ones, key by key; arrays are joined.
fn merge(base: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            (Some(toml::Value::Array(below)), toml::Value::Array(above)) => below.extend(above),
            (_, value) => drop(base.insert(key, value)),
        }
    }
}
