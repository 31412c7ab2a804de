//! Places in the log, and how far its lists can be trusted.

/// A place in the log. Positions of different epochs do not compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Identity of the log; a new one is made when the log is lost, restored or set aside.
    pub epoch: String,
    /// Sequence number; 0 is before the first change.
    pub sequence: u64,
}

/// How far the served lists can be trusted (TS 28.532 potentially faulty / list rebuilt).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListStatus {
    /// The verdict.
    pub condition: ListCondition,
    /// Why.
    pub reason: Option<StatusReason>,
    /// Names of the objects whose subtree the verdict concerns; empty for everything.
    pub scope: Vec<String>,
    /// True if consumers should align their copy.
    pub alignment_required: bool,
}

/// Verdict on the served lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ListCondition {
    /// What is listed is what is.
    #[default]
    Reliable,
    /// Parts may be wrong or old.
    PotentiallyFaulty,
    /// The lists were made anew.
    Rebuilt,
}

/// Why lists cannot be trusted fully.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusReason {
    /// Hosts do not answer; what is known of them is old.
    HostsUnreachable,
    /// The daemon started and has not read every host yet.
    Starting,
    /// The store cannot take changes.
    Store,
    /// The log was lost or set aside.
    LogReset,
    /// The daemon restarted; every host was read and every stored alarm judged anew.
    Restarted,
}
