//! Every alarm type that something here detects has a test that raises it and one that clears it:
//! functions `raises_<id in snake case>…` and `clears_<id in snake case>…` somewhere in the tests.

use std::collections::BTreeSet;
use std::path::Path;

use vrm::fault::catalogue::{AlarmType, descriptor};

use crate::alarms_pending::PENDING;
use crate::sources::{ROOT, extension, files_below, read};

/// `vmCrashed` → `vm_crashed`.
fn snake(id: &str) -> String {
    let mut snake = String::new();
    for letter in id.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Names of test functions in the text of a file: what stands under `#[test]` and its like.
fn tests_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let declared = line.trim_start_matches("pub ").trim_start_matches("async ").strip_prefix("fn ");
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else if let Some(rest) = declared {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            if is_test {
                found.push(name.to_owned());
            }
            is_test = false;
        }
    }
    found
}

fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
}

/// Every test function of the tree.
fn tests() -> BTreeSet<String> {
    let files = files_below(&["src", "tests"]).into_iter();
    files.filter(|file| extension(file) == "rs" && is_test_file(file)).flat_map(|file| tests_in(&read(&file))).collect()
}

/// True if a test of this name exists, perhaps with more words behind it.
fn has(tests: &BTreeSet<String>, name: &str) -> bool {
    let longer = format!("{name}_");
    tests.contains(name) || tests.range(longer.clone()..).next().is_some_and(|test| test.starts_with(&longer))
}

/// What a detectable type lacks.
fn lacking(tests: &BTreeSet<String>, kind: AlarmType) -> Vec<String> {
    if descriptor(kind).detectable.is_empty() {
        return Vec::new();
    }
    let names = ["raises", "clears"].map(|verb| format!("{verb}_{}", snake(kind.id())));
    names.into_iter().filter(|name| !has(tests, name)).collect()
}

/// Takes types out of the list of pending ones.
fn shorten_pending(finished: &[&str]) {
    let path = Path::new(ROOT).join("tests/tidy/alarms_pending.rs");
    let done = |line: &str| finished.iter().any(|id| line.trim() == format!("\"{id}\","));
    let kept: String = read(&path).lines().filter(|line| !done(line)).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, kept).expect("the tree can be written");
}

#[test]
fn every_detectable_alarm_type_has_a_test_that_raises_and_one_that_clears_it() {
    let tests = tests();
    let (mut missing, mut pending, mut finished) = (Vec::new(), Vec::new(), Vec::new());
    for kind in AlarmType::ALL {
        let lacking = lacking(&tests, kind);
        match (lacking.is_empty(), PENDING.contains(&kind.id())) {
            (true, true) => finished.push(kind.id()),
            (false, false) => missing.extend(lacking),
            (false, true) => pending.extend(lacking),
            (true, false) => {}
        }
    }
    if !pending.is_empty() {
        eprintln!("alarm tests still pending ({}): {}", pending.len(), pending.join(" "));
    }
    assert!(missing.is_empty(), "no test of these names:\n{}", missing.join("\n"));
    if std::env::var_os("VRM_REGENERATE").is_some() {
        shorten_pending(&finished);
    } else {
        assert!(finished.is_empty(), "tested now, no longer pending; run this with VRM_REGENERATE=1: {finished:?}");
    }
}

#[test]
fn pending_types_are_detectable_types() {
    for id in PENDING {
        let kind = AlarmType::parse(id);
        assert!(kind.is_some_and(|kind| !descriptor(kind).detectable.is_empty()), "{id} is nothing to wait for");
    }
    assert!(PENDING.is_sorted_by(|a, b| a < b), "PENDING is sorted and names each once");
}

#[test]
fn a_test_is_known_by_its_attribute_and_name() {
    let text = "#[test]\nfn raises_vm_crashed_at_once() {}\n\nfn clears_vm_crashed() {}\n\
                #[tokio::test(start_paused = true)]\n#[expect(x)]\nasync fn clears_host_down() {}\n";
    let tests: BTreeSet<String> = tests_in(text).into_iter().collect();
    assert!(has(&tests, "raises_vm_crashed"));
    assert!(!has(&tests, "raises_vm_crash"), "whole words only");
    assert!(!has(&tests, "clears_vm_crashed"), "not a test");
    assert!(has(&tests, "clears_host_down"));
    assert_eq!(snake("hostCpuHigh"), "host_cpu_high");
}
