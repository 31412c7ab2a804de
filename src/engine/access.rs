//! What the northbound side saw of callers who are not let in: audit records and security alarms.
//!
//! Pure: counts come in, records and signs go out. Who counts is `northbound`; what is too much says
//! the alarm catalogue.

use crate::fault::catalogue::{AlarmType, descriptor};
use crate::fault::{Finding, Sign};
use crate::model::alarm::SecurityDetail;
use crate::model::{Actor, AuditRecord, Name, PerceivedSeverity, Timestamp};
use std::time::Duration;

/// What counts as *again and again*: catalogue types repeatedAuthFailure and unauthorisedAccess.
pub const ACCESS_WINDOW: Duration = Duration::from_secs(300);

/// Calls of one identity that one method refused, since they were reported last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeniedAccess {
    /// Who.
    pub actor: Actor,
    /// Which method.
    pub method: String,
    /// How often since the last report.
    pub count: u32,
    /// Changes that were denied to the same identity within [`ACCESS_WINDOW`].
    pub recent_changes: u32,
}

/// A peer who could not prove who he is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAuthentication {
    /// His address, without port.
    pub peer: String,
    /// Why.
    pub reason: String,
    /// How often since the last report.
    pub count: u32,
    /// How often within [`ACCESS_WINDOW`], with a credential.
    pub recent: u32,
    /// How often within [`ACCESS_WINDOW`], without any.
    pub recent_anonymous: u32,
}

/// Everything since the last report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessReport {
    /// Refused calls, by identity and method.
    pub denied: Vec<DeniedAccess>,
    /// Failed handshakes, by address.
    pub failed: Vec<FailedAuthentication>,
}

impl AccessReport {
    /// True if there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.denied.is_empty() && self.failed.is_empty()
    }

    /// The audit records: one for each identity and method, however often it was refused (REQ-SEC-FUN-05).
    pub(super) fn records(&self, now: Timestamp) -> Vec<AuditRecord> {
        let refused = |denied: &DeniedAccess| AuditRecord {
            time: now,
            actor: denied.actor.clone(),
            method: denied.method.clone(),
            target: String::new(),
            request_id: String::new(),
            outcome: "PERMISSION_DENIED".to_owned(),
            detail: format!("denied {} times", denied.count),
        };
        let failed = |failed: &FailedAuthentication| AuditRecord {
            time: now,
            actor: Actor { peer: failed.peer.clone(), ..Actor::default() },
            method: "handshake".to_owned(),
            target: String::new(),
            request_id: String::new(),
            outcome: "CREDENTIAL_MISSING".to_owned(),
            detail: format!("failed {} times: {}", failed.count, failed.reason),
        };
        self.denied.iter().map(refused).chain(self.failed.iter().map(failed)).collect()
    }

    /// The conditions that follow (X.736): quiet times end them.
    pub(super) fn signs(&self) -> Vec<Sign> {
        let denied = self.denied.iter().filter_map(unauthorised);
        denied.chain(self.failed.iter().filter_map(unauthenticated)).collect()
    }
}

/// True if so many denied changes of one identity have just become an alarm: then they are reported at once.
pub fn denials_alarm(recent_changes: u32) -> bool {
    reached(recent_changes, level(AlarmType::UnauthorisedAccess, "denials.warning"))
}

/// The same of failures to authenticate, with and without a credential.
pub fn failures_alarm(recent: u32, recent_anonymous: u32) -> bool {
    let of = |name| level(AlarmType::RepeatedAuthFailure, name);
    reached(recent, of("failures.warning"))
        || reached(recent, of("failures.major"))
        || reached(recent_anonymous, of("anonymous_failures"))
}

fn reached(count: u32, level: f64) -> bool {
    let count = f64::from(count);
    count >= level && count < level + 1.0
}

fn level(kind: AlarmType, name: &str) -> f64 {
    descriptor(kind).thresholds.get(name).copied().unwrap_or(f64::INFINITY)
}

fn unauthorised(denied: &DeniedAccess) -> Option<Sign> {
    let kind = AlarmType::UnauthorisedAccess;
    if f64::from(denied.recent_changes) < level(kind, "denials.warning") {
        return None;
    }
    let DeniedAccess { actor, method, recent_changes, .. } = denied;
    let text =
        format!("{} was denied {recent_changes} changes within 5 minutes, the last by {method}", actor.principal);
    let finding = Finding::new(kind, &Name::vrm(), text)
        .with("principal", &*actor.principal)
        .with("peer", &*actor.peer)
        .with("method", &**method);
    Some(secured(finding, &actor.principal, method))
}

fn unauthenticated(failed: &FailedAuthentication) -> Option<Sign> {
    let kind = AlarmType::RepeatedAuthFailure;
    let FailedAuthentication { peer, reason, recent, recent_anonymous, .. } = failed;
    let severity = if f64::from(*recent) >= level(kind, "failures.major") {
        PerceivedSeverity::Major
    } else if f64::from(*recent) >= level(kind, "failures.warning")
        || f64::from(*recent_anonymous) >= level(kind, "anonymous_failures")
    {
        PerceivedSeverity::Warning
    } else {
        return None;
    };
    let times = recent + recent_anonymous;
    let text = format!("{peer} failed to authenticate {times} times within 5 minutes: {reason}");
    let finding = Finding::new(kind, &Name::vrm(), text).severity(severity).with("peer", &**peer);
    Some(secured(finding, peer, "TLS"))
}

fn secured(mut finding: Finding, user: &str, provider: &str) -> Sign {
    finding.security = Some(SecurityDetail {
        service_user: user.to_owned(),
        service_provider: provider.to_owned(),
        detector: "vrmd".to_owned(),
    });
    Sign::Present(Box::new(finding))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(recent: u32, recent_anonymous: u32) -> Vec<Sign> {
        let failed = FailedAuthentication {
            peer: "192.0.2.7".into(),
            reason: "no certificate".into(),
            count: 1,
            recent,
            recent_anonymous,
        };
        AccessReport { failed: vec![failed], ..AccessReport::default() }.signs()
    }

    fn severity(signs: &[Sign]) -> Option<PerceivedSeverity> {
        match signs {
            [Sign::Present(finding)] => finding.severity,
            _ => None,
        }
    }

    #[test]
    fn failures_of_one_peer_are_graded_by_their_number_and_kind() {
        assert!(failed(4, 49).is_empty());
        assert_eq!(severity(&failed(5, 0)), Some(PerceivedSeverity::Warning));
        assert_eq!(severity(&failed(0, 50)), Some(PerceivedSeverity::Warning), "scanners have no certificate");
        assert_eq!(severity(&failed(50, 0)), Some(PerceivedSeverity::Major));
        let Some(Sign::Present(finding)) = failed(5, 0).pop() else { panic!("a finding") };
        let security = finding.security.expect("X.736 wants user, provider and detector");
        assert_eq!(security.service_user, "192.0.2.7");
        assert!(!security.service_provider.is_empty() && !security.detector.is_empty());
    }

    #[test]
    fn a_report_is_one_record_for_each_identity_and_method() {
        let denied = DeniedAccess {
            actor: Actor { principal: "uid:7(eve)".into(), ..Actor::default() },
            method: "vrm.v1.HostService/RegisterHost".into(),
            count: 40,
            recent_changes: 40,
        };
        let report = AccessReport { denied: vec![denied], ..AccessReport::default() };
        let records = report.records(Timestamp(5));
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].outcome.as_str(), records[0].detail.as_str()), ("PERMISSION_DENIED", "denied 40 times"));
        assert_eq!(report.signs().len(), 1);
    }
}
