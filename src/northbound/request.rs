//! What all requests have in common: who calls, names, views, request ids.

use super::auth::{Caller, Policy};
use super::failure::Failure;
use super::limits;
use super::reason::Reason;
use crate::engine::CommandContext;
use crate::model::{HostId, Name, ObjectClass, Timestamp};
use crate::wire::convert::{self, Detail};
use crate::wire::v1;
use tonic::Request;

/// The call a request came with.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// Full name of the method.
    pub method: String,
}

/// The call and the message of a request.
///
/// # Errors
/// `CREDENTIAL_MISSING` if it did not pass the gate, which would be a bug.
pub fn called<T>(request: Request<T>) -> Result<(Call, T), Failure> {
    let extensions = request.extensions();
    let caller = extensions.get::<Caller>().cloned();
    let caller = caller.ok_or_else(|| Failure::new(Reason::CredentialMissing, "nobody knows who calls"))?;
    let method = extensions.get::<Policy>().map(|policy| policy.method.clone()).unwrap_or_default();
    Ok((Call { caller, method }, request.into_inner()))
}

/// The context of a change.
///
/// # Errors
/// `INVALID_FIELD` for a request id that is no UUID, and those of [`Caller::actor`].
pub fn context(
    call: &Call,
    actor: Option<&v1::Actor>,
    request_id: &str,
    etag: &str,
    validate_only: bool,
) -> Result<CommandContext, Failure> {
    if !request_id.is_empty() && uuid::Uuid::try_parse(request_id).is_err() {
        return Err(Failure::field("request_id", "must be a UUID"));
    }
    if etag.len() > limits::IDENTIFIER {
        return Err(Failure::field("etag", "is too long"));
    }
    Ok(CommandContext {
        actor: call.caller.actor(actor)?,
        method: call.method.clone(),
        request_id: request_id.to_owned(),
        validate_only,
        etag: etag.to_owned(),
    })
}

/// How much of an object is wanted.
///
/// # Errors
/// `INVALID_FIELD` for a number that is no view.
pub fn detail(view: i32, default: Detail) -> Result<Detail, Failure> {
    match v1::View::try_from(view) {
        Ok(v1::View::Unspecified) => Ok(default),
        Ok(v1::View::Basic) => Ok(Detail::Basic),
        Ok(v1::View::Full) => Ok(Detail::Full),
        Err(_) => Err(Failure::field("view", "no such view")),
    }
}

/// A name of the given class.
///
/// # Errors
/// `INVALID_FIELD` if it has not the form of one.
pub fn name_of_class(field: &str, text: &str, class: ObjectClass) -> Result<Name, Failure> {
    let name = any_name(field, text)?;
    if name.class() != Some(class) {
        return Err(Failure::field(field, format!("must have the form {}", form(class))));
    }
    Ok(name)
}

/// A name of any class.
///
/// # Errors
/// `INVALID_FIELD` if it has not the form of one.
pub fn any_name(field: &str, text: &str) -> Result<Name, Failure> {
    if text.is_empty() {
        return Err(Failure::field(field, "is required"));
    }
    if text.len() > limits::IDENTIFIER {
        return Err(Failure::field(field, format!("has more than {} bytes", limits::IDENTIFIER)));
    }
    let name = Name::new(text);
    match name.class() {
        Some(_) if text.split('/').all(|segment| !segment.is_empty()) => Ok(name),
        _ => Err(Failure::field(field, "is no name of an object, as hosts/kvm-07 would be")),
    }
}

/// The name of a new record; without an id one is made.
///
/// # Errors
/// `INVALID_FIELD` for an id that breaks the pattern.
pub fn new_name(field: &str, id: &str, name: fn(&str) -> Name) -> Result<Name, Failure> {
    if id.is_empty() {
        return Ok(name(&format!("r-{}", &uuid::Uuid::now_v7().simple().to_string()[..18])));
    }
    // The pattern is that of host ids.
    HostId::parse(id).map(|id| name(id.as_str())).map_err(|_| {
        Failure::field(field, "lower-case letters, digits and hyphens, beginning with a letter, at most 63 characters")
    })
}

/// The paths of an update mask, checked; all fields for none and for `*`.
///
/// # Errors
/// `IMMUTABLE_FIELD` for one that is not among the fields.
pub fn mask_paths<'a>(mask: Option<&prost_types::FieldMask>, fields: &[&'a str]) -> Result<Vec<&'a str>, Failure> {
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty() && mask.paths != ["*"]) else {
        return Ok(fields.to_vec());
    };
    mask.paths
        .iter()
        .take(limits::REQUEST_ITEMS)
        .map(|path| {
            let known = fields.iter().find(|field| *field == path).copied();
            known.ok_or_else(|| {
                let text = format!("{path} cannot be changed; there are {}", fields.join(", "));
                Failure::violation(Reason::ImmutableField, "update_mask", text)
            })
        })
        .collect()
}

/// A time of a request.
///
/// # Errors
/// `INVALID_FIELD` for one out of range.
pub fn time(field: &str, time: Option<prost_types::Timestamp>) -> Result<Option<Timestamp>, Failure> {
    let Some(time) = time else { return Ok(None) };
    convert::time_from(time).map(Some).ok_or_else(|| Failure::field(field, "is out of range"))
}

fn form(class: ObjectClass) -> &'static str {
    match class {
        ObjectClass::Vrm => "vrm",
        ObjectClass::Cluster => "cluster",
        ObjectClass::Host => "hosts/HOST",
        ObjectClass::Hypervisor => "hosts/HOST/hypervisors/TYPE",
        ObjectClass::VirtualMachine => "virtualMachines/UUID",
        ObjectClass::StoragePool => "hosts/HOST/storagePools/POOL",
        ObjectClass::Volume => "hosts/HOST/storagePools/POOL/volumes/VOLUME",
        ObjectClass::StorageBacking => "storageBackings/BACKING",
        ObjectClass::Network => "hosts/HOST/networks/NETWORK",
        ObjectClass::Snapshot => "virtualMachines/UUID/snapshots/SNAPSHOT",
        ObjectClass::Image => "images/IMAGE",
        ObjectClass::Alarm => "alarms/UUID",
        ObjectClass::AlarmShelf => "alarmShelves/SHELF",
        ObjectClass::AlarmProfile => "alarmProfiles/PROFILE",
        ObjectClass::MeasurementJob => "measurementJobs/JOB",
        ObjectClass::ThresholdMonitor => "thresholdMonitors/MONITOR",
    }
}
