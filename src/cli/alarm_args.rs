//! The grammar of the verbs about alarms.

use super::moment::{parse_length, parse_moment};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use std::time::Duration;

/// Which alarms are shown beside the roots that nobody has put aside.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct AlarmScope {
    /// Alarms: also those that another one explains
    #[arg(long)]
    pub related: bool,
    /// Alarms: also those on shelves or suppressed by maintenance
    #[arg(long)]
    pub aside: bool,
}

/// Severities as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum SeverityWord {
    /// Cannot be told
    Indeterminate,
    /// A possible or impending fault
    Warning,
    /// Not service affecting yet
    Minor,
    /// Service affecting, urgent
    Major,
    /// Service affecting, immediate
    Critical,
}

impl SeverityWord {
    /// In words of the interface.
    pub fn severity(self) -> crate::wire::v1::Severity {
        use crate::wire::v1::Severity;
        match self {
            Self::Indeterminate => Severity::Indeterminate,
            Self::Warning => Severity::Warning,
            Self::Minor => Severity::Minor,
            Self::Major => Severity::Major,
            Self::Critical => Severity::Critical,
        }
    }
}

/// Arguments of `ack` and `unack`.
#[derive(Clone, Debug, Default, Args)]
pub struct AckArgs {
    /// [alarm] ID|TYPE/OBJECT…, - for names on standard input
    #[arg(value_name = "[alarm] ID|TYPE/OBJECT…", required = true)]
    pub words: Vec<String>,
    /// A note
    #[arg(short = 'm', long, alias = "text", value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub comment: String,
    /// Also the alarms they explain
    #[arg(long)]
    pub related: bool,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `clear` and `comment`.
#[derive(Clone, Debug, Default, Args)]
pub struct RemarkArgs {
    /// alarm ID|TYPE/OBJECT…, - for names on standard input
    #[arg(value_name = "alarm ID|TYPE/OBJECT…", required = true)]
    pub words: Vec<String>,
    /// The remark
    #[arg(short = 'm', long = "comment", alias = "text", value_name = "TEXT")]
    pub text: Option<String>,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `link`.
#[derive(Clone, Debug, Default, Args)]
#[command(override_usage = "vrmctl link alarm ID|TYPE/OBJECT… TICKET [flags]")]
pub struct LinkArgs {
    /// alarm ID|TYPE/OBJECT… TICKET
    #[arg(value_name = "alarm ID|TYPE/OBJECT… TICKET", required = true)]
    pub words: Vec<String>,
    /// Take the link away
    #[arg(long)]
    pub remove: bool,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// When something ends.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct EndArgs {
    /// For so long, e.g. 2h, 30m, 7d
    #[arg(long = "for", value_name = "TIME", value_parser = parse_length, conflicts_with = "until")]
    pub length: Option<Duration>,
    /// Until then: 2h, 22:30, 2026-03-01T22:30, 2026-03-01T22:30:00Z
    #[arg(long, value_name = "WHEN", value_parser = parse_moment)]
    pub until: Option<Timestamp>,
}

impl EndArgs {
    /// The time it ends, if it does by itself.
    pub fn end(&self) -> Option<Timestamp> {
        let after = self.length.and_then(|length| jiff::SignedDuration::try_from(length).ok());
        self.until.or_else(|| Timestamp::now().checked_add(after?).ok())
    }
}

/// Arguments of `shelve` and `unshelve`.
#[derive(Clone, Debug, Default, Args)]
pub struct ShelveArgs {
    /// alarm ID|TYPE/OBJECT…, - for names on standard input
    #[arg(value_name = "alarm ID|TYPE/OBJECT…", required = true)]
    pub words: Vec<String>,
    /// When it comes back
    #[command(flatten)]
    pub end: EndArgs,
    /// Why
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `unshelve`.
#[derive(Clone, Debug, Default, Args)]
pub struct UnshelveArgs {
    /// alarm ID|TYPE/OBJECT…, - for names on standard input
    #[arg(value_name = "alarm ID|TYPE/OBJECT…", required = true)]
    pub words: Vec<String>,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `raise`.
#[derive(Clone, Debug, Default, Args)]
pub struct RaiseArgs {
    /// A type marked external, see `vrmctl get alarm-types`
    pub alarm_type: String,
    /// KIND/NAME, or a resource name, also of a part: hosts/kvm-07/disks/sda
    pub object: String,
    /// What is the matter
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub text: String,
    /// The condition is over
    #[arg(long)]
    pub over: bool,
    /// Severity instead of the catalogue's
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub severity: Option<SeverityWord>,
    /// A detail; may be given several times
    #[arg(long = "attribute", value_name = "k=v")]
    pub attributes: Vec<String>,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `history`.
#[derive(Clone, Debug, Default, Args)]
#[command(override_usage = "vrmctl history alarms [flags]\n       vrmctl history KIND NAME  (or KIND/NAME) [flags]")]
pub struct HistoryArgs {
    /// alarms, alarm ID, or KIND NAME of an object
    #[arg(value_name = "KIND [NAME]", required = true)]
    pub words: Vec<String>,
    /// Only alarms closed since: 24h, 2026-03-01
    #[arg(long, value_name = "WHEN", value_parser = super::moment::parse_past)]
    pub since: Option<Timestamp>,
    /// Only alarms raised until then
    #[arg(long, value_name = "WHEN", value_parser = super::moment::parse_past)]
    pub until: Option<Timestamp>,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE", default_value = "", hide_default_value = true)]
    pub alarm_type: String,
    /// Only of this highest severity or above
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub severity: Option<SeverityWord>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

/// Arguments of `lock`.
#[derive(Clone, Debug, Default, Args)]
#[command(override_usage = "vrmctl lock host NAME… [flags]")]
pub struct LockArgs {
    /// host NAME… or host/NAME…
    #[arg(value_name = "host NAME…", required = true)]
    pub words: Vec<String>,
    /// When the maintenance should be over
    #[command(flatten)]
    pub end: EndArgs,
    /// Why
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `unlock`.
#[derive(Clone, Debug, Default, Args)]
#[command(override_usage = "vrmctl unlock host NAME… [flags]")]
pub struct UnlockArgs {
    /// host NAME… or host/NAME…
    #[arg(value_name = "host NAME…", required = true)]
    pub words: Vec<String>,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Which alarms a rule means; every condition given must hold.
#[derive(Clone, Debug, Default, Args)]
pub struct MatchArgs {
    /// Alarm type; may be given several times
    #[arg(long = "type", value_name = "TYPE", help_heading = "Which alarms")]
    pub types: Vec<String>,
    /// Resource name of the object, * for any characters: hosts/kvm-07*
    #[arg(long = "object", value_name = "PATTERN", default_value = "", hide_default_value = true)]
    pub object: String,
    /// Label of the object
    #[arg(long = "label", value_name = "k=v")]
    pub labels: Vec<String>,
    /// Host of the object
    #[arg(long, value_name = "HOST", default_value = "", hide_default_value = true)]
    pub host: String,
    /// Resource group of the object
    #[arg(long, value_name = "GROUP", default_value = "", hide_default_value = true)]
    pub group: String,
    /// Rules are tried in rising order; the first that matches decides
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub order: u32,
    /// The whole rule from a file (YAML, JSON or TOML), with the fields get -o yaml shows
    #[arg(short = 'f', long, value_name = "FILE", conflicts_with_all = ["types", "object", "labels", "host", "group"])]
    pub file: Option<std::path::PathBuf>,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `create shelf`.
#[derive(Clone, Debug, Default, Args)]
pub struct ShelfArgs {
    /// Its name; one is made up otherwise
    #[arg(default_value = "", hide_default_value = true)]
    pub name: String,
    /// Which alarms
    #[command(flatten)]
    pub matches: MatchArgs,
    /// When it ends
    #[command(flatten)]
    pub end: EndArgs,
    /// Why
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

/// Arguments of `create profile`.
#[derive(Clone, Debug, Default, Args)]
pub struct ProfileArgs {
    /// Its name; one is made up otherwise
    #[arg(default_value = "", hide_default_value = true)]
    pub name: String,
    /// Which alarms
    #[command(flatten)]
    pub matches: MatchArgs,
    /// One severity for another, e.g. major=minor
    #[arg(long = "severity", value_name = "FROM=TO", value_delimiter = ',')]
    pub severities: Vec<String>,
    /// A condition must persist so long before the alarm
    #[arg(long, value_name = "TIME", value_parser = super::moment::parse_seconds)]
    pub hold_on: Option<u32>,
    /// It must be gone so long before the clear
    #[arg(long, value_name = "TIME", value_parser = super::moment::parse_seconds)]
    pub hold_off: Option<u32>,
    /// A level, e.g. percent.major=90
    #[arg(long = "threshold", value_name = "NAME=LEVEL")]
    pub thresholds: Vec<String>,
    /// No such alarm at all
    #[arg(long, conflicts_with = "on")]
    pub off: bool,
    /// Also where it is off by default
    #[arg(long)]
    pub on: bool,
}

/// Arguments of `delete`.
#[derive(Clone, Debug, Default, Args)]
#[command(override_usage = "vrmctl delete shelf|profile|job|monitor NAME…  (or KIND/NAME…) [flags]")]
pub struct DeleteArgs {
    /// shelf|profile|job|monitor NAME… or KIND/NAME…
    #[arg(value_name = "KIND NAME…", required = true)]
    pub words: Vec<String>,
    /// Check everything, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do it to so many without asking
    #[arg(long, value_name = "N")]
    pub yes: Option<usize>,
}
