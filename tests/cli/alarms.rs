//! Alarms on the command line, against the real daemon on the simulator.

use crate::common::{TestDaemon, wait_for};
use crate::{Outcome, json, run_with};
use std::time::Duration;

/// 60 seconds: detection includes hold-on times of half a minute.
const PATIENCE: Duration = Duration::from_secs(60);

async fn daemon() -> TestDaemon {
    TestDaemon::with_hosts(&["sim://?hosts=2&vms=4"]).started().await
}

fn run(daemon: &TestDaemon, arguments: &[&str]) -> Outcome {
    run_fed(daemon, arguments, "")
}

fn run_fed(daemon: &TestDaemon, arguments: &[&str], input: &str) -> Outcome {
    let endpoint = format!("unix:{}", daemon.socket().display());
    run_with(arguments, &[("VRM_ENDPOINT", &endpoint), ("LOGNAME", "alice")], input)
}

/// Reports that a disk of the first host fails: an alarm without waiting for detection.
async fn disk_alarm(daemon: &TestDaemon) {
    wait_for("the host is known", PATIENCE, async || (run(daemon, &["get", "host", "sim-1"]).code == 0).then_some(()))
        .await;
    let outcome = run(daemon, &["raise", "hostDiskFailed", "host/sim-1/disks/sda", "-m", "sda: 8 sectors pending"]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    wait_for("the alarm stands", PATIENCE, async || {
        run(daemon, &["get", "alarms", "-o", "name"]).out.starts_with("alarms/").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_struck_host_is_an_alarm_in_every_format() {
    let daemon = daemon().await;
    let state = daemon.state_directory().display().to_string();
    wait_for("both hosts are read, and healthy", PATIENCE, async || {
        (run(&daemon, &["get", "alarms"]).err == "no alarms found\n").then_some(())
    })
    .await;
    let struck = run(&daemon, &["sim", "drop-host", "sim-1", "--state-dir", &state]);
    assert_eq!(struck.code, 0, "{}", struck.err);
    wait_for("the host is missed", PATIENCE, async || {
        run(&daemon, &["get", "alarms"]).out.contains("hostUnreachable").then_some(())
    })
    .await;
    let table = run(&daemon, &["get", "alarms"]).out;
    let heads: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(heads, ["SEVERITY", "ALARM-TYPE", "OBJECT", "HOST", "AGE", "ACK", "TEXT"]);
    assert!(table.contains("critical") && table.contains("host/sim-1"), "{table}");
    assert!(!table.contains('\u{1b}'), "no colour but on a terminal");
    let found = json(&run(&daemon, &["get", "alarms", "-o", "json"]).out);
    assert_eq!(found["alarms"][0]["perceivedSeverity"], "SEVERITY_CRITICAL");
    assert!(found["position"]["sequence"].is_string(), "{found}");
    let tmf = json(&run(&daemon, &["get", "alarms", "-o", "tmf642"]).out);
    assert_eq!(
        (tmf[0]["@type"].as_str(), tmf[0]["specificProblem"].as_str()),
        (Some("Alarm"), Some("hostUnreachable"))
    );
    let ves = json(&run(&daemon, &["get", "alarms", "-o", "ves"]).out);
    assert_eq!(ves["eventList"][0]["faultFields"]["alarmCondition"], "hostUnreachable");
    assert_eq!(run(&daemon, &["get", "hosts", "-o", "ves"]).code, 2);
    let page = run(&daemon, &["describe", "alarm", "hostUnreachable/sim-1"]);
    assert!(page.code == 0 && page.out.contains("History"), "{}{}", page.out, page.err);
    let refused = run(&daemon, &["clear", "alarm", "hostUnreachable/sim-1"]);
    assert!(refused.code == 4 && refused.err.contains("ALARM_NOT_CLEARABLE"), "{} {}", refused.code, refused.err);
    let check = run(&daemon, &["check", "alarms"]);
    assert!(check.code == 2 && check.out.contains("hostUnreachable/host/sim-1 | critical=1"), "{}", check.out);
}

#[tokio::test]
async fn people_act_on_alarms_one_by_one() {
    let daemon = daemon().await;
    disk_alarm(&daemon).await;
    let name = "hostDiskFailed/host/sim-1/disks/sda";
    let outcome = run(&daemon, &["ack", "alarm", name, "nobody/vm/x", "-m", "disk ordered"]);
    assert_eq!(outcome.code, 7, "{}", outcome.err);
    assert!(outcome.err.contains("acknowledged") && outcome.err.contains("alarm/nobody/vm/x not found"));
    let table = run(&daemon, &["get", "alarms"]).out;
    assert!(table.contains("alice via "), "{table}");
    assert_eq!(run(&daemon, &["comment", "alarm", name, "-m", "on its way"]).code, 0);
    assert_eq!(run(&daemon, &["comment", "alarm", name]).code, 2);
    assert_eq!(run(&daemon, &["link", "alarm", name, "INC123"]).code, 0);
    let page = run(&daemon, &["describe", "alarm", name]).out;
    assert!(page.contains("INC123") && page.contains("on its way") && page.contains("disk ordered"), "{page}");
    let names = run(&daemon, &["get", "alarms", "-o", "name"]).out;
    assert_eq!(run_fed(&daemon, &["unack", "alarm", "-"], &names).code, 0);
    let outcome = run(&daemon, &["raise", "hostDiskFailed", "host/sim-1/disks/sda", "--over"]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(run(&daemon, &["raise", "hostUnreachable", "host/sim-1"]).code, 2);
}

#[tokio::test]
async fn alarms_are_put_aside_by_shelves_and_by_maintenance() {
    let daemon = daemon().await;
    disk_alarm(&daemon).await;
    let name = "hostDiskFailed/host/sim-1/disks/sda";
    let shelved = run(&daemon, &["shelve", "alarm", name, "--for", "2h", "-m", "known"]);
    assert_eq!(shelved.code, 0, "{}", shelved.err);
    assert_eq!(run(&daemon, &["get", "alarms"]).err, "no alarms found\n");
    assert!(run(&daemon, &["get", "alarms", "--aside"]).out.contains("hostDiskFailed"));
    assert!(run(&daemon, &["get", "shelves"]).out.contains("known"));
    assert_eq!(run(&daemon, &["check", "alarms"]).code, 0);
    assert_eq!(run(&daemon, &["unshelve", "alarm", name]).code, 0);
    assert!(run(&daemon, &["get", "alarms"]).out.contains("hostDiskFailed"));
    let locked = run(&daemon, &["cordon", "host", "sim-1", "--for", "1h", "-m", "memory"]);
    assert_eq!(locked.code, 0, "{}", locked.err);
    assert_eq!(run(&daemon, &["unlock", "host/sim-1"]).code, 0);
}

#[tokio::test]
async fn types_are_explained_with_the_profiles_of_an_object() {
    let daemon = daemon().await;
    disk_alarm(&daemon).await;
    let made = ["create", "profile", "lab", "--host", "sim-1", "--severity", "critical=minor", "--hold-on", "90s"];
    let outcome = run(&daemon, &made);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, "profile/lab: created\n"));
    let page = run(&daemon, &["explain", "hostdiskfailed", "--for", "host/sim-1"]);
    assert_eq!(page.code, 0, "{}", page.err);
    assert!(page.out.contains("critical → minor") && page.out.contains("profile lab"), "{}", page.out);
    assert!(run(&daemon, &["explain", "hostDiskFailed", "--for", "host/sim-2"]).out.contains("none matches"));
    assert!(run(&daemon, &["get", "alarm-types"]).out.contains("hostDiskFailed"));
    assert!(run(&daemon, &["get", "profiles"]).out.contains("critical→minor"));
    assert_eq!(run(&daemon, &["delete", "profile", "lab"]).code, 0);
    assert_eq!(run(&daemon, &["delete", "profile", "lab"]).code, 3);
    assert_eq!(run(&daemon, &["delete", "vm", "lab"]).code, 2);
    assert_eq!(run(&daemon, &["create", "shelf", "all"]).code, 2, "a rule without conditions");
}
