//! `docs/information-model.md` against the contract in `proto/vrm/v1`: every RPC, error reason and
//! attribute of a managed object stands in the model, and the model names nothing that is not there
//! (REQ-GEN-NON-10).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::sources::{ROOT, extension, files_below, read};

/// What the model's annex A and the contract are compared by.
struct Contract {
    /// `Service.Rpc` of every service.
    rpcs: BTreeSet<String>,
    /// Reasons without the enum's prefix.
    reasons: BTreeSet<String>,
    /// Fields by message.
    fields: BTreeMap<String, Vec<String>>,
}

#[test]
fn every_rpc_is_one_operation_of_the_model() {
    let model = model();
    let mut named = BTreeMap::new();
    for cells in annex_rows(&model, "### A.2") {
        *named.entry(code(&cells[1]).to_owned()).or_insert(0_usize) += 1;
    }
    let repeated: Vec<_> = named.iter().filter(|(_, count)| **count > 1).collect();
    assert!(repeated.is_empty(), "RPCs of more than one operation: {repeated:?}");
    let named: BTreeSet<String> = named.into_keys().filter(|rpc| !rpc.starts_with("Health.")).collect();
    assert_same("RPC", &named, &contract().rpcs);
}

#[test]
fn every_error_reason_is_an_exception_of_the_model() {
    let model = model();
    let named = annex_rows(&model, "### A.4").iter().map(|cells| code(&cells[2]).to_owned()).collect();
    assert_same("error reason", &named, &contract().reasons);
}

#[test]
fn every_attribute_of_a_class_is_in_the_model() {
    let model = model();
    let contract = contract();
    let mut missing = Vec::new();
    for cells in annex_rows(&model, "### A.1") {
        let message = code(&cells[1]);
        let Some(fields) = contract.fields.get(message) else {
            missing.push(format!("message {message}"));
            continue;
        };
        let absent = fields.iter().filter(|field| !model.contains(&format!("| `{field}` |")));
        missing.extend(absent.map(|field| format!("{message}.{field}")));
    }
    assert!(missing.is_empty(), "not in docs/information-model.md or not in the contract: {missing:?}");
}

#[test]
fn a_contract_is_read_for_its_names() {
    let mut contract = Contract { rpcs: BTreeSet::new(), reasons: BTreeSet::new(), fields: BTreeMap::new() };
    contract.add(
        "service S {\n  // Text.\n  rpc Get(R) returns (M) {\n    option (p) = {\n      a: 1\n    };\n  }\n}\n\
         message M {\n  enum K {\n    K_X = 0;\n  }\n  optional uint64 a = 1;\n  map<string, N> b = 2 [(x) = Y];\n}\n\
         enum ErrorReason {\n  ERROR_REASON_UNSPECIFIED = 0;\n  ERROR_REASON_GONE = 1;\n}\n",
    );
    assert_eq!(contract.rpcs, BTreeSet::from(["S.Get".to_owned()]));
    assert_eq!(contract.reasons, BTreeSet::from(["GONE".to_owned()]));
    assert_eq!(contract.fields["M"], ["a", "b"]);
}

fn assert_same(what: &str, named: &BTreeSet<String>, real: &BTreeSet<String>) {
    let missing: Vec<_> = real.difference(named).collect();
    let unknown: Vec<_> = named.difference(real).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{what}: not in docs/information-model.md {missing:?}, not in the contract {unknown:?}"
    );
}

fn model() -> String {
    read(&Path::new(ROOT).join("docs/information-model.md"))
}

/// The cells of the rows of an annex's table, without its head.
fn annex_rows(model: &str, heading: &str) -> Vec<Vec<String>> {
    model
        .lines()
        .skip_while(|line| !line.starts_with(heading))
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

fn code(cell: &str) -> &str {
    cell.trim_matches('`')
}

fn contract() -> Contract {
    let mut contract = Contract { rpcs: BTreeSet::new(), reasons: BTreeSet::new(), fields: BTreeMap::new() };
    for file in files_below(&["proto/vrm"]) {
        if extension(&file) == "proto" {
            contract.add(&read(&file));
        }
    }
    contract
}

impl Contract {
    /// Adds the names of one file; one declaration a line, as the formatter leaves it.
    fn add(&mut self, text: &str) {
        let mut open: Vec<(&str, &str)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
            let words: Vec<&str> = line.split([' ', '(', ';']).filter(|word| !word.is_empty()).collect();
            match (words.as_slice(), open.last()) {
                (["rpc", rpc, ..], Some(("service", service))) => {
                    self.rpcs.insert(format!("{service}.{rpc}"));
                }
                ([value, "=", ..], Some(("enum", "ErrorReason"))) => self.add_reason(value),
                (words, Some(("message" | "oneof", message))) => self.add_field(message, words),
                _ => {}
            }
            if line.ends_with('{') {
                let message = open.last().map_or("", |(_, name)| *name);
                open.push(match words.as_slice() {
                    ["oneof", ..] => ("oneof", message),
                    [kind @ ("message" | "enum" | "service"), name, ..] => (kind, name),
                    _ => ("", ""),
                });
            } else if line.starts_with('}') {
                open.pop();
            }
        }
    }

    fn add_reason(&mut self, value: &str) {
        if let Some(reason) = value.strip_prefix("ERROR_REASON_")
            && reason != "UNSPECIFIED"
        {
            self.reasons.insert(reason.to_owned());
        }
    }

    /// Adds `[label] type name = number`, of which the number tells it from options.
    fn add_field(&mut self, message: &str, words: &[&str]) {
        let Some(at) = words.iter().position(|word| *word == "=") else { return };
        let numbered = words.get(at + 1).is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        if at >= 2 && numbered {
            self.fields.entry(message.to_owned()).or_default().push(words[at - 1].to_owned());
        }
    }
}
