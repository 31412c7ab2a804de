//! Hosts as settings name them: id, addresses, credential, labels.

use super::error::SettingsError;
use super::fragment::HostTable;
use super::profile::{Profile, parse_profile};
use std::collections::BTreeMap;

/// What is kept of a host for the host itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReserveSetting {
    /// Logical CPUs.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// One host of the settings. Addresses are checked further when they are opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSetting {
    /// The operator's name for it.
    pub id: String,
    /// One address per technology.
    pub uris: Vec<String>,
    /// Name of a credential table, empty for none.
    pub credential: String,
    /// Narrower profile, if any.
    pub profile: Option<Profile>,
    /// Permits plain TCP.
    pub allow_insecure: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// What machines may not have.
    pub reserve: ReserveSetting,
    /// File or `command line`.
    pub place: String,
}

impl HostSetting {
    pub(super) fn from_table(table: HostTable, place: &str, local_name: &str) -> Result<Self, SettingsError> {
        let invalid =
            |key: &str, reason: String| SettingsError::Invalid { place: place.to_owned(), key: key.to_owned(), reason };
        let mut uris = table.uris;
        uris.extend(table.uri);
        let Some(first) = uris.first() else {
            return Err(invalid("uri", "is missing".into()));
        };
        let id = match table.id {
            Some(id) => checked_id(&id).map_err(|reason| invalid("id", reason))?,
            None => default_id(first, local_name).map_err(|reason| invalid("id", reason))?,
        };
        let profile =
            table.profile.map(|text| parse_profile(&text).map_err(|reason| invalid("profile", reason))).transpose()?;
        let memory = table.reserve.memory.as_deref().map(parse_size).transpose();
        let memory_bytes = memory.map_err(|reason| invalid("reserve.memory", reason))?.unwrap_or_default();
        Ok(Self {
            id,
            uris,
            credential: table.credential.unwrap_or_default(),
            profile,
            allow_insecure: table.allow_insecure,
            labels: table.labels,
            reserve: ReserveSetting { cpus: table.reserve.cpus, memory_bytes },
            place: place.to_owned(),
        })
    }
}

/// Reads `[ID=]URI`. An `=` counts only before the address' scheme, since queries hold some too.
///
/// # Errors
/// [`SettingsError::Invalid`] if id or address cannot be used, or no id follows from the address.
pub fn parse_host_argument(argument: &str, local_name: &str) -> Result<HostSetting, SettingsError> {
    let scheme = argument.find("://").unwrap_or(argument.len());
    let (id, uri) = match argument.find('=').filter(|at| *at < scheme) {
        Some(at) => (Some(argument[..at].to_owned()), argument[at + 1..].to_owned()),
        None => (None, argument.to_owned()),
    };
    let table = HostTable { id, uri: Some(uri), ..HostTable::default() };
    HostSetting::from_table(table, "command line (--host)", local_name)
}

/// Same hosts merged: several addresses of one id are technologies of one host.
pub(super) fn merged(hosts: Vec<HostSetting>) -> Result<Vec<HostSetting>, SettingsError> {
    let mut by_id: BTreeMap<String, HostSetting> = BTreeMap::new();
    for host in hosts {
        match by_id.get_mut(&host.id) {
            None => drop(by_id.insert(host.id.clone(), host)),
            // The command line names one address at a time; two files with one id are a mistake.
            Some(known) if known.place == host.place && host.place.starts_with("command line") => {
                known.uris.extend(host.uris);
            }
            Some(known) => {
                return Err(SettingsError::Invalid {
                    place: host.place,
                    key: "id".into(),
                    reason: format!("host {} is also defined in {}", host.id, known.place),
                });
            }
        }
    }
    Ok(by_id.into_values().collect())
}

/// Reads `8GiB`, `512MiB` or `1TiB`.
fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len()));
    let factor: Option<u64> = match unit.trim() {
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        _ => None,
    };
    let bytes = number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    bytes.ok_or_else(|| format!("{text:?} must be a size like \"8GiB\""))
}

fn checked_id(id: &str) -> Result<String, String> {
    let bytes = id.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let good = (1..=63).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.iter().all(plain)
        && bytes[bytes.len() - 1] != b'-';
    if good {
        Ok(id.to_owned())
    } else {
        Err(format!("{id:?} must be lower-case letters, digits and hyphens, beginning with a letter, at most 63"))
    }
}

/// The first label of the host name in the address; for local addresses the machine's name; the
/// technology itself for simulator and test driver.
fn default_id(uri: &str, local_name: &str) -> Result<String, String> {
    let (scheme, rest) = uri.split_once("://").ok_or_else(|| format!("{uri:?} is no address"))?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    let name = match (scheme, host) {
        ("sim" | "test", "") => scheme,
        (_, "") => local_name,
        (_, host) => host,
    };
    let label =
        if name.parse::<std::net::IpAddr>().is_ok() { name } else { name.split('.').next().unwrap_or_default() };
    let label = label.to_ascii_lowercase();
    checked_id(&label).map_err(|_| format!("no host id follows from {uri:?}; name one: --host ID={uri}, or key id"))
}
