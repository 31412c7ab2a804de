//! What `create` makes.

use super::alarm_args::{ProfileArgs, ShelfArgs};
use super::measure_args::{JobArgs, MonitorArgs};
use clap::Subcommand;

/// What `create` makes.
#[derive(Clone, Debug, Subcommand)]
pub enum Create {
    /// A rule that puts alarms aside: they are kept and counted, but not told
    Shelf(ShelfArgs),
    /// A rule that grades alarms
    Profile(ProfileArgs),
    /// A standing order to measure
    Job(JobArgs),
    /// A watch on a metric that raises an alarm
    Monitor(MonitorArgs),
    /// Anything else
    #[command(external_subcommand)]
    Other(Vec<String>),
}
