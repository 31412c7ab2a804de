//! What is accepted, what is refused, and that refusals name file, key and reason.

use super::{
    Inputs, Listener, Metrics, NotifyKind, Profile, Settings, SettingsError, Severity, load, parse_host_argument,
};
use std::path::Path;
use std::time::Duration;

fn inputs(config: &Path) -> Inputs {
    Inputs { config: Some(config.to_owned()), local_name: "here".into(), ..Inputs::default() }
}

fn read(text: &str) -> Result<Settings, SettingsError> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("vrm.toml");
    std::fs::write(&file, text).unwrap();
    load(&inputs(&file))
}

#[test]
fn the_shipped_sample_is_valid_and_shows_the_defaults() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/sample/vrm.toml");
    let settings = load(&inputs(&sample)).unwrap();
    assert_eq!(settings.profile, Profile::Monitor);
    assert_eq!(settings.poll_statistics, Duration::from_secs(10));
    assert!(matches!(settings.metrics, Metrics::On { explicit: false, .. }));
    assert_eq!(settings.vrm_id, "here");
}

/// What the sample comments out from `[alarms]` on, line by line: prose is no TOML.
#[test]
fn the_samples_alarm_examples_are_valid() {
    let sample = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/sample/vrm.toml"));
    let sample = sample.unwrap();
    let (_, examples) = sample.split_once("[alarms]").unwrap();
    let lines =
        examples.lines().map(|line| line.trim_start_matches("# ")).filter(|line| line.parse::<toml::Table>().is_ok());
    let settings = read(&format!("[alarms]\n{}", lines.collect::<Vec<_>>().join("\n"))).unwrap();
    assert_eq!(settings.alarms.acknowledge_cleared_after, Some(Duration::from_secs(86_400)));
    assert_eq!(settings.alarms.profiles.len(), 2);
    assert_eq!(settings.alarms.profiles[0].severity[&Severity::Major], Severity::Warning);
    assert_eq!(settings.alarms.profiles[1].thresholds["percent.major"], 92.0);
    let [alertmanager, noc, pager] = settings.notify.as_slice() else { panic!("{:?}", settings.notify) };
    assert!(matches!(&alertmanager.kind, NotifyKind::Alertmanager { http, .. } if http.url == "http://127.0.0.1:9093"));
    assert_eq!((alertmanager.minimum_severity, alertmanager.roots_only), (Severity::Minor, true));
    assert!(matches!(&noc.kind, NotifyKind::Webhook { secret_file: Some(_), .. }));
    assert_eq!((noc.roots_only, noc.delay), (false, Duration::from_secs(30)));
    assert!(matches!(&pager.kind, NotifyKind::Exec { command } if command.len() == 3));
}

#[test]
fn drop_ins_and_host_files_are_read_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("vrm.toml", "[vrm]\nid = 'one'\ndn_prefix = 'DC=a'\n");
    write("vrm.d/20.toml", "[vrm]\nid = 'two'\n");
    write("hosts.d/kvm-07.toml", "id = 'kvm-07'\nuri = 'qemu+tls://kvm-07.dc1/system'\nlabels = { rack = 'r12' }\n");
    write("hosts.d/readme.txt", "not read");
    let settings = load(&inputs(&directory.path().join("vrm.toml"))).unwrap();
    assert_eq!((settings.vrm_id.as_str(), settings.dn_prefix.as_str()), ("two", "DC=a"));
    assert_eq!(settings.hosts.len(), 1);
    assert_eq!(settings.hosts[0].labels["rack"], "r12");
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    assert!(matches!(load(&inputs(Path::new("/nowhere/vrm.toml"))), Err(SettingsError::Unreadable { .. })));
}

#[test]
fn refusals_name_the_key() {
    for (text, key) in [
        ("[vrm]\nprofil = 'x'", "profil"),
        ("[vrm]\nprofile = 'admin'", "vrm.profile"),
        ("[vrm]\nremoval_guard = 2.0", "vrm.removal_guard"),
        ("[vrm]\nid = 'a b'", "vrm.id"),
        ("[vrm]\ndn_prefix = 'dc1'", "vrm.dn_prefix"),
        ("[vrm]\noutside_changes = 'shout'", "vrm.outside_changes"),
        ("[poll]\nstatistics = '0s'", "poll.statistics"),
        ("[measurement]\ninterval = '0s'", "measurement.interval"),
        ("[measurement]\nseries = 0", "measurement.series"),
        ("[measurement]\nkeep_hours = '1s'", "measurement.keep_hours"),
        ("[measurement]\ninterval = '10s'\n[poll]\nstatistics = '10s'", "measurement.interval"),
        ("[poll]\nstate = 'soon'", "poll.state"),
        ("[listen]\ntcp = 'everywhere'", "listen.tcp"),
        ("[metrics]\nlisten = '9478'", "metrics.listen"),
        ("[limits]\nwatches = 1000", "limits.watches"),
        ("[overcommit]\ncpu = 0.0", "overcommit.cpu"),
        ("[[host]]\nid = 'Bad'\nuri = 'qemu:///system'", "id"),
        ("[[host]]\nid = 'a'", "uri"),
        ("[[host]]\nid = 'a'\nuri = 'qemu:///system'\ncredential = 'x'", "credential"),
        ("[[host]]\nid = 'a'\nuri = 'x://1'\n[[host]]\nid = 'a'\nuri = 'x://2'", "id"),
        ("[alarms]\nacknowledge_cleared_after = 'never'", "alarms.acknowledge_cleared_after"),
        ("[[alarm_profile]]\noff = true", "alarm_profile[1].name"),
        ("[[alarm_profile]]\nname = 'a'", "alarm_profile[a].severity"),
        ("[[alarm_profile]]\nname = 'a'\nseverity = { major = 'bad' }", "alarm_profile[a].severity.major"),
        ("[[alarm_profile]]\nname = 'a'\nhold_on = '1'", "alarm_profile[a].hold_on"),
        ("[[alarm_profile]]\nname = 'a'\nthresholds = { x = nan }", "alarm_profile[a].thresholds.x"),
        ("[[alarm_profile]]\nname = 'a'\nsverity = {}", "sverity"),
        ("[[notify]]\nkind = 'webhook'\nurl = 'http://a'", "notify[1].name"),
        ("[[notify]]\nname = 'journal'\nkind = 'webhook'\nurl = 'http://a'", "notify[journal].name"),
        ("[[notify]]\nname = '../x'\nkind = 'webhook'\nurl = 'http://a'", "notify[../x].name"),
        ("[[notify]]\nname = 'a'\nkind = 'pigeon'", "notify[a].kind"),
        ("[[notify]]\nname = 'a'\nkind = 'webhook'", "notify[a].url"),
        ("[[notify]]\nname = 'a'\nkind = 'webhook'\nurl = 'a:1'", "notify[a].url"),
        ("[[notify]]\nname = 'a'\nkind = 'webhook'\nurl = 'http://u:p@a'", "token_file"),
        ("[[notify]]\nname = 'a'\nkind = 'webhook'\nurl = 'http://a'\nsecret_file = 'k'", "notify[a].secret_file"),
        ("[[notify]]\nname = 'a'\nkind = 'webhook'\nurl = 'http://a'\nminimum_severity = 'x'", "minimum_severity"),
        ("[[notify]]\nname = 'a'\nkind = 'webhook'\nurl = 'http://a'\ndelay = '2 minutes'", "notify[a].delay"),
        ("[[notify]]\nname = 'a'\nkind = 'webhook'\nurl = 'http://a'\nresend = '60s'", "notify[a].resend"),
        ("[[notify]]\nname = 'a'\nkind = 'exec'", "notify[a].command"),
        ("[[notify]]\nname = 'a'\nkind = 'exec'\ncommand = ['mail']", "notify[a].command"),
        ("this is no toml", "expected"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(key), "{text:?}: {error}");
        assert!(error.contains("vrm.toml"), "{text:?}: {error}");
    }
}

#[test]
fn a_host_argument_gives_its_id_or_its_address_does() {
    for (argument, id, uri) in [
        ("sim=sim://?hosts=3&vms=24", "sim", "sim://?hosts=3&vms=24"),
        ("sim://?hosts=3", "sim", "sim://?hosts=3"),
        ("qemu:///system", "here", "qemu:///system"),
        ("qemu+ssh://root@kvm-07.dc1.example.net/system", "kvm-07", "qemu+ssh://root@kvm-07.dc1.example.net/system"),
        ("qemu+tls://KVM-08:16514/system", "kvm-08", "qemu+tls://KVM-08:16514/system"),
        ("test:///default", "test", "test:///default"),
        ("a=test:///x.xml?y=1", "a", "test:///x.xml?y=1"),
    ] {
        let host = parse_host_argument(argument, "here").unwrap();
        assert_eq!((host.id.as_str(), host.uris[0].as_str()), (id, uri), "{argument}");
    }
    let error = parse_host_argument("qemu+tcp://10.99.0.1/system", "here").unwrap_err().to_string();
    assert!(error.contains("--host ID="), "{error}");
    assert!(parse_host_argument("=qemu:///system", "here").is_err());
    assert!(parse_host_argument("nonsense", "here").is_err());
}

#[test]
fn the_command_line_wins_over_files() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("vrm.toml");
    std::fs::write(&file, "[vrm]\nprofile = 'manage'\n").unwrap();
    let given = Inputs {
        listen: vec!["unix:/tmp/x.sock".into(), "127.0.0.1:7443".into()],
        profile: Some("monitor".into()),
        metrics: Some("off".into()),
        hosts: vec!["a=qemu:///system".into(), "a=lxc:///system".into()],
        ..inputs(&file)
    };
    let settings = load(&given).unwrap();
    assert_eq!(settings.profile, Profile::Monitor);
    assert_eq!(settings.metrics, Metrics::Off);
    assert_eq!(settings.listeners[0], Listener::Unix("/tmp/x.sock".into()));
    assert_eq!(settings.hosts.len(), 1, "two technologies of one host");
    assert_eq!(settings.hosts[0].uris.len(), 2);
    let bad = Inputs { listen: vec!["udp:1".into()], ..given };
    assert!(load(&bad).unwrap_err().to_string().contains("--listen"));
}
