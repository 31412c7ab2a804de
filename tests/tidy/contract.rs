//! The northbound contract grows and never changes (REQ-GEN-NON-11): everything that
//! `tests/fixtures/contract/baseline.txt` lists must still be in the descriptors as it was.
//!
//! The baseline is text, so that a review sees what is promised: one line for each field, enum value
//! and RPC. `VRM_REGENERATE=1` adds what is new; nothing takes a line out.

use crate::sources::{ROOT, read};
use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use std::collections::BTreeSet;
use std::path::Path;
use vrm::wire::{DESCRIPTORS, json};

const PACKAGE: &str = "vrm.v1.";

#[test]
fn the_contract_only_grows() {
    let now = lines(json::pool());
    let path = Path::new(ROOT).join("tests/fixtures/contract/baseline.txt");
    let baseline: BTreeSet<String> = read(&path).lines().map(str::to_owned).collect();
    let broken = missing(&baseline, &now);
    assert!(
        broken.is_empty(),
        "promised in tests/fixtures/contract/baseline.txt and changed or gone:\n{}",
        broken.join("\n")
    );
    let added: Vec<&String> = now.difference(&baseline).collect();
    if !added.is_empty() && std::env::var_os("VRM_REGENERATE").is_some() {
        let text: String = now.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, text).expect("the baseline can be written");
        return;
    }
    assert!(added.is_empty(), "not in tests/fixtures/contract/baseline.txt yet; VRM_REGENERATE=1 adds it: {added:#?}");
}

/// The check is no check if a breach passes: each kind of breach, made in a copy of the descriptors.
#[test]
fn every_kind_of_breach_is_found() {
    let baseline = lines(json::pool());
    let breach = |what: &str, change: &dyn Fn(&mut prost_types::FileDescriptorProto)| {
        let mut set: prost_types::FileDescriptorSet = prost::Message::decode(DESCRIPTORS).expect("our descriptors");
        set.file.iter_mut().filter(|file| file.name().ends_with("v1/alarm.proto")).for_each(change);
        let mut pool = DescriptorPool::new();
        pool.add_file_descriptor_set(set).unwrap_or_else(|error| panic!("{what}: {error}"));
        !missing(&baseline, &lines(&pool)).is_empty()
    };
    let comment = |file: &mut prost_types::FileDescriptorProto, change: fn(&mut prost_types::DescriptorProto)| {
        file.message_type.iter_mut().filter(|message| message.name() == "AlarmComment").for_each(change);
    };
    assert!(!breach("nothing", &|_| {}), "an untouched copy is no breach");
    assert!(breach("a field is gone", &|file| comment(file, |message| drop(message.field.pop()))));
    assert!(breach("a field has another number", &|file| {
        comment(file, |message| message.field.iter_mut().for_each(|field| field.number = Some(field.number() + 100)));
    }));
    assert!(breach("a field has another name", &|file| {
        comment(file, |message| {
            for field in &mut message.field {
                field.name = Some(format!("{}_2", field.name()));
                field.json_name = None;
            }
        });
    }));
    assert!(breach("a field is repeated", &|file| {
        comment(file, |message| {
            for field in &mut message.field {
                field.set_label(prost_types::field_descriptor_proto::Label::Repeated);
            }
        });
    }));
    assert!(breach("an enum value has another number", &|file| {
        for value in file.enum_type.iter_mut().filter(|of| of.name() == "AlarmState").flat_map(|of| &mut of.value) {
            value.number = Some(value.number() * 7);
        }
    }));
    let grown = |file: &mut prost_types::FileDescriptorProto| {
        comment(file, |message| {
            let mut field = message.field[0].clone();
            field.name = Some("added".into());
            field.json_name = None;
            field.number = Some(99);
            message.field.push(field);
        });
    };
    assert!(!breach("a field is added", &grown), "growing is no breach");
}

fn missing(baseline: &BTreeSet<String>, now: &BTreeSet<String>) -> Vec<String> {
    baseline.difference(now).cloned().collect()
}

/// The whole contract, a line for each thing a client may rely on.
fn lines(pool: &DescriptorPool) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for message in pool.all_messages().filter(|message| message.full_name().starts_with(PACKAGE)) {
        lines.extend(message.fields().map(|field| field_line(&message, &field)));
    }
    for of in pool.all_enums().filter(|of| of.full_name().starts_with(PACKAGE)) {
        lines.extend(of.values().map(|value| format!("enum {} {} = {}", of.full_name(), value.name(), value.number())));
    }
    for service in pool.services().filter(|service| service.full_name().starts_with(PACKAGE)) {
        for method in service.methods() {
            let stream = |streams: bool| if streams { "stream " } else { "" };
            lines.insert(format!(
                "rpc {}/{} ({}{}) returns ({}{})",
                service.full_name(),
                method.name(),
                stream(method.is_client_streaming()),
                method.input().full_name(),
                stream(method.is_server_streaming()),
                method.output().full_name()
            ));
        }
    }
    lines
}

fn field_line(message: &MessageDescriptor, field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(of) if field.is_map() => {
            format!("map<{}, {}>", kind_word(&of.map_entry_key_field()), kind_word(&of.map_entry_value_field()))
        }
        _ => kind_word(field),
    };
    let many = if field.cardinality() == Cardinality::Repeated && !field.is_map() { "repeated " } else { "" };
    let presence = if field.supports_presence() && field.containing_oneof().is_some() { "optional " } else { "" };
    format!("field {} {} = {}: {presence}{many}{kind}", message.full_name(), field.name(), field.number())
}

fn kind_word(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(of) => of.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_ascii_lowercase(),
    }
}
