//! Which endpoint is this machine.

use super::super::locality::{Locality, has_local_transport};
use super::super::{LocalHost, Root};
use super::{Tree, server};

const FIRMWARE: &str = "4c4c4544-0042-3510-8054-b7c04f4a3233";
const OTHER: &str = "11111111-2222-3333-4444-555555555555";

#[test]
fn only_uris_of_real_drivers_without_a_host_are_local() {
    for uri in ["qemu:///system", "qemu:///session", "lxc:///system", "qemu+unix:///system?socket=/run/x", "xen:///"] {
        assert!(has_local_transport(uri), "{uri}");
    }
    let remote =
        ["qemu+ssh://h/system", "qemu+tls://h/system", "qemu://h/system", "qemu+tcp:///system", "qemu+ssh:///system"];
    let simulated = ["test:///default", "sim://?hosts=3", "sim:///x", "vrm://h:7443", "", "qemu", "qemu:/system"];
    for uri in remote.into_iter().chain(simulated) {
        assert!(!has_local_transport(uri), "{uri}");
    }
}

#[test]
fn the_first_local_endpoint_decides_whose_figures_these_are() {
    let (locality, tree) = (Locality::default(), server());
    let root = tree.root();
    assert!(!locality.is_local(&root, OTHER, "elsewhere", "qemu:///system"), "a foreign name behind a local socket");
    assert!(!locality.is_local(&root, OTHER, "kvm-07", "qemu+ssh://kvm-07/system"));
    assert!(locality.is_local(&root, OTHER, "KVM-07.example.org", "qemu:///system"));
    assert!(locality.is_local(&root, &OTHER.to_uppercase(), "renamed", "lxc:///system"), "same UUID, second driver");
    assert!(!locality.is_local(&root, FIRMWARE, "kvm-07", "qemu+unix:///system?socket=/run/b"), "a second host here");
}

#[test]
fn the_firmware_uuid_is_proof_enough() {
    let tree = server();
    let local = LocalHost::new(tree.root());
    assert!(local.is_local(FIRMWARE, "any-name", "qemu:///system"));
}

#[test]
fn without_a_uuid_the_name_decides_and_nothing_is_remembered() {
    let (locality, tree) = (Locality::default(), server());
    let root = tree.root();
    assert!(locality.is_local(&root, " ", "kvm-07", "lxc:///system"));
    assert!(!locality.is_local(&root, "", "kvm-08", "lxc:///system"));
    assert!(locality.is_local(&root, OTHER, "kvm-07", "qemu:///system"));
}

#[test]
fn a_machine_that_does_not_know_its_name_is_nobody() {
    assert!(!Locality::default().is_local(&Tree::unpack("minimal").root(), "", "", "qemu:///system"));
    assert!(!Locality::default().is_local(&Root::at("/nonexistent"), OTHER, "h", "qemu:///system"));
}
