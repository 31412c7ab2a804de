//! The whole result of every fixture, against reviewed snapshots (`cargo insta` or `INSTA_UPDATE=always`).

use super::super::*;
use super::all_of;
use std::fmt::Debug;

fn compare<T: Debug>(folder: &str, read: impl Fn(&str) -> Result<T, XmlError>) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path(format!("{}/tests/fixtures/libvirt/golden", env!("CARGO_MANIFEST_DIR")));
    settings.bind(|| {
        for (name, text) in all_of(folder) {
            let name = format!("{folder}_{}", name.trim_end_matches(".xml"));
            insta::assert_debug_snapshot!(name, read(&text));
        }
    });
}

#[test]
fn domains() {
    compare("domains", domain);
}

#[test]
fn networks() {
    compare("networks", network);
}

#[test]
fn pools() {
    compare("pools", pool);
}

#[test]
fn volumes() {
    compare("volumes", volume);
}

#[test]
fn capabilities_of_hosts() {
    compare("capabilities", capabilities);
}

#[test]
fn hardware() {
    compare("sysinfo", sysinfo);
}

#[test]
fn devices() {
    compare("devices", node_device);
}

#[test]
fn snapshots() {
    compare("snapshots", snapshot);
}
