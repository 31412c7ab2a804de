//! The grammar of the verbs about measurements.

use super::alarm_args::SeverityWord;
use super::moment::{parse_length, parse_past, parse_seconds};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use std::time::Duration;

/// Arguments of `query`.
#[derive(Clone, Debug, Default, Args)]
#[command(override_usage = "vrmctl query METRIC… --of KIND/NAME [--last TIME] [flags]")]
pub struct QueryArgs {
    /// Metrics, see `vrmctl get metrics`
    #[arg(value_name = "METRIC…", required = true)]
    pub metrics: Vec<String>,
    /// Of this object and its parts; a resource name, also of a part: virtualMachines/UUID/disks/vda
    #[arg(long = "of", value_name = "KIND/NAME")]
    pub of: Vec<String>,
    /// Results of so long a time; the newest readings without it
    #[arg(long, value_name = "TIME", value_parser = parse_length, conflicts_with = "from")]
    pub last: Option<Duration>,
    /// Results since then
    #[arg(long, value_name = "WHEN", value_parser = parse_past)]
    pub from: Option<Timestamp>,
    /// Results until then
    #[arg(long, value_name = "WHEN", value_parser = parse_past, requires = "from")]
    pub to: Option<Timestamp>,
    /// Length of the periods; by the length of the time otherwise
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub every: Option<u32>,
    /// Draw each series with blocks
    #[arg(long)]
    pub chart: bool,
}

/// What `top` is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TopKind {
    /// Virtual machines
    #[default]
    #[value(alias = "vm")]
    Vms,
    /// Hosts
    #[value(alias = "host")]
    Hosts,
}

/// Arguments of `top`.
#[derive(Clone, Debug, Default, Args)]
pub struct TopArgs {
    /// vms or hosts
    #[arg(value_enum, default_value_t, hide_default_value = true)]
    pub kind: TopKind,
    /// Print one frame and end
    #[arg(long)]
    pub once: bool,
    /// Time between two frames
    #[arg(long, value_name = "TIME", value_parser = parse_length, default_value = "5s")]
    pub interval: Duration,
    /// At most so many rows
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub limit: usize,
}

/// Subject of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportWord {
    /// Time up, down and unknown, outages
    Availability,
    /// What there is, is allocated and used
    Capacity,
    /// CPU, memory, disk and network used
    Usage,
    /// Alarms raised
    Alarms,
}

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
#[command(override_usage = "vrmctl report availability|capacity|usage|alarms --from WHEN --to WHEN [flags]")]
pub struct ReportArgs {
    /// Subject
    #[arg(value_enum)]
    pub subject: ReportWord,
    /// Begin: 2026-07-01, 2026-07-01T06:00, 30d
    #[arg(long, value_name = "WHEN")]
    pub from: String,
    /// End; now by default
    #[arg(long, value_name = "WHEN")]
    pub to: Option<String>,
    /// Zone of dates and times given, e.g. Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub tz: Option<String>,
    /// A row for each: vm, host, service or label=KEY
    #[arg(long, value_name = "vm|host|service|label=KEY")]
    pub by: Option<String>,
}

/// What a job or a monitor is about.
#[derive(Clone, Debug, Default, Args)]
pub struct ScopeArgs {
    /// This object and its parts
    #[arg(long = "of", value_name = "KIND/NAME")]
    pub of: Vec<String>,
    /// Everything below: cluster, host/NAME; everything without --of and --below
    #[arg(long, value_name = "KIND/NAME")]
    pub below: Vec<String>,
    /// Length of the periods
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub every: Option<u32>,
    /// What it is for
    #[arg(short = 'm', long = "description", value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub description: String,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Priorities as typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PriorityWord {
    /// Shed first
    Low,
    /// Shed after low
    #[default]
    Medium,
    /// Shed last
    High,
}

/// Arguments of `create job`.
#[derive(Clone, Debug, Default, Args)]
pub struct JobArgs {
    /// Its name; one is made up otherwise
    #[arg(default_value = "", hide_default_value = true)]
    pub name: String,
    /// Metrics; the core set otherwise
    #[arg(long = "metric", value_name = "METRIC", value_delimiter = ',')]
    pub metrics: Vec<String>,
    /// Of what
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Reports of so long a time, a multiple of the periods
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub report_every: Option<u32>,
    /// First period not before
    #[arg(long, value_name = "WHEN", value_parser = super::moment::parse_moment)]
    pub from: Option<Timestamp>,
    /// No period after
    #[arg(long, value_name = "WHEN", value_parser = super::moment::parse_moment)]
    pub until: Option<Timestamp>,
    /// What goes first under overload
    #[arg(long, value_enum, default_value_t, hide_default_value = true)]
    pub priority: PriorityWord,
    /// Leave periods of zeros out of reports
    #[arg(long)]
    pub zero_suppression: bool,
}

/// Arguments of `create monitor`.
#[derive(Clone, Debug, Default, Args)]
#[command(override_usage = "vrmctl create monitor [NAME] --metric METRIC --level VALUE=SEVERITY… [flags]")]
pub struct MonitorArgs {
    /// Its name; one is made up otherwise
    #[arg(default_value = "", hide_default_value = true)]
    pub name: String,
    /// The metric
    #[arg(long, value_name = "METRIC", required = true, default_value = "", hide_default_value = true)]
    pub metric: String,
    /// A level with its severity, the mildest first, e.g. 90=minor
    #[arg(long = "level", value_name = "VALUE=SEVERITY", required = true, value_parser = parse_level)]
    pub levels: Vec<(f64, SeverityWord)>,
    /// Of what
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Low is bad
    #[arg(long)]
    pub down: bool,
    /// How far the value must come back before it is cleared
    #[arg(long, value_name = "VALUE", default_value_t = 0.0, hide_default_value = true)]
    pub hysteresis: f64,
}

/// Arguments of `suspend` and `resume`.
#[derive(Clone, Debug, Default, Args)]
#[command(override_usage = "vrmctl suspend job|monitor NAME…  (or KIND/NAME…) [flags]")]
pub struct SuspendArgs {
    /// job|monitor NAME… or KIND/NAME…
    #[arg(value_name = "KIND NAME…", required = true)]
    pub words: Vec<String>,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

fn parse_level(text: &str) -> Result<(f64, SeverityWord), String> {
    let form = || "write VALUE=SEVERITY, e.g. 90=minor".to_owned();
    let (value, severity) = text.split_once('=').ok_or_else(form)?;
    Ok((value.parse().map_err(|_| form())?, SeverityWord::from_str(severity, true)?))
}
