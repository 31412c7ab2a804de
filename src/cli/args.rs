//! The grammar: what may be typed after `vrmctl`.

use super::alarm_args::{
    AckArgs, AlarmScope, DeleteArgs, HistoryArgs, LinkArgs, LockArgs, RaiseArgs, RemarkArgs, SeverityWord, ShelveArgs,
    UnlockArgs, UnshelveArgs,
};
use super::create_args::Create;
use super::measure_args::{QueryArgs, ReportArgs, SuspendArgs, TopArgs};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Text after the list of commands.
const AFTER_HELP: &str = "\
Kinds: vm host pool volume network snapshot image backing hypervisor cluster vrm alarm alarm-type shelf
       profile metric job monitor session context (singular or plural; short: al vol net snap). KIND/NAME mixes kinds.
       get topology [BASE] shows every object with its relations (-o json: all at one position).
NAME:  a name, name@host, a UUID, a resource name, or when only reading a unique prefix of 8 or more
       characters; - reads names from standard input. Alarms: an id, 8 or more characters of its
       beginning, or TYPE/OBJECT as get shows them, e.g. vmCrashed/vm/web-1.
The daemon is looked for in this order: -e, -c, VRM_ENDPOINT, VRM_CONTEXT, the current context,
$XDG_RUNTIME_DIR/vrm/vrmd.sock, /run/vrm/vrmd.sock.
Exit codes: 0 done, 1 failed, 2 wrong use or ambiguous name, 3 not found, 4 conflict, precondition or
profile, 5 not allowed, 6 daemon unreachable, 7 done in part, 8 outcome unknown or time-out.";

/// Command line of the virtualized resource manager.
#[derive(Clone, Debug, Parser)]
#[command(name = "vrmctl", version, after_help = AFTER_HELP, allow_external_subcommands = true)]
#[command(subcommand_required = true, arg_required_else_help = true, infer_subcommands = false)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Address of the daemon: unix:PATH or ADDR:PORT [env: VRM_ENDPOINT]
    #[arg(short = 'e', long, global = true, value_name = "ENDPOINT", help_heading = "Which daemon")]
    pub endpoint: Option<String>,
    /// Context to use [env: VRM_CONTEXT]
    #[arg(
        short = 'c',
        long,
        global = true,
        value_name = "CONTEXT",
        conflicts_with = "endpoint",
        help_heading = "Which daemon"
    )]
    pub context: Option<String>,
    /// Ask every context at once (reading commands only)
    #[arg(short = 'A', long, global = true, conflicts_with_all = ["endpoint", "context"], help_heading = "Which daemon")]
    pub all_contexts: bool,
    /// Longest wait for answers, e.g. 5s; a watch ends after it [default: 30s]
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_span, help_heading = "Which daemon")]
    pub timeout: Option<Duration>,
    /// Output format
    #[arg(short = 'o', long, global = true, value_enum, default_value_t, help_heading = "Output")]
    pub output: Format,
    /// Columns of tables and csv: names of columns or paths of fields (state.reason.code, labels.rack)
    #[arg(long, global = true, value_delimiter = ',', value_name = "COLUMN,…", help_heading = "Output")]
    pub columns: Vec<String>,
    /// Sort by a column or path; -COLUMN for the reverse
    #[arg(long, global = true, value_name = "COLUMN", allow_hyphen_values = true, help_heading = "Output")]
    pub sort: Option<String>,
    /// No line of headers
    #[arg(long, global = true, help_heading = "Output")]
    pub no_headers: bool,
    /// Times in UTC
    #[arg(long, global = true, help_heading = "Output")]
    pub utc: bool,
    /// Only what matches, e.g. 'run_state = off AND host = "hosts/kvm-07"'
    #[arg(long, global = true, value_name = "FILTER", help_heading = "Which objects")]
    pub filter: Option<String>,
    /// Only what has these labels: a=b,c!=d,e,!f
    #[arg(
        short = 'l',
        long = "selector",
        global = true,
        value_name = "LABELS",
        allow_hyphen_values = true,
        help_heading = "Which objects"
    )]
    pub selector: Vec<String>,
}

/// Output formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// A table with every column
    Wide,
    /// One object, the response of the interface
    Json,
    /// The same as YAML
    Yaml,
    /// One object a line
    Jsonl,
    /// Comma-separated values of the wide table
    Csv,
    /// Resource names
    Name,
    /// Alarms as resources of TMF642
    Tmf642,
    /// Alarms as events of ONAP's VES
    Ves,
    /// Alarms as event records of O-RAN's O2ims
    O2ims,
}

impl Format {
    /// Whether it shows everything there is.
    pub fn is_data(self) -> bool {
        matches!(self, Self::Json | Self::Yaml | Self::Jsonl | Self::Tmf642 | Self::Ves | Self::O2ims)
    }

    /// Whether it is a foreign record that only alarms have.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::Tmf642 | Self::Ves | Self::O2ims)
    }
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// List objects, or show those named
    #[command(override_usage = "vrmctl get KIND [NAME…]  (or KIND/NAME…) [flags]")]
    Get {
        /// KIND [NAME…] or KIND/NAME…
        #[arg(value_name = "KIND [NAME…]")]
        words: Vec<String>,
        /// Go on and show changes
        #[arg(short = 'w', long)]
        watch: bool,
        /// Which alarms
        #[command(flatten)]
        scope: AlarmScope,
    },
    /// Show everything about objects
    #[command(override_usage = "vrmctl describe KIND NAME…  (or KIND/NAME…) [flags]")]
    Describe {
        /// KIND NAME… or KIND/NAME…
        #[arg(value_name = "KIND NAME…")]
        words: Vec<String>,
    },
    /// Show objects and their changes as they come
    #[command(override_usage = "vrmctl watch KIND [NAME…]  (or KIND/NAME…) [flags]")]
    Watch {
        /// KIND [NAME…] or KIND/NAME…
        #[arg(value_name = "KIND [NAME…]")]
        words: Vec<String>,
        /// Which alarms
        #[command(flatten)]
        scope: AlarmScope,
    },
    /// Counts of hosts, machines and storage, and what is not as it should be
    Summary,
    /// Facts about the daemon: versions, profile, limits, who you are to it
    Info,
    /// What a word means: alarm types, error reasons, states, relations, fields
    Explain {
        /// The word; all error reasons without one
        word: Option<String>,
        /// Alarm types: what holds for this object, profiles included
        #[arg(long = "for", value_name = "KIND/NAME")]
        of: Option<String>,
    },
    /// Alarms that have left the list, or what happened to one
    History(HistoryArgs),
    /// Take note of alarms; a cleared one leaves the list by it
    #[command(override_usage = "vrmctl ack [alarm] ID|TYPE/OBJECT… [flags]")]
    Ack(AckArgs),
    /// Take the note back
    #[command(override_usage = "vrmctl unack [alarm] ID|TYPE/OBJECT… [flags]")]
    Unack(AckArgs),
    /// Say that an alarm's condition is over, where nothing else can tell
    #[command(override_usage = "vrmctl clear alarm ID|TYPE/OBJECT… [flags]")]
    Clear(RemarkArgs),
    /// Remark on alarms
    #[command(override_usage = "vrmctl comment alarm ID|TYPE/OBJECT… -m TEXT [flags]")]
    Comment(RemarkArgs),
    /// Put alarms aside: they are kept and counted, but not told
    #[command(override_usage = "vrmctl shelve alarm ID|TYPE/OBJECT… [flags]")]
    Shelve(ShelveArgs),
    /// Take alarms off the shelf
    #[command(override_usage = "vrmctl unshelve alarm ID|TYPE/OBJECT… [flags]")]
    Unshelve(UnshelveArgs),
    /// Link a ticket of another system to alarms
    Link(LinkArgs),
    /// Report a condition that the VRM cannot see itself
    Raise(RaiseArgs),
    /// Put hosts into maintenance: their alarms are kept, but not told
    #[command(visible_alias = "cordon")]
    Lock(LockArgs),
    /// End the maintenance of hosts
    #[command(visible_alias = "uncordon")]
    Unlock(UnlockArgs),
    /// Newest readings of metrics, or their history as table, csv, json or small charts
    Query(QueryArgs),
    /// Machines or hosts with what they use now
    Top(TopArgs),
    /// Availability, capacity, usage or alarms over a time
    Report(ReportArgs),
    /// Suspend measurement jobs or threshold monitors
    Suspend(SuspendArgs),
    /// Resume measurement jobs or threshold monitors
    Resume(SuspendArgs),
    /// Make rules about alarms, measurement jobs and threshold monitors
    #[command(override_usage = "vrmctl create shelf|profile|job|monitor [NAME] [flags]")]
    Create {
        /// What to make
        #[command(subcommand)]
        what: Create,
    },
    /// Remove rules about alarms, jobs and monitors
    Delete(DeleteArgs),
    /// Set labels (k=v) and remove them (k-)
    #[command(override_usage = "vrmctl label KIND NAME… k=v… k-… [flags]")]
    Label {
        /// KIND NAME… LABEL…
        #[arg(value_name = "KIND NAME… k=v|k-…")]
        words: Vec<String>,
        /// Check everything, change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Say which state machines, pools and networks should have
    #[command(override_usage = "vrmctl expect vm|pool|network NAME… running|off|any|observed [flags]")]
    Expect {
        /// KIND NAME… running|off|any|observed
        #[arg(value_name = "KIND NAME… running|off|any|observed")]
        words: Vec<String>,
        /// Check everything, change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Add hosts to the cluster
    Register(RegisterArgs),
    /// Take hosts out of the cluster; nothing on them changes
    #[command(override_usage = "vrmctl deregister host NAME… [flags]")]
    Deregister {
        /// host NAME… or host/NAME…
        #[arg(value_name = "host NAME…")]
        words: Vec<String>,
        /// Also if machines run there, or its state is not known
        #[arg(long)]
        force: bool,
        /// Check everything, change nothing
        #[arg(long)]
        dry_run: bool,
        /// Do it to so many hosts without asking
        #[arg(long, value_name = "N")]
        yes: Option<usize>,
    },
    /// End open streams of clients
    #[command(override_usage = "vrmctl end session ID… [flags]")]
    End {
        /// session ID… or session/ID…
        #[arg(value_name = "session ID…")]
        words: Vec<String>,
    },
    /// Checks for cron and monitoring systems: exit 0, 1 or 2
    Check {
        /// What to check
        #[command(subcommand)]
        what: Check,
    },
    /// The VRMs you work with
    Context {
        /// What to do
        #[command(subcommand)]
        action: ContextAction,
    },
    /// Settings of the daemon on this machine
    Config {
        /// What to do
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// The interface definition
    Proto {
        /// What to do
        #[command(subcommand)]
        action: ProtoAction,
    },
    /// Make the simulator fail: status, restore, drop-host HOST, crash-machine VM, storm …
    Sim(SimArgs),
    /// A throw-away daemon of your own; gone at Ctrl-C
    Try(TryArgs),
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Anything else: words of other tools and misspellings
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// Arguments of `register`.
#[derive(Clone, Debug, Default, Args)]
#[command(override_usage = "vrmctl register host [ID] URI… [flags]\n       vrmctl register host -f FILE [flags]")]
pub struct RegisterArgs {
    /// host [ID] URI…
    #[arg(value_name = "host [ID] URI…")]
    pub words: Vec<String>,
    /// Hosts from a file (YAML or TOML; - for standard input)
    #[arg(short = 'f', long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Name of a credential in the daemon's settings
    #[arg(long)]
    pub credential: Option<String>,
    /// A narrower profile than the daemon's
    #[arg(long, value_name = "monitor|manage")]
    pub profile: Option<String>,
    /// Label of the host
    #[arg(long = "label", value_name = "k=v")]
    pub labels: Vec<String>,
    /// Permit addresses that are neither encrypted nor authenticated
    #[arg(long)]
    pub allow_insecure: bool,
    /// Contact the hosts, say what would be possible, register nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `sim`.
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = "\
Faults: drop-host HOST, hang-host HOST, slow-host HOST delay_ms=N, refuse-host HOST, lose-service HOST,
  event-gap HOST, hang-machine VM, crash-machine VM, panic-machine VM, io-error VM,
  duplicate-uuid VM HOST, fill-pool HOST POOL, stop-pool HOST POOL, stop-network HOST NETWORK,
  storm changes_per_second=N seconds=N, restore [HOST | vm=VM]
Streams: lag, new-epoch, close reason=WORD
Other: status, inject JSON. Any field can be given as key=value.
A host is its id or its number from 1, a machine its name, UUID or #NUMBER from 0.")]
pub struct SimArgs {
    /// What to do, with its arguments
    #[arg(required = true, value_name = "WHAT [ARG…]")]
    pub words: Vec<String>,
    /// State directory of the daemon, where its sim.sock is [env: VRM_STATE_DIR]
    #[arg(long, value_name = "DIR", env = "VRM_STATE_DIR", hide_env = true)]
    pub state_dir: Option<PathBuf>,
}

/// Arguments of `try`.
#[derive(Clone, Debug, Default, Args)]
pub struct TryArgs {
    /// Host to look at, e.g. qemu+ssh://me@kvm-07/system; the simulator without one
    #[arg(long = "host", value_name = "[ID=]URI")]
    pub hosts: Vec<String>,
    /// The daemon's program; the one beside vrmctl by default
    #[arg(long, value_name = "PATH")]
    pub vrmd: Option<PathBuf>,
}

/// What `check` checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Check {
    /// The daemon answers and serves: exit 0 or 2
    Alive,
    /// No alarms: exit 0; warning and minor: 1; major and critical, or no answer: 2
    Alarms {
        /// Only of this severity or above
        #[arg(long, value_enum, value_name = "SEVERITY", default_value = "warning")]
        severity: SeverityWord,
    },
}

/// What `context` does.
#[derive(Clone, Debug, Subcommand)]
pub enum ContextAction {
    /// List contexts
    List,
    /// Use a context from now on
    Use {
        /// Its name
        name: String,
    },
    /// Add or replace a context
    Add {
        /// Its name
        name: String,
        /// unix:PATH or ADDR:PORT
        endpoint: String,
        /// Authority of the daemon's certificate (PEM)
        #[arg(long, requires_all = ["cert", "key"])]
        ca: Option<PathBuf>,
        /// Your certificate (PEM)
        #[arg(long, requires_all = ["ca", "key"])]
        cert: Option<PathBuf>,
        /// Its key (PEM)
        #[arg(long, requires_all = ["ca", "cert"])]
        key: Option<PathBuf>,
        /// Name expected in the daemon's certificate
        #[arg(long)]
        server_name: Option<String>,
    },
    /// Delete a context
    Delete {
        /// Its name
        name: String,
    },
}

/// What `config` does.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigAction {
    /// Check settings files as the daemon would
    Check {
        /// The settings file
        #[arg(default_value = "/etc/vrm/vrm.toml")]
        file: PathBuf,
    },
    /// What a reload of the settings would change in the running daemon's hosts
    Diff {
        /// The settings file
        #[arg(default_value = "/etc/vrm/vrm.toml")]
        file: PathBuf,
    },
}

/// What `proto` does.
#[derive(Clone, Debug, Subcommand)]
pub enum ProtoAction {
    /// Write the .proto files with what they import
    Export {
        /// Where to
        directory: PathBuf,
    },
}

/// Shells with completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// Fish
    Fish,
}

/// `30s`, `2m`, `1h`, `500ms` or seconds without a unit.
fn parse_span(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| "write a number with ms, s, m or h".to_owned())?;
    let millis = match unit {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => return Err("units are ms, s, m and h".to_owned()),
    };
    match millis {
        Some(0) => Err("must be more than nothing".to_owned()),
        Some(millis) if millis <= 366 * 86_400_000 => Ok(Duration::from_millis(millis)),
        _ => Err("too long".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_behind_the_verb() {
        for line in
            [["vrmctl", "-o", "json", "-l", "a=b", "get", "vms"], ["vrmctl", "get", "vms", "-o", "json", "-l", "a=b"]]
        {
            let cli = Cli::try_parse_from(line).expect("a valid line");
            assert_eq!((cli.global.output, cli.global.selector), (Format::Json, vec!["a=b".to_owned()]));
        }
    }

    #[test]
    fn a_dash_and_labels_that_end_in_a_dash_are_words() {
        let cli = Cli::try_parse_from(["vrmctl", "label", "vm", "-", "tier=dev", "old-"]).expect("a valid line");
        let Verb::Label { words, .. } = cli.verb else { panic!("label") };
        assert_eq!(words, ["vm", "-", "tier=dev", "old-"]);
    }

    #[test]
    fn spans_need_a_known_unit() {
        assert_eq!(parse_span("1500ms"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse_span("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_span("7"), Ok(Duration::from_secs(7)));
        for text in ["", "s", "-1s", "1d", "0s", "99999999999999999999s"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }
}
