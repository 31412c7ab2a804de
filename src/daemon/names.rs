//! Names of this VRM, made of settings.

use crate::model::dn::DnScheme;
use crate::settings::Settings;

/// The distinguished names of this VRM.
pub(super) fn dn_scheme(settings: &Settings, vrm_id: &str) -> DnScheme {
    DnScheme { prefix: settings.dn_prefix.clone(), vrm_id: vrm_id.to_owned(), cluster_id: settings.cluster_id.clone() }
}
