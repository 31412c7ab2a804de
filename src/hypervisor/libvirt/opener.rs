//! From a host's registration to its endpoints. Contacts nobody.

use super::adapter::LibvirtHypervisor;
use super::event_loop;
use super::stats::Polling;
use super::uri::{self, Credential, Target};
use crate::hypervisor::port::{Endpoint, OpenError, Opener};
use crate::model::host::EndpointKey;
use crate::model::registration::{HostRegistration, Profile};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the daemon tells this adapter.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The daemon's profile: the upper bound for every host.
    pub profile: Profile,
    /// Credentials by name.
    pub credentials: BTreeMap<String, Credential>,
}

/// Opens hosts that are reached through libvirt.
#[derive(Debug)]
pub struct LibvirtOpener {
    config: Config,
    polling: Polling,
}

impl LibvirtOpener {
    /// An opener; starts libvirt's event loop, which must run before anything connects.
    ///
    /// # Errors
    /// Why the event loop cannot run.
    pub fn new(config: Config) -> Result<Self, String> {
        event_loop::start()?;
        Ok(Self { config, polling: Polling::default() })
    }

    /// With another way to poll figures.
    #[must_use]
    pub fn with_polling(self, polling: Polling) -> Self {
        Self { polling, ..self }
    }

    fn target(&self, uri: &str, registration: &HostRegistration) -> Result<Target, OpenError> {
        let credential = match registration.credential.as_str() {
            "" => None,
            name => Some(self.config.credentials.get(name).ok_or_else(|| {
                open_error(registration, "credential", format!("there is no credential named {name:?}"))
            })?),
        };
        uri::check(uri, registration, credential, self.profile(registration))
            .map_err(|reason| open_error(registration, "uri", format!("{uri:?} {reason}")))
    }

    /// The narrower of the daemon's and the host's profile.
    fn profile(&self, registration: &HostRegistration) -> Profile {
        registration.profile.map_or(self.config.profile, |host| host.min(self.config.profile))
    }
}

impl Opener for LibvirtOpener {
    fn open(&self, registration: &HostRegistration) -> Result<Vec<Endpoint>, OpenError> {
        if registration.uris.is_empty() {
            return Err(open_error(registration, "uri", "none is given".into()));
        }
        let profile = self.profile(registration);
        let mut technologies = BTreeSet::new();
        let mut endpoints = Vec::with_capacity(registration.uris.len());
        for uri in &registration.uris {
            let mut target = self.target(uri, registration)?;
            if !technologies.insert(target.driver.clone()) {
                let reason = format!("{uri:?} is the second of technology {}", target.driver);
                return Err(open_error(registration, "uri", reason));
            }
            let key = EndpointKey { host: registration.id.clone(), technology: target.driver.clone() };
            endpoints.push(Endpoint {
                registration: registration.clone(),
                warnings: std::mem::take(&mut target.warnings),
                hypervisor: Arc::new(LibvirtHypervisor::new(key, profile, target).with_polling(self.polling)),
            });
        }
        Ok(endpoints)
    }
}

fn open_error(registration: &HostRegistration, field: &str, reason: String) -> OpenError {
    OpenError { host: registration.id.to_string(), field: field.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::HostId;
    use crate::model::registration::HostOrigin;

    fn registration(uris: &[&str]) -> HostRegistration {
        HostRegistration {
            id: HostId::parse("h1").expect("a good id"),
            uris: uris.iter().map(ToString::to_string).collect(),
            credential: String::new(),
            profile: None,
            allow_insecure: false,
            labels: BTreeMap::new(),
            origin: HostOrigin::File,
        }
    }

    fn opener(profile: Profile) -> LibvirtOpener {
        LibvirtOpener::new(Config { profile, credentials: BTreeMap::new() }).expect("the event loop starts")
    }

    #[test]
    fn two_technologies_are_two_endpoints_of_one_host() {
        let endpoints =
            opener(Profile::Monitor).open(&registration(&["qemu:///system", "lxc:///system"])).expect("good");
        let keys: Vec<String> = endpoints.iter().map(|endpoint| endpoint.hypervisor.key().to_string()).collect();
        assert_eq!(keys, ["h1/qemu", "h1/lxc"]);
    }

    #[test]
    fn a_host_may_be_narrower_than_the_daemon_never_wider() {
        let mut host = registration(&["qemu:///system"]);
        host.profile = Some(Profile::Manage);
        assert_eq!(opener(Profile::Monitor).open(&host).expect("good")[0].hypervisor.profile(), Profile::Monitor);
        host.profile = Some(Profile::Monitor);
        assert_eq!(opener(Profile::Manage).open(&host).expect("good")[0].hypervisor.profile(), Profile::Monitor);
        host.profile = None;
        assert_eq!(opener(Profile::Manage).open(&host).expect("good")[0].hypervisor.profile(), Profile::Manage);
    }

    #[test]
    fn faults_name_host_and_field() {
        let opener = opener(Profile::Monitor);
        let error = opener.open(&registration(&["qemu:///system", "qemu:///session"])).expect_err("twice qemu");
        assert!(error.to_string().starts_with("host h1: uri:"), "{error}");
        let mut host = registration(&["qemu:///system"]);
        host.credential = "site".into();
        assert_eq!(opener.open(&host).expect_err("unknown").field, "credential");
        assert_eq!(opener.open(&registration(&[])).expect_err("none").field, "uri");
    }
}
