//! Conditions of the VRM itself, as its parts tell them: what surveillance makes of their signs.

use super::*;
use crate::fault::catalogue::{AlarmType, descriptor};
use crate::fault::{Finding, Sign, notification_sink};
use crate::model::alarm::ClearingRule;

/// A part of the VRM tells that a condition is there; it is an alarm after the hold of the catalogue.
fn raised(kind: AlarmType, object: &Name) -> Stage {
    let mut stage = stage();
    let finding = Finding::new(kind, object, "told by a test");
    stage.signs(vec![Sign::Present(Box::new(finding))]);
    let hold_on = u64::from(descriptor(kind).hold_on_seconds);
    if hold_on > 0 {
        stage.pass(hold_on - 1);
        assert!(stage.active().is_empty(), "held on");
        stage.pass(1);
    }
    assert_eq!(stage.active(), [kind.id()]);
    assert_eq!(stage.the(kind.id()).1.object, *object);
    stage
}

/// It is over: told so, or not told for its quiet time.
fn cleared(kind: AlarmType, object: &Name) {
    let mut stage = raised(kind, object);
    if descriptor(kind).clearing != ClearingRule::QuietTime {
        stage.signs(vec![Sign::Over { alarm_type: kind, object: object.clone() }]);
    }
    let hold_off = u64::from(descriptor(kind).hold_off_seconds);
    if hold_off > 0 {
        stage.pass(hold_off - 1);
        assert!(!is_cleared(&stage, kind.id()), "held off");
        stage.pass(1);
    }
    assert!(is_cleared(&stage, kind.id()));
}

#[test]
fn raises_vrm_store_failure() {
    raised(AlarmType::VrmStoreFailure, &Name::vrm());
}

#[test]
fn clears_vrm_store_failure() {
    cleared(AlarmType::VrmStoreFailure, &Name::vrm());
}

#[test]
fn raises_vrm_storage_low() {
    raised(AlarmType::VrmStorageLow, &Name::vrm());
}

#[test]
fn clears_vrm_storage_low() {
    cleared(AlarmType::VrmStorageLow, &Name::vrm());
}

#[test]
fn raises_vrm_overload() {
    raised(AlarmType::VrmOverload, &Name::vrm());
}

#[test]
fn clears_vrm_overload() {
    cleared(AlarmType::VrmOverload, &Name::vrm());
}

#[test]
fn raises_certificate_expiring() {
    raised(AlarmType::CertificateExpiring, &Name::vrm());
}

#[test]
fn clears_certificate_expiring() {
    cleared(AlarmType::CertificateExpiring, &Name::vrm());
}

#[test]
fn raises_certificate_expired() {
    raised(AlarmType::CertificateExpired, &Name::vrm());
}

#[test]
fn clears_certificate_expired() {
    cleared(AlarmType::CertificateExpired, &Name::vrm());
}

#[test]
fn raises_repeated_auth_failure() {
    raised(AlarmType::RepeatedAuthFailure, &Name::vrm());
}

#[test]
fn clears_repeated_auth_failure() {
    cleared(AlarmType::RepeatedAuthFailure, &Name::vrm());
}

#[test]
fn raises_unauthorised_access() {
    raised(AlarmType::UnauthorisedAccess, &Name::vrm());
}

#[test]
fn clears_unauthorised_access() {
    cleared(AlarmType::UnauthorisedAccess, &Name::vrm());
}

#[test]
fn raises_notification_sink_failed() {
    raised(AlarmType::NotificationSinkFailed, &notification_sink("pager"));
}

#[test]
fn clears_notification_sink_failed() {
    cleared(AlarmType::NotificationSinkFailed, &notification_sink("pager"));
}

#[test]
fn raises_settings_rejected() {
    raised(AlarmType::SettingsRejected, &Name::vrm());
}

#[test]
fn clears_settings_rejected() {
    cleared(AlarmType::SettingsRejected, &Name::vrm());
}

#[test]
fn raises_time_sync_lost() {
    raised(AlarmType::TimeSyncLost, &Name::vrm());
}

#[test]
fn clears_time_sync_lost() {
    cleared(AlarmType::TimeSyncLost, &Name::vrm());
}

#[test]
fn raises_host_quarantined() {
    raised(AlarmType::HostQuarantined, &host());
}

#[test]
fn clears_host_quarantined() {
    cleared(AlarmType::HostQuarantined, &host());
}

fn isolated() -> Stage {
    let mut stage = Stage::new();
    for host in ["a", "b", "c", "d"] {
        stage.host(host, ConnectionState::Connected);
    }
    for host in ["a", "b", "c"] {
        stage.host(host, ConnectionState::Lost);
    }
    stage.pass(6);
    stage
}

#[test]
fn raises_vrm_isolated() {
    assert!(isolated().the("vrmIsolated").1.is_active());
}

#[test]
fn clears_vrm_isolated() {
    let mut stage = isolated();
    for host in ["a", "b"] {
        stage.host(host, ConnectionState::Connected);
    }
    stage.pass(31);
    assert!(is_cleared(&stage, "vrmIsolated"));
}

/// Each sink has an alarm of its own.
#[test]
fn two_sinks_that_fail_are_two_alarms() {
    let mut stage = raised(AlarmType::NotificationSinkFailed, &notification_sink("pager"));
    let other = notification_sink("archive");
    let finding = Finding::new(AlarmType::NotificationSinkFailed, &other, "told by a test");
    stage.signs(vec![Sign::Present(Box::new(finding))]);
    assert_eq!(stage.active(), ["notificationSinkFailed", "notificationSinkFailed"]);
    stage.signs(vec![Sign::Over { alarm_type: AlarmType::NotificationSinkFailed, object: other.clone() }]);
    assert_eq!(stage.active(), ["notificationSinkFailed"]);
}
