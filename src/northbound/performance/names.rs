//! Names and metrics of requests.

use crate::model::measurement::MeasuredKey;
use crate::model::metric::Metric;
use crate::model::{Name, ObjectClass};
use crate::northbound::failure::Failure;
use crate::northbound::limits;
use crate::northbound::published::Published;
use std::collections::BTreeSet;

/// Seconds of a day: granularity periods divide it, so that they are aligned to UTC.
const DAY: u32 = 86_400;

/// Shortest granularity period, in seconds.
const GRANULARITY_LEAST: u32 = 10;

/// What a name measures.
///
/// # Errors
/// `INVALID_FIELD` for a name that is not measured.
pub(super) fn measured_name(field: &str, text: &str) -> Result<MeasuredKey, Failure> {
    let bad =
        || Failure::field(field, format!("{text:?} is no name of a measured object, as virtualMachines/UUID would be"));
    if text.len() > limits::IDENTIFIER {
        return Err(Failure::field(field, format!("has more than {} bytes", limits::IDENTIFIER)));
    }
    let key = MeasuredKey::of_name(&Name::new(text)).ok_or_else(bad)?;
    key.class().is_some().then_some(key).ok_or_else(bad)
}

/// A root of a subtree.
///
/// # Errors
/// `INVALID_FIELD` for a name that cannot be one, `…_NOT_FOUND`.
pub(super) fn root_name(published: &Published, field: &str, text: &str) -> Result<Name, Failure> {
    if text.len() > limits::IDENTIFIER {
        return Err(Failure::field(field, format!("has more than {} bytes", limits::IDENTIFIER)));
    }
    let name = Name::new(text);
    let class = name.class().filter(|class| class.is_resource());
    if class.is_none() {
        return Err(Failure::field(field, format!("{text:?} is no name of an object, as hosts/kvm-07 would be")));
    }
    if class != Some(ObjectClass::Cluster) && published.log.get(text).is_none() {
        return Err(Failure::not_found(class, text));
    }
    Ok(name)
}

/// Metrics by name.
///
/// # Errors
/// `INVALID_FIELD` for one that there is not.
pub(super) fn check_metrics(field: &str, names: &[String]) -> Result<BTreeSet<Metric>, Failure> {
    if names.len() > Metric::ALL.len() {
        return Err(Failure::field(field, format!("there are {} metrics", Metric::ALL.len())));
    }
    names.iter().map(|name| check_metric(field, name)).collect()
}

/// A metric by name.
///
/// # Errors
/// `INVALID_FIELD` if there is none of it.
pub(super) fn check_metric(field: &str, name: &str) -> Result<Metric, Failure> {
    Metric::parse(name)
        .ok_or_else(|| Failure::field(field, format!("there is no metric {name:?}; ListMetricDescriptors lists them")))
}

/// A granularity period.
///
/// # Errors
/// `INVALID_FIELD` if it does not divide a day or is too short.
pub(super) fn check_granularity(field: &str, seconds: u32) -> Result<(), Failure> {
    if seconds < GRANULARITY_LEAST || !DAY.is_multiple_of(seconds) {
        let text = format!("must divide a day of {DAY} s and be at least {GRANULARITY_LEAST} s");
        return Err(Failure::field(field, text));
    }
    Ok(())
}
