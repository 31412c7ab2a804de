//! The verbs about measurements: `query`, `top`, `report`, and jobs and monitors.

mod chart;
mod jobs;
mod lists;
mod pages;
mod query;
mod report;
mod scope;
mod table;
mod top;
mod value;

pub use jobs::{create_job, create_monitor, delete, suspend};
pub use lists::{JOB, METRIC, MONITOR, rows};
pub use pages::{describe, explain_metric};
pub use query::query;
pub use report::report;
pub use top::top;
