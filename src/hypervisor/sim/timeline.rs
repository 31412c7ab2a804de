//! What each machine does by itself: its state as a closed function of time.
//!
//! Time is cut into eras of eight steps, per machine with its own offset. In every era a machine
//! follows one of a few patterns that begin and end with the machine off at home, so that the state
//! at any time follows from at most eight steps, whatever happened before.

use super::dice::{Dice, Topic};
use super::params::Churn;
use crate::model::time::Timestamp;
use crate::model::virtual_machine::{RunState, RunStateReason};

/// Steps of one era.
const STEPS: usize = 8;
/// Time of one step at least, in microseconds: with half of the machines moving, 24 machines
/// make a change every 2.5 s.
const STEP_US: i64 = 30_000_000;
/// Most changes per second that a world makes by itself; beyond that steps become longer.
const MAX_CHANGES_PER_SECOND: i64 = 50;
/// Hosts that share storage and between which machines move.
pub const GROUP: u64 = 4;
/// Steady machines were started in the days before this instant (2026-01-01), in microseconds since 1970.
const STEADY_SINCE: i64 = 1_767_225_600_000_000;

/// One thing a machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Starts.
    Boot,
    /// Is paused.
    Pause,
    /// Goes on.
    Resume,
    /// Is shut down by its guest.
    Shutdown,
    /// Is switched off.
    Destroy,
    /// Is migrated to its partner host.
    Out,
    /// Is migrated back.
    Home,
    /// Gets another name.
    Rename,
    /// Gets its old name back.
    RenameBack,
    /// A snapshot is taken.
    Snapshot,
    /// That snapshot is deleted.
    DropSnapshot,
    /// A new machine takes the place of the former one.
    Define,
}

use Act::{Boot, Destroy, DropSnapshot, Home, Out, Pause, Rename, RenameBack, Resume, Shutdown, Snapshot};

const LOCAL: [[Act; STEPS]; 2] = [
    [Boot, Pause, Resume, Destroy, Boot, Pause, Resume, Shutdown],
    [Boot, Shutdown, Boot, Pause, Resume, Pause, Resume, Shutdown],
];
const MOBILE: [[Act; STEPS]; 2] =
    [[Boot, Out, Pause, Resume, Home, Pause, Resume, Shutdown], [Boot, Out, Home, Shutdown, Boot, Out, Home, Destroy]];
const LIFECYCLE: [[Act; STEPS]; 2] = [
    [Rename, Boot, Snapshot, Pause, Resume, DropSnapshot, Shutdown, RenameBack],
    [Boot, Snapshot, Shutdown, Rename, Boot, DropSnapshot, Shutdown, RenameBack],
];

/// How a machine behaves over its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Always the same.
    Steady(RunState),
    /// Moves; may leave its host if `mobile`; is replaced every era if `tenant`.
    Moving {
        /// Migrates.
        mobile: bool,
        /// Makes room for a new machine at every era.
        tenant: bool,
    },
}

/// State of a machine at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Which machine of this slot it is, from 0.
    pub generation: u64,
    /// Index of the host where it is.
    pub host: u64,
    /// What it is doing.
    pub run_state: RunState,
    /// Why.
    pub reason: RunStateReason,
    /// Which start this is; nothing when off.
    pub incarnation: Option<u64>,
    /// Simulated microseconds it has been running since that start, weighted by its load over time.
    pub active_us: i64,
    /// It has its other name.
    pub renamed: bool,
    /// The passing snapshot exists.
    pub snapshot: bool,
}

/// The timelines of all machines of a world.
#[derive(Clone, Debug)]
pub struct Timeline {
    dice: Dice,
    hosts: u64,
    churn: Churn,
    step_us: i64,
    speed_milli: u32,
}

impl Timeline {
    /// Timelines for `vms` machines on `hosts` hosts.
    pub fn new(dice: Dice, hosts: u32, vms: u32, churn: Churn, speed_milli: u32) -> Self {
        let moving = i64::from(vms) / 2;
        let step_us = STEP_US.max(moving * 1_000_000 / MAX_CHANGES_PER_SECOND);
        Self { dice, hosts: u64::from(hosts.max(1)), churn, step_us, speed_milli }
    }

    /// How the machine of a slot behaves.
    pub fn temper(&self, slot: u64) -> Temper {
        // 61 is prime to 100: any run of slots has each kind in nearly its share.
        let share = (slot * 61 + self.dice.below(100, Topic::Steady, 0, 0)) % 100;
        if self.churn == Churn::None {
            return Temper::Steady(match share {
                0..60 => RunState::Running,
                60..68 => RunState::Paused,
                _ => RunState::Off,
            });
        }
        match share {
            0..33 => Temper::Steady(RunState::Running),
            33..36 => Temper::Steady(RunState::Paused),
            36..50 => Temper::Steady(RunState::Off),
            _ => Temper::Moving {
                mobile: share.is_multiple_of(2),
                tenant: self.churn == Churn::Lifecycle && share % 5 == 1,
            },
        }
    }

    /// Host of a slot while nothing has moved it.
    pub fn home(&self, slot: u64) -> u64 {
        slot % self.hosts
    }

    /// Host to which a mobile machine moves: another one of its group; its home if there is none.
    pub fn partner(&self, slot: u64) -> u64 {
        let home = self.home(slot);
        let first = home / GROUP * GROUP;
        let size = GROUP.min(self.hosts - first);
        if size < 2 {
            return home;
        }
        let offset = 1 + self.dice.below(size - 1, Topic::Partner, slot, 0);
        first + (home - first + offset) % size
    }

    /// True if the machine of this slot may migrate.
    pub fn is_mobile(&self, slot: u64) -> bool {
        matches!(self.temper(slot), Temper::Moving { mobile: true, .. }) && self.partner(slot) != self.home(slot)
    }

    /// Which machine of a slot it is at a simulated time: always 0 unless it is a tenant's.
    pub fn generation(&self, slot: u64, time: i64) -> u64 {
        match self.temper(slot) {
            Temper::Moving { tenant: true, .. } => unsigned(self.era(slot, time)),
            _ => 0,
        }
    }

    /// True if the machine of the slot makes room for another one at times.
    pub fn is_tenant(&self, slot: u64) -> bool {
        matches!(self.temper(slot), Temper::Moving { tenant: true, .. })
    }

    /// State of a slot at a simulated time.
    pub fn at(&self, slot: u64, time: i64) -> Moment {
        match self.temper(slot) {
            Temper::Steady(state) => self.steady(slot, state, time),
            Temper::Moving { tenant, .. } => self.moving(slot, tenant, time),
        }
    }

    /// When the slot changes next after `time`, and how; nothing for a steady one.
    pub fn next(&self, slot: u64, time: i64) -> Option<(i64, Act)> {
        let Temper::Moving { tenant, .. } = self.temper(slot) else { return None };
        let era = self.era(slot, time);
        [era, era + 1].into_iter().find_map(|era| {
            let begin = tenant.then(|| (self.era_start(slot, era), Act::Define));
            begin.into_iter().chain(self.steps(slot, era)).find(|(at, _)| *at > time)
        })
    }

    fn era(&self, slot: u64, time: i64) -> i64 {
        (time + self.phase(slot)).div_euclid(self.step_us * 8)
    }

    fn era_start(&self, slot: u64, era: i64) -> i64 {
        era * self.step_us * 8 - self.phase(slot)
    }

    fn phase(&self, slot: u64) -> i64 {
        signed(self.dice.below(unsigned(self.step_us * 8), Topic::Phase, slot, 0))
    }

    fn steps(&self, slot: u64, era: i64) -> impl Iterator<Item = (i64, Act)> {
        let start = self.era_start(slot, era);
        let (dice, step_us) = (self.dice, self.step_us);
        self.pattern(slot, era).into_iter().enumerate().map(move |(index, act)| {
            let index = index as u64;
            let jitter = dice.below(unsigned(step_us / 2), Topic::Jitter, slot, unsigned(era) * 8 + index);
            (start + signed(index) * step_us + signed(jitter) + 1, act)
        })
    }

    fn pattern(&self, slot: u64, era: i64) -> [Act; STEPS] {
        let roll = self.dice.roll(Topic::Pattern, slot, unsigned(era));
        let choices = match self.churn {
            Churn::Lifecycle if roll.is_multiple_of(3) => &LIFECYCLE,
            _ if self.is_mobile(slot) => &MOBILE,
            _ => &LOCAL,
        };
        choices[usize::from((roll >> 32) & 1 == 1)]
    }

    fn steady(&self, slot: u64, run_state: RunState, time: i64) -> Moment {
        let since = started_before(real(time, self.speed_milli).0);
        let boot = simulated(Timestamp(since), self.speed_milli)
            - 1
            - signed(self.dice.below(864_000_000_000, Topic::Boot, slot, 0));
        let (reason, active) = match run_state {
            RunState::Running => (RunStateReason::Booted, weighted(boot, time)),
            RunState::Paused => (RunStateReason::User, weighted(boot, boot + 3_600_000_000)),
            _ => (RunStateReason::Shutdown, 0),
        };
        Moment {
            generation: 0,
            host: self.home(slot),
            run_state,
            reason,
            incarnation: run_state.is_active().then_some(slot + 1),
            active_us: active,
            renamed: false,
            snapshot: false,
        }
    }

    fn moving(&self, slot: u64, tenant: bool, time: i64) -> Moment {
        let era = self.era(slot, time);
        let mut walk = Walk::begin(self, slot, tenant, era);
        for (index, (at, act)) in self.steps(slot, era).enumerate() {
            if at > time {
                break;
            }
            walk.step(at, act, start_number(slot, era, index as u64));
        }
        walk.finish(time)
    }
}

/// Tells one start of a machine from every other start on its host for 100,000 starts.
fn start_number(slot: u64, era: i64, index: u64) -> u64 {
    ((unsigned(era) * 8 + index) % 100_000 + 1) * 100_000 + slot + 1
}

/// A machine on its way through one era.
struct Walk {
    moment: Moment,
    home: u64,
    partner: u64,
    running_since: Option<i64>,
}

impl Walk {
    fn begin(timeline: &Timeline, slot: u64, tenant: bool, era: i64) -> Self {
        let home = timeline.home(slot);
        let reason = match timeline.pattern(slot, era - 1).last() {
            // A machine that was only defined has never been stopped.
            _ if tenant => RunStateReason::Unknown,
            Some(Destroy) => RunStateReason::Destroyed,
            _ => RunStateReason::Shutdown,
        };
        let generation = if tenant { unsigned(era) } else { 0 };
        let moment = Moment {
            generation,
            host: home,
            run_state: RunState::Off,
            reason,
            incarnation: None,
            active_us: 0,
            renamed: false,
            snapshot: false,
        };
        Self { moment, home, partner: timeline.partner(slot), running_since: None }
    }

    fn step(&mut self, at: i64, act: Act, start: u64) {
        use RunState::{Off, Paused, Running};
        match act {
            Boot => self.start(at, self.home, RunStateReason::Booted, start),
            Out => self.start(at, self.partner, RunStateReason::Migrated, start),
            Home => self.start(at, self.home, RunStateReason::Migrated, start),
            Pause => self.rest(at, Paused, RunStateReason::User),
            Resume => {
                (self.moment.run_state, self.moment.reason) = (Running, RunStateReason::Unpaused);
                self.running_since = Some(at);
            }
            Shutdown => self.stop(at, Off, RunStateReason::Shutdown),
            Destroy => self.stop(at, Off, RunStateReason::Destroyed),
            Rename => self.moment.renamed = true,
            RenameBack => self.moment.renamed = false,
            Snapshot => self.moment.snapshot = true,
            DropSnapshot => self.moment.snapshot = false,
            Act::Define => {}
        }
    }

    fn start(&mut self, at: i64, host: u64, reason: RunStateReason, start: u64) {
        let moment = &mut self.moment;
        (moment.run_state, moment.reason, moment.host) = (RunState::Running, reason, host);
        (moment.incarnation, moment.active_us) = (Some(start), 0);
        self.running_since = Some(at);
    }

    fn rest(&mut self, at: i64, state: RunState, reason: RunStateReason) {
        (self.moment.run_state, self.moment.reason) = (state, reason);
        if let Some(since) = self.running_since.take() {
            self.moment.active_us += weighted(since, at);
        }
    }

    fn stop(&mut self, at: i64, state: RunState, reason: RunStateReason) {
        self.rest(at, state, reason);
        (self.moment.incarnation, self.moment.active_us) = (None, 0);
    }

    fn finish(mut self, time: i64) -> Moment {
        if let Some(since) = self.running_since {
            self.moment.active_us += weighted(since, time);
        }
        self.moment
    }
}

/// The instant before which everything steady was started, in microseconds since 1970.
///
/// Clocks of tests that begin at zero lie before it: then everything was started before 1970.
pub fn started_before(real_us: i64) -> i64 {
    if real_us < STEADY_SINCE { 0 } else { STEADY_SINCE }
}

/// Simulated microseconds of an instant; those too far away for arithmetic are moved nearer.
pub fn simulated(time: Timestamp, speed_milli: u32) -> i64 {
    const FAR: i64 = i64::MAX / 4;
    let scaled = i128::from(time.0) * i128::from(speed_milli) / 1_000;
    i64::try_from(scaled.clamp(i128::from(-FAR), i128::from(FAR))).unwrap_or(FAR)
}

/// The first instant at which a simulated time is reached.
pub fn real(time: i64, speed_milli: u32) -> Timestamp {
    let speed = i128::from(speed_milli.max(1));
    let unscaled = (i128::from(time) * 1_000 + speed - 1).div_euclid(speed);
    Timestamp(i64::try_from(unscaled).unwrap_or(i64::MAX))
}

/// Waves in every load: the period in microseconds, the height, and when it goes through its mean upwards.
const WAVES: [(i64, f64, i64); 2] = [(600_000_000, 0.25, 0), (86_400_000_000, 0.3, 28_800_000_000)];

/// Where a wave is: the angle.
#[expect(clippy::cast_precision_loss, reason = "a period is far below 2^53")]
fn angle(time: i64, period: i64, begin: i64) -> f64 {
    (time - begin).rem_euclid(period) as f64 / period as f64 * std::f64::consts::TAU
}

/// Time from `from` to `to` weighted by a load that goes up and down over ten minutes and over the day, highest
/// at 14:00 UTC; at most 1.55 times the time. Never falls as `to` grows.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the waves are far below 2^53")]
pub fn weighted(from: i64, to: i64) -> i64 {
    if to <= from {
        return 0;
    }
    let turn = |time: i64| -> f64 {
        let wave = |(period, height, begin): (i64, f64, i64)| {
            angle(time, period, begin).cos() * period as f64 / std::f64::consts::TAU * height
        };
        WAVES.into_iter().map(wave).sum()
    };
    (to - from + (turn(from) - turn(to)).round() as i64).max(0)
}

/// The load at a moment in permille of its mean.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 450 and 1550")]
pub fn weight_permille(time: i64) -> u64 {
    let wave = |(period, height, begin): (i64, f64, i64)| angle(time, period, begin).sin() * height;
    (1_000.0 * (1.0 + WAVES.into_iter().map(wave).sum::<f64>())) as u64
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
