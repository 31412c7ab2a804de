//! Metrics: what can be measured, with unit and kind. Generated from `performance/catalogue.toml`.
//!
//! Only what every reading needs is here; texts, availability and standards are in `performance::catalogue`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

include!(concat!(env!("OUT_DIR"), "/metrics.rs"));

/// How a metric's readings become the result of a period (3GPP TS 32.404).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MetricKind {
    /// Counts up from a start; told as the difference over the period (CC).
    Cumulative,
    /// A level; told as mean, least, greatest and last (GAUGE).
    Gauge,
    /// Discrete events; counted over the period (DER).
    Event,
    /// A state or a setting; told as the last reading (SI).
    Status,
}

/// Class of what is measured: managed objects, and parts of them that are measured on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeasuredClass {
    /// A host.
    Host,
    /// A CPU of a host.
    HostCpu,
    /// A NUMA node of a host.
    NumaNode,
    /// A disk of a host.
    HostDisk,
    /// A filesystem of a host.
    HostFilesystem,
    /// A network interface of a host.
    HostNic,
    /// A sensor of a host.
    Sensor,
    /// A virtual machine.
    VirtualMachine,
    /// A virtual CPU.
    VirtualCpu,
    /// A disk of a machine.
    VirtualDisk,
    /// A NIC of a machine.
    VirtualNic,
    /// A storage pool.
    StoragePool,
    /// A volume.
    Volume,
    /// A virtual network.
    Network,
    /// The cluster.
    Cluster,
    /// The VRM.
    Vrm,
}

#[derive(Debug)]
struct Facts {
    number: u16,
    name: &'static str,
    class: MeasuredClass,
    unit: &'static str,
    kind: MetricKind,
}

impl Metric {
    fn facts(self) -> &'static Facts {
        &Self::FACTS[self as usize]
    }

    /// Its number, as stored; never given to another metric.
    pub fn number(self) -> u16 {
        self.facts().number
    }

    /// Its name, e.g. `vm.cpu.usage`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Class of the objects that have it.
    pub fn class(self) -> MeasuredClass {
        self.facts().class
    }

    /// Its unit in UCUM, e.g. `By`.
    pub fn unit(self) -> &'static str {
        self.facts().unit
    }

    /// How its readings become results.
    pub fn kind(self) -> MetricKind {
        self.facts().kind
    }

    /// The metric of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// The metric of a stored number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.number() == number)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown metric {name:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_metric_is_found_by_name_and_number() {
        for metric in Metric::ALL {
            assert_eq!(Metric::parse(metric.name()), Some(metric));
            assert_eq!(Metric::from_number(metric.number()), Some(metric));
        }
        let numbers: BTreeSet<u16> = Metric::ALL.into_iter().map(Metric::number).collect();
        assert_eq!(numbers.len(), Metric::ALL.len());
    }
}
