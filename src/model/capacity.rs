//! How much there is, how much is promised, how much is left.

use serde::{Deserialize, Serialize};

/// One resource: total, allocated and available (IFA005 capacity, REQ-CM-FUN-24).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Amount {
    /// What exists.
    pub total: u64,
    /// Promised to virtual machines or volumes that exist.
    pub allocated: u64,
    /// `(total − reserved) × overcommit − allocated`, never below zero.
    pub available: u64,
    /// The ratio used for `available`.
    pub overcommit: f64,
    /// Part of the total that settings keep for the host itself.
    #[serde(default)]
    pub reserved: u64,
}

impl Amount {
    /// The amount that follows from total, allocation and overcommit ratio, with nothing reserved.
    pub fn new(total: u64, allocated: u64, overcommit: f64) -> Self {
        Self::reserving(total, allocated, overcommit, 0)
    }

    /// The same with a part that is kept for the host itself; at most the total.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "capacities lie far below 2^53 and ratios are checked to be positive"
    )]
    pub fn reserving(total: u64, allocated: u64, overcommit: f64, reserved: u64) -> Self {
        let reserved = reserved.min(total);
        let limit = ((total - reserved) as f64 * overcommit) as u64;
        Self { total, allocated, available: limit.saturating_sub(allocated), overcommit, reserved }
    }
}

/// Capacity of a host, pool, backing or cluster; what does not apply is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Virtual CPUs.
    pub vcpus: Option<Amount>,
    /// Memory in bytes.
    pub memory_bytes: Option<Amount>,
    /// Storage in bytes.
    pub storage_bytes: Option<Amount>,
}

/// Ratios by which more is promised than exists.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overcommit {
    /// Virtual CPUs per logical CPU.
    pub cpu: f64,
    /// Guest memory per installed memory.
    pub memory: f64,
    /// Volume capacity per pool capacity.
    pub storage: f64,
}

impl Default for Overcommit {
    /// operations.md F14: cpu 4.0, memory 1.0, storage 2.0.
    fn default() -> Self {
        Self { cpu: 4.0, memory: 1.0, storage: 2.0 }
    }
}
