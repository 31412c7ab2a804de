//! Page tokens: where to go on. Opaque to clients, and no capability: whoever brings one is
//! authorised anew, and all it holds is a name and a position.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// First character of every token: the version of its form.
const VERSION: char = '1';

/// Longest token taken, in characters; ours are far shorter.
const LONGEST: usize = 16 * 1024;

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Digest of the arguments the first page was asked with.
    #[serde(rename = "a")]
    pub arguments: String,
    /// Epoch of the log when the first page was made.
    #[serde(rename = "e")]
    pub epoch: String,
    /// Sequence of the log when the first page was made.
    #[serde(rename = "s")]
    pub sequence: u64,
    /// Sort key of the last object sent.
    #[serde(rename = "k")]
    pub key: String,
    /// Name of the last object sent.
    #[serde(rename = "n")]
    pub name: String,
}

impl Token {
    /// The token as clients get it.
    pub fn encode(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        let mut text = String::with_capacity(json.len() * 2 + 9);
        text.push(VERSION);
        text.push_str(&checksum(&json));
        for byte in json {
            text.push_str(&format!("{byte:02x}"));
        }
        text
    }

    /// The token of a text; nothing if it is not one of ours.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let rest = text.strip_prefix(VERSION)?;
        let (sum, hex) = rest.split_at_checked(8)?;
        if hex.len() % 2 != 0 {
            return None;
        }
        let digit = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let json: Vec<u8> = (0..hex.len()).step_by(2).map(digit).collect::<Option<_>>()?;
        if checksum(&json) != sum {
            return None;
        }
        serde_json::from_slice(&json).ok()
    }
}

/// Digest of a request's arguments; each part is delimited.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
