//! Which statistics are asked for, and how a poll is cut into pieces. Pure.

use std::ops::Range;
use std::time::Duration;
use virt_sys as sys;

/// Groups of every statistics poll. STATE and INTERFACE are answered without the hypervisor process.
pub const GROUPS: u32 = sys::VIR_DOMAIN_STATS_STATE
    | sys::VIR_DOMAIN_STATS_CPU_TOTAL
    | sys::VIR_DOMAIN_STATS_BALLOON
    | sys::VIR_DOMAIN_STATS_INTERFACE
    | sys::VIR_DOMAIN_STATS_BLOCK;

/// Groups of now and then: some fifty parameters per virtual CPU, which cost the daemon half as much as all others.
pub const GROUPS_SLOW: u32 = sys::VIR_DOMAIN_STATS_VCPU;

/// Groups that can be asked of a machine whose hypervisor process hangs.
pub const GROUPS_WITHOUT_MONITOR: u32 = sys::VIR_DOMAIN_STATS_STATE | sys::VIR_DOMAIN_STATS_INTERFACE;

/// Never wait for a busy hypervisor process: take what is there.
pub const NOWAIT: u32 = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;

/// What the administrator sets about polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polling {
    /// [`GROUPS_SLOW`] are asked for at every so many polls; 1 is always.
    pub vcpu_every: u64,
    /// Period in which guests are made to tell their memory; needs profile manage. Nothing: they are left as they are.
    pub balloon_period: Option<Duration>,
}

impl Default for Polling {
    fn default() -> Self {
        Self { vcpu_every: 6, balloon_period: None }
    }
}

/// Machines per call at most.
const CHUNK_MACHINES: usize = 500;

/// Estimated bytes of one answer at most; libvirt breaks the connection at 32 MiB.
const CHUNK_BYTES: usize = 8 << 20;

/// Bytes of one parameter on the wire, about.
const PARAMETER_BYTES: usize = 40;

/// Parameters assumed of a machine that was never polled.
const PARAMETERS_FIRST: usize = 150;

/// Cuts a poll into calls. `parameters` says how many parameters each machine had last time, if known.
pub fn chunks(parameters: &[Option<usize>]) -> Vec<Range<usize>> {
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, count) in parameters.iter().enumerate() {
        let size = count.unwrap_or(PARAMETERS_FIRST) * PARAMETER_BYTES;
        if index > start && (index - start >= CHUNK_MACHINES || bytes + size > CHUNK_BYTES) {
            chunks.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes += size;
    }
    if start < parameters.len() {
        chunks.push(start..parameters.len());
    }
    chunks
}

/// libvirt counts memory in KiB.
pub fn kibibytes(count: u64) -> u64 {
    count.saturating_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_cut_by_count_and_by_size() {
        assert!(chunks(&[]).is_empty());
        assert_eq!(chunks(&[None; 1_200]), [0..500, 500..1_000, 1_000..1_200]);
        let large = [Some(100_000); 5];
        assert_eq!(chunks(&large), [0..2, 2..4, 4..5], "4 MB each");
        assert_eq!(chunks(&[Some(10_000_000); 2]), [0..1, 1..2], "one machine is always asked");
    }
}
