//! Roles and the permissions that follow from them (design.md 8).

use std::collections::BTreeSet;

/// What somebody is to this VRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sees everything but audit and sessions.
    Viewer,
    /// Works on alarms.
    FaultOperator,
    /// Works on resources: life cycle, jobs, thresholds, labels, expectations.
    ResourceOperator,
    /// Everything but security and audit.
    Administrator,
    /// Sessions and who may do what.
    SecurityAdministrator,
    /// Reads the audit trail.
    Auditor,
    /// May report external conditions.
    Reporter,
    /// What a cluster's daemon needs at a host's own daemon.
    Cluster,
}

/// Permission to say for whom one acts.
pub const ACT_AS: &str = "actAs";

impl Role {
    /// Every role.
    pub const ALL: [Self; 8] = [
        Self::Viewer,
        Self::FaultOperator,
        Self::ResourceOperator,
        Self::Administrator,
        Self::SecurityAdministrator,
        Self::Auditor,
        Self::Reporter,
        Self::Cluster,
    ];

    /// The role's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::FaultOperator => "fault-operator",
            Self::ResourceOperator => "resource-operator",
            Self::Administrator => "administrator",
            Self::SecurityAdministrator => "security-administrator",
            Self::Auditor => "auditor",
            Self::Reporter => "reporter",
            Self::Cluster => "cluster",
        }
    }

    /// True if the role has a permission.
    pub fn grants(self, permission: &str) -> bool {
        let reads = is_read(permission);
        match self {
            Self::Viewer | Self::Cluster => reads,
            Self::FaultOperator => reads || FAULT_OPERATOR.contains(&permission),
            Self::ResourceOperator => reads || RESOURCE_OPERATOR.contains(&permission),
            Self::Administrator => {
                reads
                    || FAULT_OPERATOR.contains(&permission)
                    || RESOURCE_OPERATOR.contains(&permission)
                    || ADMINISTRATOR.contains(&permission)
            }
            Self::SecurityAdministrator => SECURITY.contains(&permission),
            Self::Auditor => permission == "server.get",
            Self::Reporter => REPORTER.contains(&permission),
        }
    }
}

/// Beside reading.
const FAULT_OPERATOR: [&str; 4] = ["alarms.acknowledge", "alarms.clear", "alarms.comment", "alarms.shelve"];

/// Beside reading.
const RESOURCE_OPERATOR: [&str; 11] = [
    "managedObjects.annotate",
    "managedObjects.setExpectation",
    "hosts.lock",
    "measurementJobs.create",
    "measurementJobs.update",
    "measurementJobs.delete",
    "measurementJobs.suspend",
    "thresholdMonitors.create",
    "thresholdMonitors.update",
    "thresholdMonitors.delete",
    "thresholdMonitors.suspend",
];

/// Beside what both operators may.
const ADMINISTRATOR: [&str; 9] = [
    "alarms.purge",
    "alarms.profile",
    "alarms.report",
    "hosts.register",
    "hosts.deregister",
    "sessions.list",
    "sessions.get",
    "sessions.close",
    ACT_AS,
];

/// All that a reporter may.
const REPORTER: [&str; 2] = ["server.get", "alarms.report"];

/// All that a security administrator may.
const SECURITY: [&str; 4] = ["server.get", "sessions.list", "sessions.get", "sessions.close"];

fn is_read(permission: &str) -> bool {
    let Some((subject, verb)) = permission.split_once('.') else { return false };
    matches!(verb, "get" | "list" | "watch") && !matches!(subject, "sessions" | "audit")
}

/// True if one of the roles has the permission.
pub(super) fn granted(roles: &BTreeSet<Role>, permission: &str) -> bool {
    roles.iter().any(|role| role.grants(permission))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::northbound::auth::Policies;

    /// Methods of the alarm service and of the maintenance of hosts that a role may call.
    fn granted_to(role: Role) -> Vec<String> {
        let policies = Policies::read(&["vrm.v1.AlarmService", "vrm.v1.HostService"]).unwrap();
        let may = policies.iter().filter(|policy| policy.permission.as_ref().is_some_and(|needed| role.grants(needed)));
        may.filter(|policy| policy.writes).map(|policy| policy.method.replace("vrm.v1.", "")).collect()
    }

    #[test]
    fn fault_operators_work_on_alarms_and_on_nothing_else() {
        let may = granted_to(Role::FaultOperator);
        let expected = [
            "AcknowledgeAlarm",
            "BatchAcknowledgeAlarms",
            "BatchUnacknowledgeAlarms",
            "ClearAlarm",
            "CommentAlarm",
            "CreateAlarmShelf",
            "DeleteAlarmShelf",
            "LinkAlarm",
            "UnacknowledgeAlarm",
            "UpdateAlarmShelf",
        ];
        assert_eq!(may, expected.map(|method| format!("AlarmService/{method}")));
    }

    #[test]
    fn the_other_roles_have_what_is_theirs() {
        assert_eq!(granted_to(Role::Reporter), ["AlarmService/ReportCondition"]);
        assert_eq!(granted_to(Role::ResourceOperator), ["HostService/LockHost", "HostService/UnlockHost"]);
        for role in [Role::Viewer, Role::Cluster, Role::Auditor, Role::SecurityAdministrator] {
            assert!(granted_to(role).is_empty(), "{role:?}");
        }
        assert_eq!(granted_to(Role::Administrator).len(), 19, "all of them");
        for role in [Role::Reporter, Role::Auditor, Role::SecurityAdministrator] {
            assert!(!role.grants("alarms.list"), "{role:?}");
        }
        assert!(Role::Viewer.grants("alarms.watch") && Role::Viewer.grants("alarmShelves.list"));
    }
}
