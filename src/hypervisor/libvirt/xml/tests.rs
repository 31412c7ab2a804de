//! Tests of the readers on fixtures under `tests/fixtures/libvirt` and on hostile documents.

mod domains;
mod golden;
mod hostile;
mod kinds;
mod notations;

use std::path::PathBuf;

/// Text of a fixture, e.g. `domains/minimal.xml`.
fn fixture(name: &str) -> String {
    let path = fixtures().join(name);
    std::fs::read_to_string(path).expect("the fixture exists")
}

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/libvirt")
}

/// Name and text of every fixture of a folder, sorted.
fn all_of(folder: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(fixtures().join(folder)).expect("the folder exists");
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
    let mut files: Vec<_> = names.map(|name| (name.clone(), fixture(&format!("{folder}/{name}")))).collect();
    files.sort();
    files
}
