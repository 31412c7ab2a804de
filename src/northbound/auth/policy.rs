//! The policy of every method, read from the descriptors: a method without one is not served.

use crate::wire::{json, v1};
use prost::Message;
use std::collections::BTreeMap;
use std::time::Duration;

/// Permission of the reflection service.
const REFLECTION: &str = "reflection.list";

/// Methods that everybody who got this far may call: load balancers have no role.
const HEALTH: [&str; 3] =
    ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List", "/grpc.health.v1.Health/Watch"];

/// Both versions of the reflection service.
const REFLECTIONS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// What holds for one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Full name, e.g. `vrm.v1.HostService/RegisterHost`.
    pub method: String,
    /// Permission the caller needs; nothing: none.
    pub permission: Option<String>,
    /// The call changes something.
    pub writes: bool,
    /// The call changes a hypervisor.
    pub needs_manage: bool,
    /// Longest time the server works on it.
    pub max_duration: Option<Duration>,
    /// It answers with a stream.
    pub streams: bool,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A method has no policy, or one without permission.
    #[error("method {0} has no permission in its policy")]
    Missing(String),
    /// A served service is not part of the interface.
    #[error("service {0} is not in the descriptors")]
    UnknownService(String),
}

/// The policies of all served methods, by path.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    by_path: BTreeMap<String, Policy>,
}

impl Policies {
    /// Reads the policies of the named services of the interface.
    ///
    /// # Errors
    /// [`PolicyError`]: then the server must not start.
    pub fn read(services: &[&str]) -> Result<Self, PolicyError> {
        let mut by_path = BTreeMap::new();
        for name in services {
            let service = json::pool()
                .get_service_by_name(name)
                .ok_or_else(|| PolicyError::UnknownService((*name).to_owned()))?;
            for method in service.methods() {
                let full_name = format!("{name}/{}", method.name());
                let policy = method_policy(&method).filter(|policy| !policy.permission.is_empty());
                let policy = policy.ok_or_else(|| PolicyError::Missing(full_name.clone()))?;
                let max_duration = policy.max_duration.and_then(|duration| Duration::try_from(duration).ok());
                let entry = Policy {
                    method: full_name.clone(),
                    writes: policy.audit_level() == v1::AuditLevel::Request,
                    permission: Some(policy.permission),
                    needs_manage: policy.needs_manage,
                    max_duration,
                    streams: method.is_server_streaming(),
                };
                by_path.insert(format!("/{full_name}"), entry);
            }
        }
        Ok(Self { by_path })
    }

    /// The policy of a path; nothing if it is not served.
    pub fn of(&self, path: &str) -> Option<Policy> {
        if let Some(policy) = self.by_path.get(path) {
            return Some(policy.clone());
        }
        // Only whole names: policies are keys of counters, which callers must not be able to grow.
        let is_reflection = REFLECTIONS.contains(&path);
        if !is_reflection && !HEALTH.contains(&path) {
            return None;
        }
        Some(Policy {
            method: path.trim_start_matches('/').to_owned(),
            permission: is_reflection.then(|| REFLECTION.to_owned()),
            writes: false,
            needs_manage: false,
            max_duration: None,
            streams: true,
        })
    }

    /// Every policy, by method.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.by_path.values()
    }
}

fn method_policy(method: &prost_reflect::MethodDescriptor) -> Option<v1::MethodPolicy> {
    let extension = json::pool().get_extension_by_name("vrm.v1.method_policy")?;
    let options = method.options();
    let value = options.get_extension(&extension);
    let bytes = value.as_message()?.encode_to_vec();
    v1::MethodPolicy::decode(bytes.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::northbound::auth::Role;

    const SERVICES: [&str; 3] = ["vrm.v1.InventoryService", "vrm.v1.HostService", "vrm.v1.AdminService"];

    #[test]
    fn every_permission_is_held_by_a_role_and_none_by_everybody() {
        let policies = Policies::read(&SERVICES).unwrap();
        assert!(policies.iter().count() > 30);
        for policy in policies.iter() {
            let permission = policy.permission.clone().unwrap();
            assert!(Role::ALL.iter().any(|role| role.grants(&permission)), "{permission} is held by nobody");
            assert!(!Role::ALL.iter().all(|role| role.grants(&permission)) || permission == "server.get");
            assert_eq!(policy.max_duration.is_none(), policy.streams, "{}", policy.method);
            assert!(!policy.needs_manage, "nothing of today's interface changes a hypervisor");
        }
    }

    #[test]
    fn changes_are_audited_and_not_for_viewers() {
        for policy in Policies::read(&SERVICES).unwrap().iter() {
            let permission = policy.permission.clone().unwrap();
            let method = policy.method.rsplit('/').next().unwrap().to_owned();
            let reads = ["Get", "List", "Watch"].iter().any(|verb| method.starts_with(verb));
            assert_eq!(policy.writes, !reads, "{method}");
            assert!(reads || !Role::Viewer.grants(&permission), "{permission}");
        }
    }

    #[test]
    fn unknown_services_are_refused() {
        assert!(matches!(Policies::read(&["vrm.v1.Nothing"]), Err(PolicyError::UnknownService(_))));
        assert_eq!(Policies::default().of("/vrm.v1.Nothing/Get"), None);
        assert_eq!(Policies::default().of("/grpc.health.v1.Health/Random1"), None);
        assert_eq!(Policies::default().of(HEALTH[0]).unwrap().permission, None);
        assert!(Policies::default().of(REFLECTIONS[1]).unwrap().permission.is_some());
    }
}
