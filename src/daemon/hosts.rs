//! Settings' hosts as registrations.

use crate::model::HostId;
use crate::model::registration::{HostOrigin, HostRegistration, HostReserve, Profile};
use crate::settings::{self, HostSetting};

/// The registration of a configured host.
///
/// # Errors
/// A text naming place and reason if the id breaks the pattern.
pub(super) fn registration(host: &HostSetting) -> Result<HostRegistration, String> {
    let id = HostId::parse(&host.id).map_err(|error| format!("{}: id: {error}", host.place))?;
    Ok(HostRegistration {
        id,
        uris: host.uris.clone(),
        credential: host.credential.clone(),
        profile: host.profile.map(profile),
        allow_insecure: host.allow_insecure,
        labels: host.labels.clone(),
        reserve: HostReserve { cpus: host.reserve.cpus, memory_bytes: host.reserve.memory_bytes },
        origin: HostOrigin::File,
    })
}

/// The model's word for a profile of the settings.
pub(super) fn profile(profile: settings::Profile) -> Profile {
    match profile {
        settings::Profile::Monitor => Profile::Monitor,
        settings::Profile::Manage => Profile::Manage,
    }
}
