//! Which hosts belong to the cluster, and how they are reached.

use super::name::HostId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who owns the registration of a host; it is changed only there (operations.md F21).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostOrigin {
    /// Settings files or the command line.
    #[default]
    File,
    /// `HostService.RegisterHost`.
    Api,
}

/// Upper bound of what is done to a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Read-only connection.
    #[default]
    Monitor,
    /// Read-write connection: equals root on the host.
    Manage,
}

impl Profile {
    /// The profile's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Manage => "manage",
        }
    }
}

/// What the settings keep of a host for the host itself (REQ-CM-FUN-24): it is not available to machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostReserve {
    /// Logical CPUs.
    #[serde(default)]
    pub cpus: u32,
    /// Memory in bytes, huge pages included.
    #[serde(default)]
    pub memory_bytes: u64,
}

/// How one host is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRegistration {
    /// The operator's name for it.
    pub id: HostId,
    /// One URI per technology; never with a credential in it.
    pub uris: Vec<String>,
    /// Name of a `[credential.NAME]` table, empty for none.
    #[serde(default)]
    pub credential: String,
    /// A narrower profile than the daemon's, if asked for.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// Permits `qemu+tcp`, which is neither authenticated nor encrypted.
    #[serde(default)]
    pub allow_insecure: bool,
    /// Labels of the host.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What machines may not have of the host.
    #[serde(default)]
    pub reserve: HostReserve,
    /// Who owns this registration.
    #[serde(default)]
    pub origin: HostOrigin,
}
