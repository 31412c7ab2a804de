//! What is read: the published state, the names of this VRM, and the clock.

use crate::changes::{ChangeLog, ListCondition, ListStatus, Position, StatusReason};
use crate::model::dn::DnScheme;
use crate::model::host::ConnectionState;
use crate::model::{Body, ObjectClass, Timestamp};
use crate::wire::v1;
use std::sync::Arc;

/// Published state with what is needed to show it.
#[derive(Clone, Debug)]
pub struct Published {
    /// The log.
    pub log: Arc<ChangeLog>,
    /// How distinguished names are made.
    pub dn: Arc<DnScheme>,
    /// The clock.
    pub now: fn() -> Timestamp,
}

impl Published {
    /// Names of the hosts whose objects are not known to be complete and current.
    pub fn incomplete_hosts(&self) -> Vec<String> {
        let is_incomplete = |body: &Body| match body {
            Body::Host(host) => !host.synchronized || host.connection_state != ConnectionState::Connected,
            _ => false,
        };
        let hosts = self.log.all(ObjectClass::Host);
        hosts.iter().filter(|host| is_incomplete(&host.body)).map(|host| host.name.to_string()).collect()
    }

    /// How far the lists can be trusted now.
    pub fn list_status(&self) -> v1::ListStatus {
        list_status(&self.log.status())
    }
}

/// A position as messages carry it.
pub fn position(position: Position) -> v1::StreamPosition {
    v1::StreamPosition { epoch: position.epoch, sequence: position.sequence }
}

/// How far lists can be trusted, as messages carry it.
pub fn list_status(status: &ListStatus) -> v1::ListStatus {
    use v1::list_status::{Reason, State};
    let ListStatus { condition, reason, scope, alignment_required } = status;
    let state = match condition {
        ListCondition::Reliable => State::Reliable,
        ListCondition::PotentiallyFaulty => State::PotentiallyFaulty,
        ListCondition::Rebuilt => State::Rebuilt,
    };
    let reason = match reason {
        None => Reason::Unspecified,
        Some(StatusReason::HostsUnreachable) => Reason::HostsUnreachable,
        Some(StatusReason::Starting) => Reason::Starting,
        Some(StatusReason::Store) => Reason::Store,
        Some(StatusReason::LogReset) => Reason::LogReset,
        Some(StatusReason::Restarted) => Reason::Restarted,
    };
    v1::ListStatus {
        state: state.into(),
        reason: reason.into(),
        scope: scope.clone(),
        alignment_required: *alignment_required,
    }
}
