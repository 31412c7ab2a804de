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

/// Returns remembered of one condition, whatever a profile asks for.
const RETURNS: usize = 64;

/// When a condition toggles: its clear is held back (3GPP TS 32.122).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toggling {
    /// It came back this often within the window; 0: never.
    pub count: usize,
    /// The window, and how long a toggling condition must be over.
    pub window: Duration,
}

impl Default for Toggling {
    /// Four times in ten minutes.
    fn default() -> Self {
        Self { count: 4, window: Duration::from_secs(600) }
    }
}

impl Toggling {
    fn is_met(self, returns: &Returns, now: Timestamp) -> bool {
        let recent = returns.times.iter().filter(|time| now.since(**time) < self.window).count();
        self.count > 0 && recent >= self.count.min(RETURNS)
    }
}

/// When a condition came back, and how long that matters.
#[derive(Debug, Default)]
struct Returns {
    times: VecDeque<Timestamp>,
    window: Duration,
}

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
    /// It waits so long for others of its kind, which may show a common cause (operations.md F8).
    pub wait: Duration,
    /// It must be over so long before it is cleared.
    pub hold_off: Duration,
    /// Nothing says that it is over: it is when it was not seen for `hold_off`.
    pub quiet_time: bool,
    /// When its coming and going holds its clear back.
    pub toggling: Toggling,
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
    Again {
        /// It.
        finding: Box<Finding>,
        /// It was over for a while and its clear was held back.
        returned: bool,
    },
    /// It is over, but comes and goes so often that its clear is held back.
    Held(ConditionKey),
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
    /// How many of them were reported from outside.
    reported: usize,
    /// When conditions came back, for toggle detection.
    returns: HashMap<ConditionKey, Returns>,
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
        let Some(former) = self.take(&key) else {
            let condition = Condition { finding, since: now, phase: Phase::Pending, timing, due: None, detected: now };
            return self.pend(key, condition, now);
        };
        let changed = former.finding != finding;
        let returned = former.phase == Phase::Ending;
        let detected = if finding.hold == Hold::Event { now } else { former.detected };
        let mut condition = Condition { finding, timing, detected, ..former };
        if former.phase == Phase::Pending {
            return self.pend(key, condition, now);
        }
        if let (Phase::Told, Hold::Until(time)) = (former.phase, condition.finding.hold)
            && time > now
        {
            // What was told for its time having come is not due after all.
            condition.phase = Phase::Pending;
            condition.due = Some(time);
            self.put(key.clone(), condition);
            return Some(Step::Clear(key));
        }
        if returned {
            self.note_return(&key, timing.toggling.window, now);
        }
        condition.phase = Phase::Told;
        condition.due = condition.quiet_due(now);
        let step = (changed || returned || timing.quiet_time)
            .then(|| Step::Again { finding: Box::new(condition.finding.clone()), returned });
        self.put(key, condition);
        step
    }

    /// Lets a condition wait as long as its finding and its timing say, which may be no longer.
    fn pend(&mut self, key: ConditionKey, mut condition: Condition, now: Timestamp) -> Option<Step> {
        let due = condition.told_at();
        if due > now {
            condition.due = Some(due);
            self.put(key, condition);
            return None;
        }
        Some(self.raise(key, condition, now))
    }

    fn raise(&mut self, key: ConditionKey, mut condition: Condition, now: Timestamp) -> Step {
        condition.phase = Phase::Told;
        condition.due = condition.quiet_due(now);
        let step = Step::Raise { finding: Box::new(condition.finding.clone()), since: condition.since };
        self.put(key, condition);
        step
    }

    /// Ends a condition's waiting for others; it is raised if it need not stand longer.
    pub fn hasten(&mut self, key: &ConditionKey, now: Timestamp) -> Option<Step> {
        let mut condition = self.take(key)?;
        if condition.phase != Phase::Pending {
            self.put(key.clone(), condition);
            return None;
        }
        condition.timing.wait = Duration::ZERO;
        self.pend(key.clone(), condition, now)
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
        let toggling = condition.timing.toggling;
        let toggles = self.returns.get(key).is_some_and(|returns| toggling.is_met(returns, now));
        let hold_off = if toggles { ordinary.max(toggling.window) } else { ordinary };
        if hold_off.is_zero() {
            self.note_return(key, toggling.window, now);
            return Some(Step::Clear(key.clone()));
        }
        condition.phase = Phase::Ending;
        condition.due = Some(now.plus(hold_off));
        self.put(key.clone(), condition);
        toggles.then(|| Step::Held(key.clone()))
    }

    /// The condition is over at once, whatever its hold-off; true if it had been told.
    pub fn forget(&mut self, key: &ConditionKey) -> bool {
        self.returns.remove(key);
        self.take(key).is_some_and(|condition| condition.phase != Phase::Pending)
    }

    /// Drops a condition that was not told yet; true if there was one.
    pub fn forget_pending(&mut self, key: &ConditionKey) -> bool {
        let pending = self.standing.get(key).is_some_and(|condition| condition.phase == Phase::Pending);
        pending && self.take(key).is_some()
    }

    /// What is due.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some((due, key)) = self.due.first().cloned() {
            if due > now {
                break;
            }
            let Some(condition) = self.take(&key) else { continue };
            if condition.phase == Phase::Pending {
                steps.push(self.raise(key, condition, now));
            } else {
                steps.push(Step::Clear(key));
            }
        }
        self.returns.retain(|_, held| held.times.back().is_some_and(|last| now.since(*last) < held.window));
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

    /// What was found for a key, if it stands.
    pub fn finding(&self, key: &ConditionKey) -> Option<&Finding> {
        self.standing.get(key).map(|condition| &condition.finding)
    }

    /// A condition that stands, told or not, as detectors see it.
    pub fn standing(&self, key: &ConditionKey) -> Option<Standing<'_>> {
        let condition = self.standing.get(key).filter(|condition| condition.phase != Phase::Ending)?;
        Some(Standing { finding: &condition.finding, detected: condition.detected })
    }

    /// Conditions of an object and its parts.
    pub fn of_owner(&self, object: &Name) -> Vec<ConditionKey> {
        self.by_owner.get(object).map(|keys| keys.iter().cloned().collect()).unwrap_or_default()
    }

    /// Since when the condition is there, if it stands.
    pub fn since(&self, key: &ConditionKey) -> Option<Timestamp> {
        self.standing.get(key).filter(|condition| condition.phase != Phase::Ending).map(|condition| condition.since)
    }

    /// True if the condition was told and is not over.
    pub fn is_told(&self, key: &ConditionKey) -> bool {
        self.standing.get(key).is_some_and(|condition| condition.phase == Phase::Told)
    }

    /// How many conditions that somebody reported stand.
    pub fn reported(&self) -> usize {
        self.reported
    }

    /// Every condition, told or not.
    pub fn keys(&self) -> Vec<ConditionKey> {
        self.standing.keys().cloned().collect()
    }

    /// True if it came and went so often that it is held.
    pub fn toggles(&self, key: &ConditionKey, now: Timestamp) -> bool {
        let toggling = self.standing.get(key).map(|condition| condition.timing.toggling).unwrap_or_default();
        self.returns.get(key).is_some_and(|returns| toggling.is_met(returns, now))
    }

    fn note_return(&mut self, key: &ConditionKey, window: Duration, now: Timestamp) {
        let returns = self.returns.entry(key.clone()).or_default();
        returns.window = window;
        returns.times.push_back(now);
        if returns.times.len() > RETURNS {
            returns.times.pop_front();
        }
    }

    fn take(&mut self, key: &ConditionKey) -> Option<Condition> {
        let condition = self.standing.remove(key)?;
        self.reported -= usize::from(is_reported(&condition));
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
        self.reported += usize::from(is_reported(&condition));
        self.standing.insert(key, condition);
    }
}

impl Condition {
    /// When it is to be told: what an event told or the state plainly shows neither stands nor waits.
    fn told_at(&self) -> Timestamp {
        let held = match self.finding.hold {
            Hold::Event | Hold::Shown => return self.since,
            Hold::Usual => self.since.plus(self.timing.hold_on),
            Hold::For(time) => self.since.plus(time),
            Hold::Until(time) => time,
        };
        held.max(self.since.plus(self.timing.wait))
    }

    /// When its quiet time ends, if it has one and nothing shows it any more.
    fn quiet_due(&self, now: Timestamp) -> Option<Timestamp> {
        let quiet = self.timing.quiet_time && self.finding.hold != Hold::Shown;
        quiet.then(|| now.plus(self.timing.hold_off))
    }
}

/// Attribute that names who reported a condition.
pub const REPORTED_BY: &str = "reported_by";

fn is_reported(condition: &Condition) -> bool {
    condition.finding.attributes.contains_key(REPORTED_BY)
}
