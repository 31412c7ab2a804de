//! Files of hosts to register: YAML or TOML, one host or many. Pure.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A host as a file tells it, with the keys of `hosts.d`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostEntry {
    /// The operator's name for it.
    #[serde(default, alias = "name")]
    pub id: Option<String>,
    /// Addresses.
    #[serde(alias = "uris", deserialize_with = "one_or_many", rename = "uri")]
    pub uris: Vec<String>,
    /// Name of a credential of the daemon's settings.
    #[serde(default)]
    pub credential: Option<String>,
    /// A narrower profile.
    #[serde(default)]
    pub profile: Option<String>,
    /// Permit plain TCP.
    #[serde(default)]
    pub allow_insecure: bool,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

impl HostEntry {
    /// How it is called in messages.
    pub fn shown(&self) -> String {
        self.id.clone().unwrap_or_else(|| self.uris.join(" "))
    }
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(uri) => vec![uri],
        OneOrMany::Many(uris) => uris,
    })
}

/// Reads one host, a list of hosts, or `hosts` / `[[host]]` with a list.
///
/// # Errors
/// A text for people: neither YAML nor TOML, an unknown key, no host.
pub fn parse_hosts(text: &str) -> Result<Vec<HostEntry>, String> {
    let value = parse_value(text)?;
    let list = match value {
        Value::Array(list) => list,
        Value::Object(mut fields) => match fields.remove("hosts").or_else(|| fields.remove("host")) {
            Some(Value::Array(list)) if fields.is_empty() => list,
            Some(_) => return Err("hosts must be a list and stand alone".to_owned()),
            None => vec![Value::Object(fields)],
        },
        _ => return Err("no hosts in it".to_owned()),
    };
    if list.is_empty() {
        return Err("no hosts in it".to_owned());
    }
    let entries = list.into_iter().enumerate().map(|(index, value)| {
        let entry: HostEntry = serde_json::from_value(value).map_err(|error| format!("host {}: {error}", index + 1))?;
        if entry.uris.is_empty() { Err(format!("host {}: uri is missing", index + 1)) } else { Ok(entry) }
    });
    entries.collect()
}

/// TOML where it is TOML, else YAML (which JSON is a part of).
///
/// # Errors
/// A text for people.
pub(super) fn parse_value(text: &str) -> Result<Value, String> {
    let toml_error = match toml::from_str::<Value>(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    serde_yaml_ng::from_str(text).map_err(|error| {
        let looks_like_toml = text.lines().any(|line| line.trim_start().starts_with('[') || line.contains(" = "));
        if looks_like_toml { toml_error.to_string() } else { error.to_string() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Result<Vec<String>, String> {
        Ok(parse_hosts(text)?.iter().map(HostEntry::shown).collect())
    }

    #[test]
    fn hosts_come_alone_or_as_lists_in_both_languages() {
        let toml = "id = \"a\"\nuri = \"vrm://a\"\nlabels = { rack = \"r1\" }\n";
        assert_eq!(ids(toml), Ok(vec!["a".to_owned()]));
        assert_eq!(
            ids("[[host]]\nid = \"a\"\nuri = [\"qemu:///system\", \"lxc:///system\"]\n"),
            Ok(vec!["a".to_owned()])
        );
        let yaml = "- id: a\n  uri: vrm://a\n- uri: vrm://b\n";
        assert_eq!(ids(yaml), Ok(vec!["a".to_owned(), "vrm://b".to_owned()]));
        assert_eq!(ids("hosts:\n- name: a\n  uris: [vrm://a]\n"), Ok(vec!["a".to_owned()]));
    }

    #[test]
    fn mistakes_are_named() {
        assert!(ids("- id: a\n  url: vrm://a\n").expect_err("unknown key").contains("url"));
        assert!(ids("[]").is_err());
        assert!(ids("- id: a\n  uri: []\n").is_err());
        assert!(ids("id = \"a\n").is_err());
    }
}
