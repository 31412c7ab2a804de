//! Who is at the other end of a connection; worked out once per connection.

use super::accounts;
use super::role::{self, ACT_AS, Role};
use crate::model::Actor;
use crate::northbound::failure::Failure;
use crate::northbound::reason::Reason;
use crate::wire::v1;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::Instant;

/// Longest name of a person or system that somebody acts for, in characters.
const ASSERTED: usize = 64;

/// Groups whose members have roles at the local socket (operations.md F16).
const GROUPS: [(&str, &[Role]); 3] = [
    ("vrm-admin", &Role::ALL),
    ("vrm-operator", &[Role::Viewer, Role::FaultOperator, Role::ResourceOperator]),
    ("vrm-viewer", &[Role::Viewer]),
];

/// How somebody is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerKind {
    /// A local socket: the kernel vouches for the user.
    Local,
    /// Plaintext over the loopback interface: nobody vouches for anybody.
    InsecureLoopback,
    /// TLS with a client certificate.
    Tls,
}

/// An authenticated peer.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who, e.g. `uid:1000(alice)`.
    pub principal: String,
    /// From where, e.g. `unix:pid 4711`.
    pub peer: String,
    /// How.
    pub kind: PeerKind,
    /// What they may be.
    pub roles: BTreeSet<Role>,
    /// The peer's own login name, if it is a local user.
    pub user: Option<String>,
}

impl Identity {
    /// A local user.
    pub fn local(uid: u32, gid: u32, pid: Option<i32>) -> Self {
        let user = accounts::user_name(uid);
        let principal = user.as_ref().map_or_else(|| format!("uid:{uid}"), |user| format!("uid:{uid}({user})"));
        let is_owner = uid == 0 || uid == rustix::process::geteuid().as_raw();
        let groups = if is_owner { BTreeSet::new() } else { accounts::group_names(uid, gid, pid, user.as_deref()) };
        Self {
            principal,
            peer: pid.map_or_else(|| "unix".to_owned(), |pid| format!("unix:pid {pid}")),
            kind: PeerKind::Local,
            roles: if is_owner { Role::ALL.into() } else { roles_of_groups(&groups) },
            user,
        }
    }

    /// Somebody on a plaintext loopback listener: a viewer, whoever it is.
    pub fn insecure_loopback(address: SocketAddr) -> Self {
        Self {
            principal: "insecure:loopback".to_owned(),
            peer: address.to_string(),
            kind: PeerKind::InsecureLoopback,
            roles: [Role::Viewer].into(),
            user: None,
        }
    }

    /// The holder of a certificate.
    pub fn certificate(principal: String, roles: BTreeSet<Role>, address: SocketAddr) -> Self {
        Self { principal, peer: address.to_string(), kind: PeerKind::Tls, roles, user: None }
    }

    /// True if it has a permission.
    pub fn may(&self, permission: &str) -> bool {
        role::granted(&self.roles, permission)
    }

    /// What to do about a missing permission.
    pub fn hint(&self, permission: &str) -> String {
        match self.kind {
            PeerKind::Local if self.roles.is_empty() => "ask to be added to group vrm-viewer".to_owned(),
            PeerKind::Local if Role::ResourceOperator.grants(permission) => {
                "ask to be added to group vrm-operator".to_owned()
            }
            PeerKind::Local => "ask to be added to group vrm-admin".to_owned(),
            PeerKind::InsecureLoopback => "the insecure listener only shows; use the local socket".to_owned(),
            PeerKind::Tls => format!("ask for a role with permission {permission}"),
        }
    }

    /// The refusal of a call.
    pub fn denied(&self, permission: &str) -> Failure {
        let hint = self.hint(permission);
        Failure::new(Reason::PermissionDenied, format!("{} lacks {permission}: {hint}", self.principal))
            .with("permission", permission)
            .with("principal", &self.principal)
            .with("hint", hint)
    }
}

fn roles_of_groups(groups: &BTreeSet<String>) -> BTreeSet<Role> {
    GROUPS.iter().filter(|(group, _)| groups.contains(*group)).flat_map(|(_, roles)| roles.iter().copied()).collect()
}

/// The caller of a request: the identity of its connection.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub identity: Arc<Identity>,
    /// When the connection must end.
    pub deadline: Instant,
}

impl Caller {
    /// Who acts, with the person and system the request names.
    ///
    /// # Errors
    /// `INVALID_FIELD` for overlong names; `PERMISSION_DENIED` if somebody else is named without
    /// permission `actAs`. One's own login name may always be said.
    pub fn actor(&self, asserted: Option<&v1::Actor>) -> Result<Actor, Failure> {
        let user = asserted.map_or("", |actor| actor.user.as_str());
        let system = asserted.map_or("", |actor| actor.system.as_str());
        for (field, text) in [("actor.user", user), ("actor.system", system)] {
            if text.chars().count() > ASSERTED || text.chars().any(char::is_control) {
                return Err(Failure::field(field, format!("at most {ASSERTED} characters, no control characters")));
            }
        }
        let identity = &self.identity;
        let is_oneself = system.is_empty() && (user.is_empty() || identity.user.as_deref() == Some(user));
        if !is_oneself && !identity.may(ACT_AS) {
            return Err(identity.denied(ACT_AS));
        }
        Ok(Actor {
            principal: identity.principal.clone(),
            user: user.to_owned(),
            system: system.to_owned(),
            peer: identity.peer.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(roles: &[Role], user: Option<&str>) -> Caller {
        let identity = Identity {
            principal: "uid:1000(alice)".into(),
            peer: "unix:pid 7".into(),
            kind: PeerKind::Local,
            roles: roles.iter().copied().collect(),
            user: user.map(str::to_owned),
        };
        Caller { identity: Arc::new(identity), deadline: Instant::now() }
    }

    #[test]
    fn groups_give_roles() {
        let roles = |group: &str| roles_of_groups(&[group.to_owned(), "users".to_owned()].into());
        assert_eq!(roles("vrm-admin").len(), Role::ALL.len());
        assert_eq!(roles("vrm-viewer"), [Role::Viewer].into());
        assert!(roles("vrm-operator").contains(&Role::FaultOperator));
        assert!(roles("vrm").is_empty(), "the daemon's own group is no role");
    }

    #[test]
    fn nobody_acts_for_others_without_permission() {
        let other = v1::Actor { user: "bob".into(), ..Default::default() };
        let own = v1::Actor { user: "alice".into(), ..Default::default() };
        let operator = caller(&[Role::ResourceOperator], Some("alice"));
        assert_eq!(operator.actor(Some(&other)).unwrap_err().reason(), Reason::PermissionDenied);
        assert_eq!(operator.actor(Some(&own)).unwrap().user, "alice");
        let admin = caller(&[Role::Administrator], None);
        let actor = admin.actor(Some(&other)).unwrap();
        assert_eq!((actor.principal.as_str(), actor.user.as_str()), ("uid:1000(alice)", "bob"));
    }

    #[test]
    fn overlong_names_are_refused() {
        let long = v1::Actor { user: "x".repeat(65), ..Default::default() };
        assert_eq!(caller(&[Role::Administrator], None).actor(Some(&long)).unwrap_err().reason(), Reason::InvalidField);
    }

    #[test]
    fn root_and_the_daemons_user_have_all_roles() {
        let own = rustix::process::geteuid().as_raw();
        assert_eq!(Identity::local(own, 0, None).roles.len(), Role::ALL.len());
        assert!(Identity::local(4_242_424, 4_242_424, None).roles.is_empty());
    }
}
