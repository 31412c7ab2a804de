//! Devices of the host that are handed to a guest.

use super::reader::Element;
use super::source;

/// A `<hostdev>` in one text: its bus and address, e.g. `pci:0000:06:02.0` or `usb:1d6b:0002`.
pub fn hostdev(element: Element<'_, '_>) -> String {
    let kind = element.word("type");
    let Some(origin) = element.child("source") else { return kind };
    if matches!(element.peek("mode"), Some("subsystem" | "capabilities")) {
        element.claim_attribute("mode");
    }
    if element.peek("mode") == Some("capabilities") {
        return capability(origin, &kind);
    }
    match kind.as_str() {
        "pci" => addressed(origin, "pci", source::pci_address),
        "usb" => usb(origin),
        "scsi" => scsi(origin),
        "scsi_host" => format!("scsi_host:{}", origin.word("wwpn")),
        "mdev" => addressed(origin, "mdev", |address| address.word("uuid")),
        _ => kind,
    }
}

fn addressed<'d, 'i: 'd>(origin: Element<'d, 'i>, kind: &str, text: impl FnOnce(Element<'d, 'i>) -> String) -> String {
    origin.child("address").map_or_else(|| kind.to_owned(), |address| format!("{kind}:{}", text(address)))
}

fn usb(origin: Element<'_, '_>) -> String {
    let id = |name: &'static str| {
        let id = origin.child(name).map(|element| element.word("id")).unwrap_or_default();
        id.trim_start_matches("0x").to_ascii_lowercase()
    };
    match (id("vendor"), id("product")) {
        (vendor, _) if vendor.is_empty() => {
            addressed(origin, "usb", |address| format!("{}.{}", address.word("bus"), address.word("device")))
        }
        (vendor, product) => format!("usb:{vendor}:{product}"),
    }
}

fn scsi(origin: Element<'_, '_>) -> String {
    if origin.peek("protocol") == Some("iscsi") {
        origin.attribute("protocol");
        let name = origin.attribute("name").unwrap_or_default();
        return source::network("iscsi", &source::hosts(origin, "iscsi"), name);
    }
    let adapter = origin.child("adapter").map(|adapter| adapter.word("name")).unwrap_or_default();
    addressed(origin, "scsi", |address| {
        let part = |name| address.word(name);
        format!("{adapter}:{}:{}:{}", part("bus"), part("target"), part("unit"))
    })
}

/// Devices of containers: `storage:/dev/sdf1`, `misc:/dev/input/event3`, `net:eth0`.
fn capability(origin: Element<'_, '_>, kind: &str) -> String {
    let inner = match kind {
        "storage" => "block",
        "misc" => "char",
        _ => "interface",
    };
    format!("{kind}:{}", origin.text_of(inner))
}
