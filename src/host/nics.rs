//! Network interfaces of the machine, from `/sys/class/net`.

use super::root::Root;
use crate::model::host::HostNic;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// Folder of all interfaces.
pub const CLASS: &str = "/sys/class/net";

/// Device types of interfaces that belong to the host although no hardware is behind them.
const KEPT_TYPES: [&str; 5] = ["bridge", "bond", "vlan", "team", "vxlan"];

/// Interfaces of the host: hardware, bridges, bonds, VLANs; not the loopback and not guests' ends.
///
/// # Errors
/// The system's error when the folder of interfaces cannot be read.
pub fn nics(root: &Root) -> std::io::Result<Vec<HostNic>> {
    let mut addresses = addresses(root);
    Ok(names(root)?.into_iter().map(|name| nic(root, name, &mut addresses)).collect())
}

/// Names of the interfaces of [`nics`].
///
/// # Errors
/// The system's error when the folder of interfaces cannot be read.
pub fn names(root: &Root) -> std::io::Result<Vec<String>> {
    Ok(root.names(CLASS)?.into_iter().filter(|name| is_kept(root, name)).collect())
}

/// Taps, veth pairs and the like come and go with guests and containers: they are not the host's equipment.
fn is_kept(root: &Root, name: &str) -> bool {
    let folder = format!("{CLASS}/{name}");
    if name == "lo" || root.has(format!("{folder}/tun_flags")) {
        return false;
    }
    root.has(format!("{folder}/device"))
        || root.has(format!("{folder}/bridge"))
        || root.has(format!("{folder}/bonding"))
        || KEPT_TYPES.contains(&device_type(root, &folder).as_str())
}

/// `DEVTYPE` of the interface's uevent file.
fn device_type(root: &Root, folder: &str) -> String {
    let uevent = root.word(format!("{folder}/uevent"));
    uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).unwrap_or_default().to_owned()
}

fn nic(root: &Root, name: String, addresses: &mut BTreeMap<String, Vec<String>>) -> HostNic {
    let file = |file: &str| format!("{CLASS}/{name}/{file}");
    // A link that is down has no speed: the kernel answers -1 or an error.
    let megabits = root.number::<i64>(file("speed")).and_then(|speed| u64::try_from(speed).ok());
    HostNic {
        mac: root.word(file("address")).to_ascii_lowercase(),
        link_state: link_state(&root.word(file("operstate"))).to_owned(),
        speed_bits_per_second: megabits.unwrap_or_default().saturating_mul(1_000_000),
        mtu: root.number(file("mtu")).unwrap_or_default(),
        driver: root.link_name(file("device/driver")),
        master: root.link_name(file("master")),
        addresses: addresses.remove(&name).unwrap_or_default(),
        name,
    }
}

fn link_state(word: &str) -> &'static str {
    match word {
        "up" => "up",
        "" | "unknown" => "",
        _ => "down",
    }
}

/// Addresses by interface, sorted: from the kernel, or from `/proc/net` of a tree of fixtures.
fn addresses(root: &Root) -> BTreeMap<String, Vec<String>> {
    let mut found = if root.is_machine() { from_kernel() } else { from_proc(root) };
    for list in found.values_mut() {
        list.sort();
    }
    found
}

fn from_kernel() -> BTreeMap<String, Vec<String>> {
    let Ok(networks) = sysinfo::Networks::new_with_refreshed_list() else { return BTreeMap::new() };
    let texts = networks.iter().map(|(name, network)| {
        let addresses = network.ip_networks().iter().map(|ip| format!("{}/{}", ip.addr, ip.prefix)).collect();
        (name.to_string_lossy().into_owned(), addresses)
    });
    texts.collect()
}

/// IPv6 addresses; the kernel offers no file with IPv4 ones by interface.
fn from_proc(root: &Root) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in root.word("/proc/net/if_inet6").lines() {
        if let Some((name, address)) = inet6_line(line) {
            found.entry(name.to_owned()).or_default().push(address);
        }
    }
    found
}

/// `fe80…01 02 40 20 80 eth0`: address, index, prefix length, scope, flags, name.
fn inet6_line(line: &str) -> Option<(&str, String)> {
    let mut words = line.split_ascii_whitespace();
    let address = Ipv6Addr::from_bits(u128::from_str_radix(words.next()?, 16).ok()?);
    let prefix = u8::from_str_radix(words.nth(1)?, 16).ok()?;
    Some((words.nth(2)?, format!("{address}/{prefix}")))
}
