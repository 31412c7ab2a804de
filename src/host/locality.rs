//! Decides whether an endpoint is the machine we run on, so that its files may speak for that host.

use super::machine;
use super::root::Root;
use std::sync::OnceLock;

/// Where libvirt takes a host's UUID from unless it is told another; readable by root only.
const FIRMWARE_UUID: &str = "/sys/class/dmi/id/product_uuid";

/// Knows which host is ours: that of the first local endpoint.
#[derive(Debug, Default)]
pub struct Locality {
    own_uuid: OnceLock<String>,
}

impl Locality {
    /// True if the endpoint is this machine.
    ///
    /// Its transport must be local, its UUID that of the first endpoint accepted here, and for that
    /// first one its host name ours: a local socket may lead elsewhere (a forwarded one, a host in a
    /// network namespace), and figures of this machine must not be shown for another.
    /// Endpoints without a UUID are judged by name alone.
    pub fn is_local(&self, root: &Root, host_uuid: &str, host_name: &str, uri: &str) -> bool {
        if !has_local_transport(uri) {
            return false;
        }
        let uuid = host_uuid.trim().to_ascii_lowercase();
        let is_ours_by_name =
            || machine::host_name(root).is_some_and(|own| first_label(&own) == first_label(host_name));
        if uuid.is_empty() {
            return is_ours_by_name();
        }
        if let Some(own) = self.own_uuid.get() {
            return *own == uuid;
        }
        if root.word(FIRMWARE_UUID).eq_ignore_ascii_case(&uuid) || is_ours_by_name() {
            return *self.own_uuid.get_or_init(|| uuid.clone()) == uuid;
        }
        false
    }
}

fn first_label(name: &str) -> String {
    name.trim().split('.').next().unwrap_or_default().to_ascii_lowercase()
}

/// True for URIs of real drivers without a host and without a transport that leaves the machine.
pub fn has_local_transport(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once("://") else { return false };
    let (driver, transport) = scheme.split_once('+').unwrap_or((scheme, "unix"));
    let is_simulated = matches!(driver, "test" | "sim" | "vrm");
    transport == "unix" && !is_simulated && rest.starts_with('/')
}
