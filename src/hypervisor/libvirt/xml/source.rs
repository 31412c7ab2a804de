//! Canonical texts of where data lies, without secrets: equal sources give equal texts.

use super::reader::Element;
use super::secrets;

/// Hosts of a network source as `host:port`, sorted, without default ports, joined by commas.
pub fn hosts(source: Element<'_, '_>, protocol: &str) -> String {
    let mut hosts: Vec<String> = source.children("host").filter_map(|host| host_text(host, protocol)).collect();
    hosts.sort();
    hosts.dedup();
    hosts.join(",")
}

fn host_text(host: Element<'_, '_>, protocol: &str) -> Option<String> {
    let port = host.attribute("port").unwrap_or_default();
    if matches!(host.peek("transport"), Some("tcp" | "unix")) {
        host.claim_attribute("transport");
    }
    if let Some(socket) = host.attribute("socket") {
        return Some(format!("unix:{socket}"));
    }
    // `user:password@host` is not libvirt's notation, but nothing refuses it.
    let name = host.attribute("name")?.rsplit('@').next().unwrap_or_default();
    let name = if name.contains(':') && !name.starts_with('[') { format!("[{name}]") } else { name.to_owned() };
    Some(if port.is_empty() || Some(port) == default_port(protocol) { name } else { format!("{name}:{port}") })
}

fn default_port(protocol: &str) -> Option<&'static str> {
    Some(match protocol {
        "rbd" => "6789",
        "iscsi" => "3260",
        "nbd" => "10809",
        "gluster" => "24007",
        "sheepdog" => "7000",
        "http" => "80",
        "https" => "443",
        "ssh" => "22",
        "nfs" => "2049",
        _ => return None,
    })
}

/// `protocol://hosts/name`, or `protocol://hosts` without a name.
pub fn network(protocol: &str, hosts: &str, name: &str) -> String {
    let name = name.trim_matches('/');
    let separator = if name.is_empty() { "" } else { "/" };
    format!("{protocol}://{hosts}{separator}{name}")
}

/// Source of a disk, image or host device by the type its parent declares; empty without a medium.
pub fn disk(source: Element<'_, '_>, source_type: &str) -> String {
    match source_type {
        "file" => secrets::public_source(source.attribute("file").unwrap_or_default()),
        "block" | "vhostvdpa" => source.word("dev"),
        "dir" => source.word("dir"),
        "network" => {
            let protocol = source.word("protocol");
            network(&protocol, &hosts(source, &protocol), source.attribute("name").unwrap_or_default())
        }
        "volume" => format!("volume://{}/{}", source.word("pool"), source.word("volume")),
        "nvme" => match source.child("address") {
            Some(address) => format!("nvme://{}/{}", pci_address(address), source.word("namespace")),
            None => String::new(),
        },
        "vhostuser" => source.attribute("path").map(|path| format!("vhostuser:{path}")).unwrap_or_default(),
        _ => String::new(),
    }
}

/// A local path as equal paths are written: without repeated or trailing slashes.
pub fn local_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

/// A PCI address as `0000:06:02.0`; parts that are no numbers stay as they are written.
pub fn pci_address(address: Element<'_, '_>) -> String {
    address.attribute("type");
    let part = |name, width| hexadecimal(address.attribute(name).unwrap_or("0"), width);
    format!("{}:{}:{}.{}", part("domain", 4), part("bus", 2), part("slot", 2), part("function", 1))
}

/// `0x6` as `06`.
fn hexadecimal(text: &str, width: usize) -> String {
    let value = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    value.map_or_else(|| text.to_owned(), |value| format!("{value:0width$x}"))
}
