//! The gRPC server: who may call what, and the services of `vrm.v1`.
//!
//! Readers see published state only ([`crate::changes`]); changes go through the engine's handle.
//! Nothing here decides about managed objects, and nothing here holds a lock across an await.

mod admin;
mod alarm;
mod assembly;
mod auth;
mod failure;
mod filter;
mod health;
mod host_service;
mod inventory;
pub mod limits;
mod listing;
mod metrics_page;
mod open_metrics_names;
mod performance;
mod published;
mod reason;
mod request;
mod server;
mod sessions;
mod watch;

pub use admin::ServerFacts;
pub use alarm::{ClosedAlarm, ClosedAlarmPage, ClosedAlarms};
pub use assembly::{AssemblyError, Northbound, NorthboundParts, SERVICES};
pub use auth::{GateCounters, Role};
pub use failure::{Access, Failure, from_hypervisor};
pub use filter::filterable;
pub use health::HealthBoard;
pub use metrics_page::{MetricsPage, MetricsSources};
pub use performance::{
    GroupBy, MeasurementCommand, Measurements, MetricDescription, NoMeasurements, OrderRefusal, ReportCell,
    ReportColumn, ReportDocument, ReportQuestion, ReportSubject, ReportTable,
};
pub use published::Published;
pub use reason::{Reason, code, word};
pub use server::{ConnectionCounters, Listen, ListenError, Listening, TlsAuthority, TlsError, make_dev_tls};
pub use sessions::{Sessions, WatchLimits};
