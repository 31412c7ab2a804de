//! Machines that fail again and again (catalogue type vmCrashLoop).

use super::catalogue::AlarmType;
use super::conditions::ConditionKey;
use super::finding::{Finding, Sign};
use super::place::owner;
use crate::model::{Name, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Failures that make a loop.
const FAILURES: usize = 3;

/// Within this time.
const WINDOW: Duration = Duration::from_secs(600);

/// Machines remembered before those that did not fail lately are forgotten: 1,000.
const REMEMBERED: usize = 1_000;

/// What is told of one failure by several signs comes within this time: 10 s.
const ONE_FAILURE: Duration = Duration::from_secs(10);

/// When machines failed lately.
#[derive(Debug, Default)]
pub(super) struct CrashLoops {
    failures: HashMap<Name, VecDeque<Timestamp>>,
}

impl CrashLoops {
    /// A condition was raised or came back; answers what follows for its machine.
    pub(super) fn failed(&mut self, key: &ConditionKey, now: Timestamp) -> Option<Sign> {
        use AlarmType::{VmCrashed, VmGuestPanicked, VmWatchdogFired};
        if !matches!(key.alarm_type, VmCrashed | VmGuestPanicked | VmWatchdogFired) {
            return None;
        }
        let machine = owner(&key.object);
        if self.failures.len() > REMEMBERED {
            self.failures.retain(|_, times| times.back().is_some_and(|last| now.since(*last) < WINDOW));
        }
        let times = self.failures.entry(machine.clone()).or_default();
        if times.back().is_some_and(|last| now.since(*last) < ONE_FAILURE) {
            return None;
        }
        times.push_back(now);
        times.retain(|time| now.since(*time) < WINDOW);
        let count = times.len();
        if count < FAILURES {
            return None;
        }
        let text = format!("failed {count} times within {} minutes", WINDOW.as_secs() / 60);
        Some(Sign::Present(Box::new(Finding::new(AlarmType::VmCrashLoop, &machine, text))))
    }
}
