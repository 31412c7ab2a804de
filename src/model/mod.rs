//! Plain types of everything that is managed, observed and recorded.
//!
//! This is the bottom floor: it imports nothing of ours, does no I/O and reads no clock.
//! Southbound words (libvirt's) are translated into these types in `hypervisor`, northbound
//! words (proto's) in `wire`.

pub mod alarm;
pub mod alarm_command;
pub mod alarm_terms;
pub mod annotation;
pub mod audit;
pub mod capability;
pub mod capacity;
pub mod change;
pub mod dn;
pub mod history;
pub mod host;
pub mod incident;
pub mod measurement;
pub mod metric;
pub mod name;
pub mod network;
pub mod object;
pub mod observation;
pub mod registration;
pub mod relation;
pub mod state;
pub mod storage;
pub mod time;
pub mod virtual_machine;
pub mod volatile;

pub use alarm::{Alarm, AlarmProfile, AlarmShelf, PerceivedSeverity};
pub use annotation::{Annotations, Expectation, OutsideChanges};
pub use audit::{Actor, AuditRecord};
pub use change::{AttributeChange, Change, ChangeKind, ChangeSource};
pub use name::{HostId, Name, ObjectClass};
pub use object::{Body, Object};
pub use state::{ResourceState, StateReason};
pub use time::Timestamp;
pub use volatile::Volatile;
