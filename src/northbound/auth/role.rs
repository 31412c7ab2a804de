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
const RESOURCE_OPERATOR: [&str; 3] = ["managedObjects.annotate", "managedObjects.setExpectation", "hosts.lock"];

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
