//! Conditions over time: how long one must stand before it is told, and be over before it is cleared.
//!
//! Nothing here knows of alarms: it turns what detectors say into steps for the alarm list. Times are
//! passed in; [`Conditions::next_deadline`] says when [`Conditions::tick`] has something to do.

use super::catalogue::AlarmType;
use super::finding::{Finding, Hold};
use super::place::owner;
use crate::model::{Name, Timestamp};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// A condition that came back this often within [`TOGGLE_WINDOW`] toggles: its clear is held back.
const TOGGLES: usize = 4;

/// Window of toggle detection, and how long a toggling condition must be over (3GPP TS 32.122).
const TOGGLE_WINDOW: Duration = Duration::from_secs(600);

/// Which condition: the identity of its alarm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConditionKey {
    /// The faulty object.
    pub object: Name,
    /// The type.
    pub alarm_type: AlarmType,
}

impl ConditionKey {
    /// Key of a finding.
    pub fn of(finding: &Finding) -> Self {
        Self { object: finding.object.clone(), alarm_type: finding.alarm_type }
    }
}

/// How a condition is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// It must stand so long before it is told.
    pub hold_on: Duration,
    /// It must be over so long before it is cleared.
    pub hold_off: Duration,
    /// Nothing says that it is over: it is when it was not seen for `hold_off`.
    pub quiet_time: bool,
}

/// What follows for the alarm list.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The condition stood long enough.
    Raise {
        /// It.
        finding: Box<Finding>,
        /// Since when it stands.
        since: Timestamp,
    },
    /// It was detected again, perhaps with other words or another severity.
    Again(Box<Finding>),
    /// It is over.
    Clear(ConditionKey),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Pending,
    Told,
    Ending,
}

#[derive(Clone, Debug)]
struct Condition {
    finding: Finding,
    since: Timestamp,
    phase: Phase,
    timing: Timing,
    /// When the phase ends by itself.
    due: Option<Timestamp>,
    /// When an event told it last, or else its begin.
    detected: Timestamp,
}

/// A condition that stands, as detectors see it.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// What was found.
    pub finding: &'a Finding,
    /// When an event told it last, or else its begin.
    pub detected: Timestamp,
}

impl Standing<'_> {
    /// True if only an event told it so far; what was told before a restart counts as such.
    pub fn by_event(&self) -> bool {
        self.finding.hold == Hold::Event
    }
}

/// Every condition that stands or ends.
#[derive(Debug, Default)]
pub struct Conditions {
    standing: HashMap<ConditionKey, Condition>,
    by_owner: HashMap<Name, BTreeSet<ConditionKey>>,
    due: BTreeSet<(Timestamp, ConditionKey)>,
    /// When conditions came back, for toggle detection.
    returns: HashMap<ConditionKey, VecDeque<Timestamp>>,
}

impl Conditions {
    /// Takes a condition that was told before a restart.
    pub fn restore(&mut self, finding: Finding, timing: Timing, since: Timestamp, now: Timestamp) {
        let key = ConditionKey::of(&finding);
        let due = timing.quiet_time.then(|| now.plus(timing.hold_off));
        let finding = Finding { hold: Hold::Event, ..finding };
        self.put(key, Condition { finding, since, phase: Phase::Told, timing, due, detected: since });
    }

    /// The condition is there.
    pub fn present(&mut self, finding: Finding, timing: Timing, now: Timestamp) -> Option<Step> {
        let key = ConditionKey::of(&finding);
        let quiet = timing.quiet_time && finding.hold != Hold::Shown;
        let quiet_due = quiet.then(|| now.plus(timing.hold_off));
        let Some(mut condition) = self.take(&key) else {
            let due = Some(told_at(&finding, timing, now));
            let mut condition = Condition { finding, since: now, phase: Phase::Pending, timing, due, detected: now };
            let step = (due <= Some(now)).then(|| condition.tell(quiet_due));
            self.put(key, condition);
            return step;
        };
        if finding.hold == Hold::Event {
            condition.detected = now;
        }
        let changed = condition.finding != finding;
        let step = match condition.phase {
            Phase::Pending => {
                let due = told_at(&finding, timing, condition.since);
                condition.due = Some(due);
                condition.finding = finding.clone();
                (due <= now).then(|| condition.tell(quiet_due))
            }
            Phase::Ending => {
                self.note_return(&key, now);
                condition.phase = Phase::Told;
                condition.due = quiet_due;
                Some(Step::Again(Box::new(finding.clone())))
            }
            // What was told for its time having come is not due after all.
            Phase::Told if matches!(finding.hold, Hold::Until(time) if time > now) => {
                condition.phase = Phase::Pending;
                condition.due = Some(told_at(&finding, timing, now));
                Some(Step::Clear(key.clone()))
            }
            Phase::Told => {
                condition.due = quiet_due;
                (changed || timing.quiet_time).then(|| Step::Again(Box::new(finding.clone())))
            }
        };
        condition.finding = finding;
        condition.timing = timing;
        self.put(key, condition);
        step
    }

    /// The condition is over.
    pub fn over(&mut self, key: &ConditionKey, now: Timestamp) -> Option<Step> {
        let mut condition = self.take(key)?;
        if condition.phase == Phase::Pending {
            return None;
        }
        if condition.phase == Phase::Ending {
            self.put(key.clone(), condition);
            return None;
        }
        // A quiet time is for conditions of which nothing says that they are over; here something did.
        let said = condition.timing.quiet_time && condition.finding.hold != Hold::Shown;
        let ordinary = if said { Duration::ZERO } else { condition.timing.hold_off };
        let hold_off = if self.toggles(key, now) { ordinary.max(TOGGLE_WINDOW) } else { ordinary };
        if hold_off.is_zero() {
            self.note_return(key, now);
            return Some(Step::Clear(key.clone()));
        }
        condition.phase = Phase::Ending;
        condition.due = Some(now.plus(hold_off));
        self.put(key.clone(), condition);
        None
    }

    /// The condition is over at once, whatever its hold-off; true if it had been told.
    pub fn forget(&mut self, key: &ConditionKey) -> bool {
        self.returns.remove(key);
        self.take(key).is_some_and(|condition| condition.phase != Phase::Pending)
    }

    /// What is due.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some((due, key)) = self.due.first().cloned() {
            if due > now {
                break;
            }
            let Some(mut condition) = self.take(&key) else { continue };
            if condition.phase == Phase::Pending {
                let quiet_due = condition.timing.quiet_time.then(|| now.plus(condition.timing.hold_off));
                steps.push(condition.tell(quiet_due));
                self.put(key, condition);
            } else {
                steps.push(Step::Clear(key));
            }
        }
        self.returns.retain(|_, times| times.back().is_some_and(|last| now.since(*last) < TOGGLE_WINDOW));
        steps
    }

    /// When something is due.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// True if the condition stands, told or not.
    pub fn stands(&self, key: &ConditionKey) -> bool {
        self.standing.get(key).is_some_and(|condition| condition.phase != Phase::Ending)
    }

    /// A condition that stands, told or not, as detectors see it.
    pub fn standing(&self, key: &ConditionKey) -> Option<Standing<'_>> {
        let condition = self.standing.get(key).filter(|condition| condition.phase != Phase::Ending)?;
        Some(Standing { finding: &condition.finding, detected: condition.detected })
    }

    /// What was found for a key, if it stands.
    pub fn finding(&self, key: &ConditionKey) -> Option<&Finding> {
        self.standing.get(key).map(|condition| &condition.finding)
    }

    /// Conditions of an object and its parts.
    pub fn of_owner(&self, object: &Name) -> Vec<ConditionKey> {
        self.by_owner.get(object).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// Every condition, told or not.
    pub fn keys(&self) -> Vec<ConditionKey> {
        self.standing.keys().cloned().collect()
    }

    /// True if it came and went so often that it is held.
    pub fn toggles(&self, key: &ConditionKey, now: Timestamp) -> bool {
        self.returns
            .get(key)
            .is_some_and(|times| times.iter().filter(|time| now.since(**time) < TOGGLE_WINDOW).count() >= TOGGLES)
    }

    fn note_return(&mut self, key: &ConditionKey, now: Timestamp) {
        let times = self.returns.entry(key.clone()).or_default();
        times.push_back(now);
        if times.len() > TOGGLES {
            times.pop_front();
        }
    }

    fn take(&mut self, key: &ConditionKey) -> Option<Condition> {
        let condition = self.standing.remove(key)?;
        let place = owner(&key.object);
        if let Some(keys) = self.by_owner.get_mut(&place) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_owner.remove(&place);
            }
        }
        if let Some(due) = condition.due {
            self.due.remove(&(due, key.clone()));
        }
        Some(condition)
    }

    fn put(&mut self, key: ConditionKey, condition: Condition) {
        if let Some(due) = condition.due {
            self.due.insert((due, key.clone()));
        }
        self.by_owner.entry(owner(&key.object)).or_default().insert(key.clone());
        self.standing.insert(key, condition);
    }
}

impl Condition {
    /// It stood long enough.
    fn tell(&mut self, quiet_due: Option<Timestamp>) -> Step {
        self.phase = Phase::Told;
        self.due = quiet_due;
        Step::Raise { finding: Box::new(self.finding.clone()), since: self.since }
    }
}

/// When a condition that began at `since` is to be told.
fn told_at(finding: &Finding, timing: Timing, since: Timestamp) -> Timestamp {
    match finding.hold {
        Hold::Usual => since.plus(timing.hold_on),
        Hold::Event | Hold::Shown => since,
        Hold::For(time) => since.plus(time),
        Hold::Until(time) => time,
    }
}
