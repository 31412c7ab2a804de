//! Who did what: the record every change leaves, written in the same transaction.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Who acts (operations.md F17).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Authenticated identity, e.g. `uid:1000(alice)` or `insecure:loopback`; `system` for the daemon itself.
    pub principal: String,
    /// The person on whose behalf the principal acts; asserted, so it needs permission `actAs`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// The system the person works with; asserted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub system: String,
    /// Address of the caller: `unix:pid 4711` or `192.0.2.1:40000`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub peer: String,
}

impl Actor {
    /// The daemon acting by itself, e.g. on a settings file.
    pub fn system() -> Self {
        Self { principal: "system".to_owned(), ..Self::default() }
    }
}

/// One audited act. Secrets never enter it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// RPC or signal, e.g. `vrm.v1.HostService/RegisterHost`.
    pub method: String,
    /// Name of the object acted on.
    pub target: String,
    /// The caller's request id, if any.
    pub request_id: String,
    /// `OK` or the error reason.
    pub outcome: String,
    /// What was asked, without sensitive fields.
    pub detail: String,
}
