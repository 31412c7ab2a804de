//! From bulk statistics records to figures, and how a poll is cut into pieces. Pure.

use super::ffi::typed::Value;
use crate::model::virtual_machine::{DiskVolatile, NicVolatile};
use std::collections::BTreeMap;
use std::ops::Range;
use virt_sys as sys;

/// Groups of one statistics poll. VCPU and VM are left out: they grow by some fifty parameters per
/// virtual CPU. STATE and INTERFACE are answered without the hypervisor process.
pub const GROUPS: u32 = sys::VIR_DOMAIN_STATS_STATE
    | sys::VIR_DOMAIN_STATS_CPU_TOTAL
    | sys::VIR_DOMAIN_STATS_BALLOON
    | sys::VIR_DOMAIN_STATS_INTERFACE
    | sys::VIR_DOMAIN_STATS_BLOCK;

/// Groups that can be asked of a machine whose hypervisor process hangs.
pub const GROUPS_WITHOUT_MONITOR: u32 = sys::VIR_DOMAIN_STATS_STATE | sys::VIR_DOMAIN_STATS_INTERFACE;

/// Never wait for a busy hypervisor process: take what is there.
pub const NOWAIT: u32 = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;

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

/// Figures of one machine as a record has them; NICs still by interface name.
#[derive(Debug, Default, PartialEq)]
pub struct Figures {
    /// libvirt's numbers for state and reason.
    pub state: Option<(i32, i32)>,
    /// Nanoseconds.
    pub cpu_time_ns: Option<u64>,
    /// Bytes.
    pub memory_actual_bytes: Option<u64>,
    /// Bytes.
    pub memory_rss_bytes: Option<u64>,
    /// By target.
    pub disks: BTreeMap<String, DiskVolatile>,
    /// By interface name on the host.
    pub nics: BTreeMap<String, NicVolatile>,
    /// Parameters the record had.
    pub parameters: usize,
    /// It holds figures that only the hypervisor process can give.
    pub has_monitor_figures: bool,
}

impl Figures {
    /// Reads a record; keys and types this version does not know are passed over.
    pub fn read<'a, N: AsRef<str>>(parameters: impl Iterator<Item = (N, Value<'a>)>) -> Self {
        let mut figures = Self::default();
        let (mut disks, mut nics) = (Indexed::default(), Indexed::default());
        let (mut state, mut reason) = (None, None);
        for (key, value) in parameters {
            figures.parameters += 1;
            let key = key.as_ref();
            match key {
                "state.state" => state = number(&value),
                "state.reason" => reason = number(&value),
                "cpu.time" => figures.cpu_time_ns = value.as_u64(),
                "balloon.current" => figures.memory_actual_bytes = value.as_u64().map(kibibytes),
                "balloon.rss" => {
                    figures.memory_rss_bytes = value.as_u64().map(kibibytes);
                    figures.has_monitor_figures = true;
                }
                _ => {
                    if let Some(rest) = key.strip_prefix("block.") {
                        figures.has_monitor_figures |= disks.read(rest, &value, disk_field);
                    } else if let Some(rest) = key.strip_prefix("net.") {
                        nics.read(rest, &value, nic_field);
                    }
                }
            }
        }
        figures.state = state.zip(reason.or(Some(0)));
        figures.disks = disks.named();
        figures.nics = nics.named();
        figures
    }
}

/// Entries numbered by libvirt, whose name comes as a field among others.
struct Indexed<T>(BTreeMap<u32, (Option<String>, T)>);

impl<T> Default for Indexed<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Default> Indexed<T> {
    /// Takes `N.field`; says whether the field comes from the hypervisor process.
    fn read(&mut self, key: &str, value: &Value<'_>, set: fn(&mut T, &str, u64) -> bool) -> bool {
        let Some((index, field)) = key.split_once('.') else { return false };
        let Ok(index) = index.parse() else { return false };
        let entry = self.0.entry(index).or_default();
        match (field, value) {
            ("name", Value::Text(name)) => entry.0 = Some(name.to_string()),
            (_, value) => return value.as_u64().is_some_and(|value| set(&mut entry.1, field, value)),
        }
        false
    }

    fn named(self) -> BTreeMap<String, T> {
        self.0.into_values().filter_map(|(name, entry)| Some((name?, entry))).collect()
    }
}

fn disk_field(disk: &mut DiskVolatile, field: &str, value: u64) -> bool {
    match field {
        "rd.bytes" => disk.read_bytes = Some(value),
        "wr.bytes" => disk.written_bytes = Some(value),
        "allocation" => disk.allocation_bytes = Some(value),
        "capacity" => disk.capacity_bytes = Some(value),
        "physical" => disk.physical_bytes = Some(value),
        _ => {}
    }
    field == "rd.reqs"
}

fn nic_field(nic: &mut NicVolatile, field: &str, value: u64) -> bool {
    match field {
        "rx.bytes" => nic.received_bytes = Some(value),
        "tx.bytes" => nic.transmitted_bytes = Some(value),
        _ => {}
    }
    false
}

fn number(value: &Value<'_>) -> Option<i32> {
    value.as_u64().and_then(|number| i32::try_from(number).ok())
}

/// libvirt counts memory in KiB.
pub fn kibibytes(count: u64) -> u64 {
    count.saturating_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn a_record_of_qemu() {
        let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
        let figures = Figures::read(
            [
                ("state.state", Value::Signed(1)),
                ("state.reason", Value::Signed(5)),
                ("cpu.time", Value::Unsigned(7)),
                ("balloon.current", Value::Unsigned(2)),
                ("balloon.rss", Value::Unsigned(3)),
                ("block.count", Value::Unsigned(2)),
                ("block.0.name", text("vda")),
                ("block.0.rd.reqs", Value::Unsigned(9)),
                ("block.0.rd.bytes", Value::Unsigned(11)),
                ("block.7.name", text("hdc")),
                ("block.7.capacity", Value::Unsigned(13)),
                ("net.count", Value::Unsigned(1)),
                ("net.0.name", text("vnet3")),
                ("net.0.rx.bytes", Value::Unsigned(17)),
                ("net.0.tx.bytes", Value::Signed(19)),
                ("vcpu.0.something.new", Value::Boolean(true)),
                ("block.x.name", text("no index")),
            ]
            .into_iter(),
        );
        assert_eq!(figures.state, Some((1, 5)));
        assert_eq!(figures.cpu_time_ns, Some(7));
        assert_eq!(figures.memory_actual_bytes, Some(2_048));
        assert_eq!(figures.disks["vda"].read_bytes, Some(11));
        assert_eq!(figures.disks["vda"].written_bytes, None, "absent is absent, never 0");
        assert_eq!(figures.disks["hdc"].capacity_bytes, Some(13));
        assert_eq!(figures.nics["vnet3"].received_bytes, Some(17));
        assert_eq!(figures.nics["vnet3"].transmitted_bytes, Some(19));
        assert!(figures.has_monitor_figures);
        assert_eq!(figures.parameters, 17);
    }

    #[test]
    fn without_the_monitor_nothing_is_zero() {
        let figures = Figures::read([("state.state", Value::Signed(1)), ("cpu.time", Value::Unsigned(5))].into_iter());
        assert!(!figures.has_monitor_figures);
        assert_eq!((figures.memory_rss_bytes, figures.disks.len()), (None, 0));
    }

    #[test]
    fn polls_are_cut_by_count_and_by_size() {
        assert!(chunks(&[]).is_empty());
        assert_eq!(chunks(&[None; 1_200]), [0..500, 500..1_000, 1_000..1_200]);
        let large = [Some(100_000); 5];
        assert_eq!(chunks(&large), [0..2, 2..4, 4..5], "4 MB each");
        assert_eq!(chunks(&[Some(10_000_000); 2]), [0..1, 1..2], "one machine is always asked");
    }
}
