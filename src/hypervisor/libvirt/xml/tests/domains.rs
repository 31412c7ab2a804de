//! Single facts of domain documents, where the reason matters more than the whole.

use super::super::*;
use super::fixture;
use crate::model::virtual_machine::VmDefinition;

fn definition(content: &str) -> VmDefinition {
    let text =
        format!("<domain type='kvm'><name>x</name><uuid>00000000-0000-0000-0000-000000000001</uuid>{content}</domain>");
    domain(&text).expect("reads").definition
}

fn read(name: &str) -> ParsedDomain {
    domain(&fixture(&format!("domains/{name}.xml"))).expect("reads")
}

#[test]
fn labels_come_from_our_namespace_whatever_its_prefix() {
    let labels = read("labels_limits").labels;
    let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("a", "2")]);
    let extensions = read("labels_limits").definition.extensions;
    assert_eq!(extensions.get("metadata/vrm:labels[0]/label[3]").map(String::as_str), Some("no key"));
    assert!(extensions.values().any(|value| value == "long key"), "what is no label of ours is not dropped");
}

#[test]
fn the_start_of_a_machine_alone_changes_nothing_of_its_identity() {
    let running = read("kvm_q35_full");
    let text = fixture("domains/kvm_q35_full.xml").replace("id='17'", "");
    assert_eq!(domain(&text).expect("reads"), running);
}

#[test]
fn an_agent_without_a_state_is_configured_and_its_connection_unknown() {
    let channel = |state: &str| {
        let target = format!("<target type='virtio' name='org.qemu.guest_agent.0' {state}/>");
        definition(&format!("<devices><channel type='unix'>{target}</channel></devices>")).agent
    };
    assert_eq!(channel("").connected, None);
    assert_eq!(channel("state='connected'").connected, Some(true));
    assert_eq!(channel("state='disconnected'").connected, Some(false));
    assert!(channel("").configured && !definition("").agent.configured);
}

#[test]
fn firmware_is_said_or_follows_from_flash() {
    let firmware = |os: &str| definition(&format!("<os>{os}</os>")).firmware;
    assert_eq!(firmware("<loader type='pflash'>/x</loader>"), "efi");
    assert_eq!(firmware("<loader type='rom'>/x</loader>"), "");
    let definition = definition("<os firmware='efi'><loader secure='yes'/></os>");
    assert!(definition.secure_boot && definition.firmware == "efi");
}

#[test]
fn processors_default_to_one_and_current_to_maximum() {
    assert_eq!((definition("").vcpus_maximum, definition("").vcpus_current), (1, 1));
    let four = definition("<vcpu>4</vcpu>");
    assert_eq!((four.vcpus_maximum, four.vcpus_current), (4, 4));
}

#[test]
fn sizes_that_cannot_be_understood_stay_visible() {
    let odd = definition("<memory unit='furlong'>12</memory>");
    assert_eq!(odd.memory_maximum_bytes, 0);
    assert_eq!(odd.extensions.get("memory").map(String::as_str), Some("12"));
    assert_eq!(odd.extensions.get("memory/@unit").map(String::as_str), Some("furlong"));
}

#[test]
fn a_balloon_of_model_none_is_no_balloon() {
    assert!(!definition("<devices><memballoon model='none'/></devices>").balloon);
    assert!(definition("<devices><memballoon model='virtio'/></devices>").balloon);
}

#[test]
fn equal_network_sources_have_equal_texts() {
    let source = |hosts: &str| {
        let source = format!("<source protocol='rbd' name='vms/a'>{hosts}</source>");
        definition(&format!("<devices><disk type='network'>{source}</disk></devices>")).disks[0].source.clone()
    };
    let one = source("<host name='b' port='6789'/><host name='a'/>");
    assert_eq!(one, source("<host name='a'/><host name='b'/><host name='a' port='6789'/>"));
    assert_eq!(one, "rbd://a,b/vms/a");
}

#[test]
fn attributes_of_foreign_namespaces_keep_their_prefix() {
    let content = "<metadata><a:x xmlns:a='u:a' xmlns:qemu='u:q' id='1' a:id='2' qemu:id='3'/></metadata>";
    let extensions = definition(content).extensions;
    let kept: Vec<(&str, &str)> = extensions.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
    assert_eq!(kept, [("metadata/a:x/@a:id", "2"), ("metadata/a:x/@id", "1"), ("metadata/a:x/@qemu:id", "3")]);
}

#[test]
fn values_whose_paths_meet_are_counted() {
    let qemu = "http://libvirt.org/schemas/domain/qemu/1.0";
    let content = format!("<metadata><x xmlns:q='{qemu}' xmlns:qemu='u:q' q:id='1' qemu:id='2'/></metadata>");
    let extensions = definition(&content).extensions;
    assert_eq!(extensions.get("metadata/x/@qemu:id").map(String::as_str), Some("1"));
    assert_eq!(extensions.get("…").map(String::as_str), Some("1 further values"));
}
