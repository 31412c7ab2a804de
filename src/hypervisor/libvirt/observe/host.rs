//! The host and its hypervisor.

use crate::hypervisor::libvirt::huge_pages;
use crate::hypervisor::libvirt::memory::{Memory, fault};
use crate::hypervisor::libvirt::stats::kibibytes;
use crate::hypervisor::libvirt::xml;
use crate::hypervisor::port::HypervisorError;
use crate::model::observation::{HostFacts, HypervisorFacts};
use std::collections::BTreeMap;
use virt::connect::Connect;

/// The host as this endpoint sees it.
pub fn host(connect: &Connect, memory: &Memory) -> Result<HostFacts, HypervisorError> {
    let node = connect.node_info().map_err(fault)?;
    let mut not_available = BTreeMap::new();
    let text = connect.capabilities().map_err(fault)?;
    memory.note_huge_pages(huge_pages::reserved(&text));
    let capabilities = capabilities(&text)?;
    let hardware = match connect.sys_info(0).map_err(fault) {
        Ok(text) => {
            xml::sysinfo(&text).map_err(|error| not_available.insert("hardware".into(), error.to_string())).ok()
        }
        Err(error) if error.is_link_loss() => return Err(error),
        Err(error) => {
            not_available.insert("hardware".to_owned(), error.to_string());
            None
        }
    };
    let mut cpu = capabilities.cpu;
    cpu.sockets = node.sockets * node.nodes.max(1);
    cpu.cores_per_socket = node.cores;
    cpu.threads_per_core = node.threads;
    cpu.logical_cpus = cpu.sockets * node.cores * node.threads;
    cpu.online_cpus = node.cpus;
    cpu.mhz = node.mhz;
    if cpu.model.is_empty() {
        cpu.model = node.model;
    }
    Ok(HostFacts {
        host_name: connect.hostname().map_err(fault)?,
        host_uuid: capabilities.host_uuid,
        cpu,
        memory_total_bytes: kibibytes(node.memory),
        numa_nodes: capabilities.numa_nodes,
        hardware,
        not_available,
    })
}

/// What is known of the hypervisor at once.
pub fn identity(connect: &Connect) -> Result<HypervisorFacts, HypervisorError> {
    Ok(HypervisorFacts {
        technology: connect.driver_type().map_err(fault)?.to_lowercase(),
        libvirt_version: version(connect.lib_version().map_err(fault)?),
        ..HypervisorFacts::default()
    })
}

/// What a daemon knows only after it has examined its hypervisors, which takes a fresh one many seconds.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    version: String,
    machine_types: Vec<String>,
    guest_archs: Vec<String>,
    /// Guests can be moved live.
    pub migrates: bool,
}

impl Examined {
    /// Asks for it; blocks for as long as the daemon takes.
    pub fn read(connect: &Connect) -> Result<Self, HypervisorError> {
        let text = connect.capabilities().map_err(fault)?;
        let capabilities = capabilities(&text)?;
        Ok(Self {
            version: connect.hyp_version().map(version).unwrap_or_default(),
            machine_types: capabilities.machine_types,
            guest_archs: capabilities.guest_archs,
            migrates: text.contains("<migration_features>"),
        })
    }

    /// Completes the hypervisor's facts.
    pub fn complete(self, facts: &mut HypervisorFacts) {
        facts.version = self.version;
        facts.machine_types = self.machine_types;
        facts.guest_archs = self.guest_archs;
    }
}

fn capabilities(text: &str) -> Result<xml::ParsedCapabilities, HypervisorError> {
    xml::capabilities(text)
        .map_err(|error| HypervisorError::Malformed { what: "capabilities".into(), reason: error.to_string() })
}

/// libvirt writes versions as one number: 1,000,000 x major + 1,000 x minor + release.
fn version(number: u32) -> String {
    if number == 0 {
        return String::new();
    }
    format!("{}.{}.{}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000)
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_spelt_out() {
        assert_eq!(version(11_003_000), "11.3.0");
        assert_eq!(version(10_000_002), "10.0.2");
        assert_eq!(version(0), "");
    }
}
