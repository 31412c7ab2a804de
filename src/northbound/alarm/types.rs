//! The alarm types, and where each can be detected in this cluster.

use super::reader::Alarms;
use crate::model::alarm::AlarmTypeDescriptor;
use crate::model::name::digest16;
use crate::model::{Body, Name, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::wire::{convert, v1};
use v1::alarm_type_availability::State;

/// A host and the words of the ways in which things can be detected there.
type Ways = (Name, Vec<&'static str>);

impl Alarms {
    pub(super) fn types(&self, request: &v1::ListAlarmTypesRequest) -> Result<v1::ListAlarmTypesResponse, Failure> {
        if request.object_class.len() > limits::IDENTIFIER {
            return Err(Failure::field("object_class", "is too long"));
        }
        let types: Vec<&AlarmTypeDescriptor> = self.engine.alarm_types().collect();
        let hosts = self.ways();
        let wanted = |of: &&&AlarmTypeDescriptor| {
            request.object_class.is_empty() || of.object_classes.contains(&request.object_class)
        };
        let shown = |of: &&AlarmTypeDescriptor| convert::alarm_type(of, availability(of, &hosts));
        Ok(v1::ListAlarmTypesResponse {
            alarm_types: types.iter().filter(wanted).map(|of| shown(of)).collect(),
            version: version(&types),
        })
    }

    fn ways(&self) -> Vec<Ways> {
        let hosts = self.published.log.all(ObjectClass::Host);
        hosts
            .iter()
            .filter_map(|object| match &object.body {
                Body::Host(host) => {
                    let local = host.connection_uris.iter().any(|uri| is_local(uri));
                    let mut ways = vec![if local { "monitor_local" } else { "monitor_remote" }];
                    if host.profile == "manage" {
                        ways.push("manage");
                    }
                    Some((object.name.clone(), ways))
                }
                _ => None,
            })
            .collect()
    }
}

/// `qemu:///system` is on this machine, `qemu+ssh://…` is not.
fn is_local(uri: &str) -> bool {
    uri.split_once("://").is_some_and(|(_, rest)| rest.starts_with('/'))
}

fn availability(of: &AlarmTypeDescriptor, hosts: &[Ways]) -> v1::AlarmTypeAvailability {
    let of_the_vrm = of.object_classes.iter().all(|class| class == "VrmFunction" || class == "Cluster");
    let here = |ways: &[&str]| of.detectable.iter().any(|way| ways.contains(&way.as_str()));
    let able: Vec<String> = hosts.iter().filter(|(_, ways)| here(ways)).map(|(name, _)| name.to_string()).collect();
    let state = if of_the_vrm && of.detectable.iter().any(|way| way != "external") || hosts.is_empty() && here(&ALL) {
        State::Everywhere
    } else if !able.is_empty() {
        if able.len() == hosts.len() { State::Everywhere } else { State::Partly }
    } else if of.external {
        State::Reported
    } else {
        State::Nowhere
    };
    let hosts = if state == State::Partly { able } else { Vec::new() };
    v1::AlarmTypeAvailability { state: state.into(), hosts }
}

/// The ways in which this daemon detects things itself.
const ALL: [&str; 3] = ["monitor_local", "monitor_remote", "manage"];

/// Changes whenever a type does.
fn version(types: &[&AlarmTypeDescriptor]) -> String {
    digest16(&serde_json::to_string(types).unwrap_or_default())
}
