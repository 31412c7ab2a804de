//! Model to interface: one function per managed object class, exhaustive on both sides.
//!
//! Every function takes a model type apart by naming all its fields and builds the message by
//! naming all of its fields, so that a new field on either side does not compile until it is
//! thought of here.

mod alarm;
mod alarm_rule;
mod change;
mod common;
mod host;
mod machine;
mod measurement;
mod object;
mod request;
mod storage;

pub use alarm::{
    alarm, alarm_attribute_change, alarm_profile, alarm_shelf, alarm_state, alarm_transition, event_type,
    impacted_object, severity,
};
pub use alarm_rule::{alarm_type, profile_from_request, severity_from, shelf_from, time_from};
pub use change::{attribute_change, change_source, json_value};
pub use common::{
    actor, administrative_state, availability_status, capacity, connection_state, expectation, object_class,
    operational_state, procedural_status, profile_word, timestamp, usage_state,
};
pub use host::host_origin;
pub use machine::{control_state, run_state, run_state_reason};
pub use measurement::{
    absent_reason, job_from, measured_class, measurement_job, measurement_series, metric_kind, monitor_from,
    period_point, reading_point, scope_from, threshold_monitor,
};
pub use object::{Detail, Served, managed_object, resource, to_change_resource};
pub use request::{class_from, expectation_from, profile_from, relation, relation_from};
pub use storage::pool_state;

#[cfg(test)]
mod tests;
