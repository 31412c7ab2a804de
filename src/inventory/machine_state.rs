//! Mapping of a machine's run state to X.731 (information model, table 4.3), and expectations.

use crate::model::annotation::{
    Adoption, Expectation, ExpectationOrigin, ExpectationSetting, Maintenance, OutsideChanges,
};
use crate::model::state::{
    AdministrativeState, AvailabilityStatus, OperationalState, ProceduralStatus, ResourceState, StateReason, UsageState,
};
use crate::model::virtual_machine::{ControlState, RunState, RunStateReason};
use crate::model::{Timestamp, Volatile};
use std::time::Duration;

/// An adoption stands for good after ten minutes without trouble of its host (operations.md F1).
const PROVISIONAL: Duration = Duration::from_secs(600);

/// The X.731 state of a machine.
pub(super) fn resource_state(
    run_state: RunState,
    reason: RunStateReason,
    control: ControlState,
    expected: Option<Expectation>,
) -> ResourceState {
    let mut state = mapped(run_state, reason);
    state.administrative = administrative(expected);
    state.reason = StateReason::code(reason.as_str());
    if control.is_trouble() && state.operational == OperationalState::Enabled {
        state.availability.insert(AvailabilityStatus::Degraded);
    }
    if run_state == RunState::Unknown {
        state.unknown = true;
        state.reason = StateReason::code(StateReason::NO_STATE);
    }
    state
}

fn mapped(run_state: RunState, reason: RunStateReason) -> ResourceState {
    use AvailabilityStatus::{Degraded, Dependency, Failed, OffDuty, OffLine, PowerOff};
    use RunStateReason as Why;
    match (run_state, reason) {
        (RunState::Running, Why::PostCopy | Why::PostCopyFailed) => {
            ResourceState { availability: [Degraded].into(), ..ResourceState::enabled(UsageState::Active) }
        }
        (RunState::Running | RunState::Blocked, _) => ResourceState::enabled(UsageState::Active),
        (RunState::Paused, Why::Migration | Why::Save | Why::Dump | Why::Snapshot | Why::FromSnapshot) => {
            ResourceState::disabled([])
        }
        (RunState::Paused, Why::PostCopy) => {
            ResourceState { availability: [Degraded].into(), ..ResourceState::enabled(UsageState::Active) }
        }
        (RunState::Paused, Why::StartingUp) => {
            ResourceState { procedural: Some(ProceduralStatus::Initializing), ..ResourceState::disabled([]) }
        }
        (RunState::Paused, Why::ShuttingDown) => {
            ResourceState { procedural: Some(ProceduralStatus::Terminating), ..ResourceState::disabled([]) }
        }
        (RunState::Paused, Why::IoError) => ResourceState::disabled([Failed, Dependency]),
        (RunState::Paused, Why::Watchdog | Why::Crashed | Why::ApiError | Why::PostCopyFailed) => {
            ResourceState::disabled([Failed])
        }
        (RunState::Paused, _) => ResourceState::disabled([OffLine]),
        (RunState::ShuttingDown, _) => ResourceState {
            procedural: Some(ProceduralStatus::Terminating),
            ..ResourceState::enabled(UsageState::Active)
        },
        (RunState::Off, Why::Saved) => ResourceState::disabled([OffLine]),
        (RunState::Off, Why::Crashed | Why::Failed) => ResourceState::disabled([PowerOff, Failed]),
        (RunState::Off, _) => ResourceState::disabled([PowerOff]),
        (RunState::Crashed, _) => ResourceState::disabled([Failed]),
        (RunState::Suspended, _) => ResourceState::disabled([OffDuty]),
        (RunState::Unknown, _) => ResourceState { operational: OperationalState::Disabled, ..ResourceState::default() },
    }
}

/// X.731 administrative state of an expectation; *any* is neither.
pub(super) fn administrative(expected: Option<Expectation>) -> Option<AdministrativeState> {
    match expected {
        Some(Expectation::Running) => Some(AdministrativeState::Unlocked),
        Some(Expectation::Off) => Some(AdministrativeState::Locked),
        Some(Expectation::Any) | None => None,
    }
}

/// X.731 administrative state of a host: locked while somebody works on it.
pub(super) fn locked_by(maintenance: Option<&Maintenance>) -> AdministrativeState {
    if maintenance.is_some() { AdministrativeState::Locked } else { AdministrativeState::Unlocked }
}

/// What is observed, as an expectation; nothing if it tells neither.
fn observed(run_state: RunState) -> Option<Expectation> {
    match run_state {
        RunState::Unknown => None,
        RunState::Off | RunState::Crashed => Some(Expectation::Off),
        _ => Some(Expectation::Running),
    }
}

/// The expectation after an observation (operations.md F1): the first one becomes it; later ones
/// change it only if adoption is on, nobody set it by hand, and the machine did not fail.
pub(super) fn expectation(
    present: Option<ExpectationSetting>,
    label: Option<&str>,
    run_state: RunState,
    reason: RunStateReason,
    outside_changes: OutsideChanges,
    now: Timestamp,
) -> Option<ExpectationSetting> {
    let set = |expected, origin| Some(ExpectationSetting { expected, origin, adopted: Volatile(None) });
    if let Some(expected) = label.and_then(parse_label) {
        return set(expected, ExpectationOrigin::Label);
    }
    let seen = observed(run_state);
    let Some(present) = present.filter(|present| present.origin != ExpectationOrigin::Label) else {
        return seen.and_then(|expected| set(expected, ExpectationOrigin::Observed));
    };
    let failed = matches!(
        (run_state, reason),
        (RunState::Crashed, _) | (_, RunStateReason::Crashed | RunStateReason::Failed | RunStateReason::Panicked)
    );
    let follows = outside_changes == OutsideChanges::Adopt && present.origin == ExpectationOrigin::Observed && !failed;
    match seen {
        Some(expected) if follows && expected != present.expected => Some(ExpectationSetting {
            expected,
            origin: ExpectationOrigin::Observed,
            adopted: Volatile(Some(Adoption { former: present.expected, time: now })),
        }),
        _ => Some(present),
    }
}

/// The expectation when the host of a machine goes away: a fresh adoption is taken back, since a
/// host that shuts down must not teach us that its machines belong off.
pub(super) fn expectation_at_loss(present: Option<ExpectationSetting>, now: Timestamp) -> Option<ExpectationSetting> {
    let present = present?;
    let Some(adoption) = present.adopted.0 else { return Some(present) };
    if now.since(adoption.time) >= PROVISIONAL {
        return Some(present);
    }
    Some(ExpectationSetting { expected: adoption.former, adopted: Volatile(None), ..present })
}

/// Value of the label `vrm.expect`.
fn parse_label(value: &str) -> Option<Expectation> {
    match value {
        "running" => Some(Expectation::Running),
        "off" => Some(Expectation::Off),
        "any" => Some(Expectation::Any),
        _ => None,
    }
}
