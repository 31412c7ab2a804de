//! What a host is and offers: libvirt's `<capabilities>`.

use super::error::XmlError;
use super::reader::{Element, with_root};
use crate::model::host::{HostCpu, NumaNode};
use std::collections::BTreeSet;

/// A host's capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedCapabilities {
    /// UUID of the host, empty if libvirt has none.
    pub host_uuid: String,
    /// Processor. Logical and online CPUs are those of the NUMA cells (libvirt lists online ones only);
    /// the frequency is that of the time stamp counter where it is known.
    pub cpu: HostCpu,
    /// NUMA cells.
    pub numa_nodes: Vec<NumaNode>,
    /// Guest architectures, sorted.
    pub guest_archs: Vec<String>,
    /// Guest machine types of all architectures, sorted.
    pub machine_types: Vec<String>,
}

/// Reads a capabilities XML (libvirt: virConnectGetCapabilities).
///
/// # Errors
/// [`XmlError`] for unreadable documents.
pub fn capabilities(text: &str) -> Result<ParsedCapabilities, XmlError> {
    with_root(text, "capabilities", |root| {
        let host = root.child("host");
        let cells: Vec<Element<'_, '_>> = host
            .and_then(|host| host.at("topology/cells"))
            .into_iter()
            .flat_map(|cells| cells.children("cell"))
            .collect();
        let architectures = || root.children("guest").flat_map(|guest| guest.children("arch"));
        Ok(ParsedCapabilities {
            host_uuid: host.map(|host| host.text_of("uuid")).unwrap_or_default(),
            cpu: host.and_then(|host| host.child("cpu")).map(|cpu| processor(cpu, &cells)).unwrap_or_default(),
            numa_nodes: cells.iter().filter_map(|cell| numa_node(*cell)).collect(),
            guest_archs: sorted(architectures().map(|arch| arch.word("name"))),
            machine_types: sorted(architectures().flat_map(machines)),
        })
    })
}

fn sorted(words: impl Iterator<Item = String>) -> Vec<String> {
    let unique: BTreeSet<String> = words.filter(|word| !word.is_empty()).collect();
    unique.into_iter().collect()
}

/// Machine types of an architecture, those that only one domain type offers included.
fn machines<'d, 'i: 'd>(arch: Element<'d, 'i>) -> impl Iterator<Item = String> + 'd {
    let special = arch.children("domain").flat_map(|domain| domain.children("machine"));
    arch.children("machine").chain(special).map(|machine| machine.text().into_owned())
}

fn processor(cpu: Element<'_, '_>, cells: &[Element<'_, '_>]) -> HostCpu {
    let topology = cpu.child("topology");
    let count = |name| topology.and_then(|topology| topology.number::<u32>(name));
    let cores = count("cores").unwrap_or_default();
    let threads = count("threads").unwrap_or_default();
    let seen = cpus(cells).count();
    let sockets = socket_count(cells).or_else(|| count("sockets")).unwrap_or_default();
    let logical = if seen > 0 {
        u32::try_from(seen).unwrap_or(u32::MAX)
    } else {
        sockets.saturating_mul(cores).saturating_mul(threads)
    };
    HostCpu {
        model: cpu.text_of("model"),
        arch: cpu.text_of("arch"),
        vendor: cpu.text_of("vendor"),
        sockets,
        cores_per_socket: cores,
        threads_per_core: threads,
        logical_cpus: logical,
        online_cpus: logical,
        mhz: frequency_mhz(cpu).unwrap_or_default(),
    }
}

fn cpus<'d, 'i: 'd>(cells: &[Element<'d, 'i>]) -> impl Iterator<Item = Element<'d, 'i>> {
    cells.iter().filter_map(|cell| cell.child("cpus")).flat_map(|cpus| cpus.children("cpu"))
}

/// Different sockets among the CPUs of all cells; the topology element counts those of one cell only.
fn socket_count(cells: &[Element<'_, '_>]) -> Option<u32> {
    let sockets: BTreeSet<u32> = cpus(cells).filter_map(|cpu| cpu.number("socket_id")).collect();
    u32::try_from(sockets.len()).ok().filter(|&count| count > 0)
}

fn frequency_mhz(cpu: Element<'_, '_>) -> Option<u32> {
    let counter = cpu.children("counter").find(|counter| counter.peek("name") == Some("tsc"))?;
    u32::try_from(counter.number::<u64>("frequency")? / 1_000_000).ok()
}

fn numa_node(cell: Element<'_, '_>) -> Option<NumaNode> {
    let cpus = cell.child("cpus").into_iter().flat_map(|cpus| cpus.children("cpu"));
    Some(NumaNode {
        id: cell.number("id")?,
        memory_bytes: cell.child("memory").and_then(|memory| memory.bytes("KiB")).unwrap_or_default(),
        cpu_ids: cpus.filter_map(|cpu| cpu.number("id")).collect(),
    })
}
