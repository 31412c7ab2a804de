//! Disks of a machine, and the filesystems of a container.

use super::reader::Element;
use super::source;
use crate::model::virtual_machine::VirtualDisk;

/// Longest backing chain kept: libvirt's own limit is 200 images.
const MAX_CHAIN: usize = 200;

/// Reads a `<disk>`.
pub fn disk(element: Element<'_, '_>) -> VirtualDisk {
    let source_type = word_or(element, "type", "file");
    let driver = element.child("driver");
    let driver_word = |name| driver.map(|driver| driver.word(name)).unwrap_or_default();
    let target = element.child("target");
    let target_word = |name| target.map(|target| target.word(name)).unwrap_or_default();
    let source = element.child("source");
    let source_word = |name| source.map(|source| source.word(name)).unwrap_or_default();
    let is_volume = source_type == "volume";
    VirtualDisk {
        target: target_word("dev"),
        bus: target_word("bus"),
        device: word_or(element, "device", "disk"),
        source: source.map(|source| source::disk(source, &source_type)).unwrap_or_default(),
        pool: if is_volume { source_word("pool") } else { String::new() },
        volume: if is_volume { source_word("volume") } else { String::new() },
        format: driver_word("type"),
        read_only: element.has("readonly"),
        shareable: element.has("shareable"),
        cache_mode: driver_word("cache"),
        error_policy: driver_word("error_policy"),
        serial: element.text_of("serial"),
        backing_chain: backing_chain(element),
        source_type,
    }
}

/// Sources of the images below a disk's own, nearest first; ends at an empty `<backingStore/>`.
fn backing_chain(disk: Element<'_, '_>) -> Vec<String> {
    let mut chain = Vec::new();
    let mut next = disk.child("backingStore");
    while let Some(store) = next.filter(|_| chain.len() < MAX_CHAIN) {
        let Some(image) = store.child("source") else {
            if store.peek("type").is_none() {
                store.claim();
            }
            break;
        };
        let text = source::disk(image, &word_or(store, "type", "file"));
        chain.push(text);
        next = store.child("backingStore");
    }
    chain
}

/// Reads a `<filesystem>` as a disk of device `filesystem`.
pub fn filesystem(element: Element<'_, '_>) -> VirtualDisk {
    let source_type = word_or(element, "type", "mount");
    let source = element.child("source");
    let format = element.child("driver").map(|driver| driver.word("format")).unwrap_or_default();
    VirtualDisk {
        target: element.child("target").map(|target| target.word("dir")).unwrap_or_default(),
        device: "filesystem".to_owned(),
        source: source.map(|source| filesystem_source(source, &source_type)).unwrap_or_default(),
        pool: source.filter(|_| source_type == "volume").map(|source| source.word("pool")).unwrap_or_default(),
        volume: source.filter(|_| source_type == "volume").map(|source| source.word("volume")).unwrap_or_default(),
        format,
        read_only: element.has("readonly"),
        source_type,
        ..VirtualDisk::default()
    }
}

fn filesystem_source(source: Element<'_, '_>, source_type: &str) -> String {
    match source_type {
        "template" => source.word("name"),
        // The size of a RAM filesystem stays among the extensions.
        "ram" => String::new(),
        "file" | "block" | "volume" => source::disk(source, source_type),
        _ => match source.attribute("dir") {
            Some(dir) => dir.to_owned(),
            None => source.word("socket"),
        },
    }
}

/// A word that libvirt may leave out when it is the default.
fn word_or(element: Element<'_, '_>, name: &str, default: &str) -> String {
    element.attribute(name).unwrap_or(default).to_owned()
}
