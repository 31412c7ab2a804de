//! States as people read them. *Unknown is not off*: a state that is only the last known one is shown with `?`
//! and the reason.

use super::format::{Cell, Tone, word};
use crate::wire::v1;
use crate::wire::v1::{ConnectionState, ControlState, Expectation, PoolState, RunState};

/// Run state of a machine.
pub fn machine(vm: &v1::VirtualMachine) -> Cell {
    let run_state = vm.run_state();
    let name = word(run_state.as_str_name(), "RUN_STATE_");
    let name = if name.is_empty() { "unknown".to_owned() } else { name };
    if let Some(state) = unknown(vm.state.as_ref()) {
        return doubtful(&name, state);
    }
    let mut text = name;
    if let Some(reason) = notable_reason(vm) {
        text = format!("{text} ({reason})");
    }
    let tone = match vm.control_state() {
        ControlState::NotResponding => {
            text.push_str(", not responding");
            Tone::Bad
        }
        ControlState::Failed => {
            text.push_str(", monitor broken");
            Tone::Bad
        }
        _ => machine_tone(run_state),
    };
    Cell::text(text).toned(tone)
}

fn machine_tone(state: RunState) -> Tone {
    match state {
        RunState::Running | RunState::Blocked => Tone::Good,
        RunState::Off => Tone::Dim,
        RunState::Crashed => Tone::Bad,
        _ => Tone::Warn,
    }
}

/// The reason where it tells more than the state.
fn notable_reason(vm: &v1::VirtualMachine) -> Option<String> {
    use v1::RunStateReason as Reason;
    let reason = vm.run_state_reason();
    let is_notable = match vm.run_state() {
        RunState::Running | RunState::Blocked => matches!(reason, Reason::PostCopy | Reason::PostCopyFailed),
        RunState::Off => matches!(reason, Reason::Crashed | Reason::Failed | Reason::Saved | Reason::Daemon),
        _ => !matches!(reason, Reason::Unspecified | Reason::Unknown | Reason::ShuttingDown),
    };
    is_notable.then(|| word(reason.as_str_name(), "RUN_STATE_REASON_"))
}

/// State of a connection to a host or endpoint.
pub fn connection(state: ConnectionState, resource: Option<&v1::ResourceState>) -> Cell {
    let name = word(state.as_str_name(), "CONNECTION_STATE_");
    let name = if name.is_empty() { "unknown".to_owned() } else { name };
    let reason =
        resource.and_then(|resource| resource.reason.as_ref()).map(|reason| reason.code.clone()).unwrap_or_default();
    let (text, tone) = match state {
        ConnectionState::Connected => (name, Tone::Good),
        ConnectionState::Connecting | ConnectionState::Synchronizing | ConnectionState::Degraded => (name, Tone::Warn),
        _ if reason.is_empty() => (name, Tone::Bad),
        _ => (format!("{name} ({})", reason.replace('_', "-")), Tone::Bad),
    };
    Cell::text(text).toned(tone)
}

/// State of a pool.
pub fn pool(pool: &v1::StoragePool) -> Cell {
    let state = pool.pool_state();
    let name = word(state.as_str_name(), "POOL_STATE_");
    let name = if name.is_empty() { "unknown".to_owned() } else { name };
    if let Some(state) = unknown(pool.state.as_ref()) {
        return doubtful(&name, state);
    }
    let tone = match state {
        PoolState::Running => Tone::Good,
        PoolState::Inactive => Tone::Dim,
        PoolState::Inaccessible => Tone::Bad,
        _ => Tone::Warn,
    };
    Cell::text(name).toned(tone)
}

/// State of a network.
pub fn network(network: &v1::Network) -> Cell {
    let (name, tone) = if network.active { ("active", Tone::Good) } else { ("inactive", Tone::Dim) };
    match unknown(network.state.as_ref()) {
        Some(state) => doubtful(name, state),
        None => Cell::text(name).toned(tone),
    }
}

/// X.731 state in one word, for classes without a state of their own.
pub fn resource(state: Option<&v1::ResourceState>) -> Cell {
    let Some(told) = state else { return Cell::text("") };
    let mut name = word(told.operational().as_str_name(), "OPERATIONAL_STATE_");
    let qualifications: Vec<String> =
        told.availability().map(|status| word(status.as_str_name(), "AVAILABILITY_STATUS_")).collect();
    if !qualifications.is_empty() {
        name = format!("{name} ({})", qualifications.join(", "));
    }
    match unknown(state) {
        Some(told) => doubtful(&name, told),
        None if told.operational() == v1::OperationalState::Enabled && qualifications.is_empty() => {
            Cell::text(name).toned(Tone::Good)
        }
        None => Cell::text(name).toned(Tone::Warn),
    }
}

/// What is expected: `running!` was ordered by a person or a label, `running` is what was observed.
pub fn expectation(setting: Option<&v1::ExpectationSetting>) -> Cell {
    let Some(setting) = setting else { return Cell::text("") };
    let name = word(setting.expected().as_str_name(), "EXPECTATION_");
    let is_strict = matches!(setting.origin(), v1::ExpectationOrigin::Operator | v1::ExpectationOrigin::Label);
    Cell::text(if is_strict { format!("{name}!") } else { name })
}

/// Whether a machine is in another state than expected; nothing is claimed of unknown states.
pub fn is_unexpected(vm: &v1::VirtualMachine) -> bool {
    let expected = vm.expectation.as_ref().map_or(Expectation::Any, v1::ExpectationSetting::expected);
    let is_known = unknown(vm.state.as_ref()).is_none();
    let is_off = matches!(vm.run_state(), RunState::Off | RunState::Crashed);
    is_known
        && ((expected == Expectation::Running && is_off)
            || (expected == Expectation::Off && vm.run_state() == RunState::Running))
}

fn unknown(state: Option<&v1::ResourceState>) -> Option<&v1::ResourceState> {
    state.filter(|state| state.unknown)
}

fn doubtful(last_known: &str, state: &v1::ResourceState) -> Cell {
    let reason = state.reason.as_ref().map(|reason| reason.code.replace('_', "-")).filter(|code| !code.is_empty());
    let last_known = if last_known == "unknown" { String::new() } else { last_known.to_owned() };
    let text = format!("{last_known}? ({})", reason.as_deref().unwrap_or("unknown"));
    Cell::text(text).toned(Tone::Warn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vm(run_state: RunState, reason: v1::RunStateReason) -> v1::VirtualMachine {
        v1::VirtualMachine {
            run_state: run_state.into(),
            run_state_reason: reason.into(),
            state: Some(v1::ResourceState::default()),
            ..v1::VirtualMachine::default()
        }
    }

    #[test]
    fn an_unknown_state_is_never_shown_as_a_certain_one() {
        let mut machine_lost = vm(RunState::Running, v1::RunStateReason::Booted);
        machine_lost.state = Some(v1::ResourceState {
            unknown: true,
            reason: Some(v1::StateReason { code: "host_unreachable".to_owned(), text: String::new() }),
            ..v1::ResourceState::default()
        });
        assert_eq!(machine(&machine_lost).text, "running? (host-unreachable)");
        machine_lost.run_state = RunState::Off.into();
        assert_eq!(machine(&machine_lost).text, "off? (host-unreachable)");
        assert_eq!(machine(&machine_lost).tone, Tone::Warn);
        assert!(!is_unexpected(&machine_lost));
    }

    #[test]
    fn reasons_are_shown_where_they_tell_more() {
        let shown = |state, reason| machine(&vm(state, reason)).text;
        assert_eq!(shown(RunState::Running, v1::RunStateReason::Booted), "running");
        assert_eq!(shown(RunState::Off, v1::RunStateReason::Shutdown), "off");
        assert_eq!(shown(RunState::Off, v1::RunStateReason::Crashed), "off (crashed)");
        assert_eq!(shown(RunState::Paused, v1::RunStateReason::IoError), "paused (io-error)");
        assert_eq!(shown(RunState::Unknown, v1::RunStateReason::Unknown), "unknown");
    }

    #[test]
    fn ordered_expectations_are_marked() {
        let setting = |origin: v1::ExpectationOrigin| {
            let expected = Expectation::Running.into();
            expectation(Some(&v1::ExpectationSetting { expected, origin: origin.into() })).text
        };
        assert_eq!(setting(v1::ExpectationOrigin::Observed), "running");
        assert_eq!(setting(v1::ExpectationOrigin::Operator), "running!");
        assert_eq!(expectation(None).text, "-");
    }
}
