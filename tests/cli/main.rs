//! The command line against a fake daemon: tables, JSON, exit codes, names, contexts, streams.
#![cfg(all(feature = "daemon", feature = "cli"))]

mod alarms;
#[path = "../common/mod.rs"]
mod common;
mod fake;
mod world;

use fake::{Server, World};
use std::io::Write;
use std::process::{Command, Stdio};
use tonic::Code;
use vrm::wire::v1;
use vrm::wire::v1::resource_change::{Kind, Resource};
use vrm::wire::v1::watch_resources_response::Message;

/// What a run of the program left.
struct Outcome {
    code: i32,
    out: String,
    err: String,
}

/// Runs the program in an empty environment of its own.
fn run_with(arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Outcome {
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut child = Command::new(env!("CARGO_BIN_EXE_vrmctl"))
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("TZ", "UTC")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // The program may not read it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    Outcome {
        code: output.status.code().expect("no signal"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

fn run(server: &Server, arguments: &[&str]) -> Outcome {
    run_with(arguments, &[("VRM_ENDPOINT", &server.endpoint())], "")
}

fn small() -> Server {
    Server::start(World { objects: world::small(), ..World::default() })
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect(text)
}

#[test]
fn machines_are_a_table_sorted_by_name_that_never_claims_what_is_not_known() {
    let outcome = run(&small(), &["get", "vms"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    insta::assert_snapshot!(outcome.out);
}

#[test]
fn wide_tables_have_every_column() {
    let outcome = run(&small(), &["get", "vm", "web-10", "-o", "wide"]);
    insta::assert_snapshot!(outcome.out);
}

#[test]
fn several_kinds_are_several_tables() {
    let outcome = run(&small(), &["get", "host/kvm-07", "pool/default@kvm-09"]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    insta::assert_snapshot!(outcome.out);
}

#[test]
fn a_host_is_described_with_what_its_profile_can_see() {
    let outcome = run(&small(), &["describe", "host", "kvm-07", "--utc"]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    // The only line that depends on the time of the test.
    let lines: Vec<&str> = outcome.out.lines().filter(|line| !line.contains("first seen")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn json_is_one_object_with_the_names_of_the_list_response() {
    let world =
        World { objects: world::small(), page: 2, incomplete: vec!["hosts/kvm-09".to_owned()], ..World::default() };
    let server = Server::start(world);
    let outcome = run(&server, &["get", "vms", "-o", "json"]);
    let found = json(&outcome.out);
    let machines = found["virtualMachines"].as_array().expect("a list");
    assert_eq!(machines.len(), 5, "pages are merged");
    assert_eq!(machines[0]["runState"], "RUN_STATE_RUNNING");
    assert_eq!(machines[0]["definition"]["memoryCurrentBytes"], "4294967296");
    assert_eq!(found["position"], serde_json::json!({"epoch": "e1", "sequence": "42"}));
    assert_eq!(found["incompleteHosts"], serde_json::json!(["hosts/kvm-09"]));
    assert_eq!(outcome.err, "warning: 1 of 2 hosts read; kvm-09 does not answer: last known state shown\n");
    assert_eq!(server.world.asked().iter().filter(|call| call.starts_with("list_virtual_machines")).count(), 3);
}

#[test]
fn an_empty_list_is_still_an_object_with_its_field() {
    let outcome = run(&small(), &["get", "images", "-o", "json"]);
    assert_eq!(json(&outcome.out)["images"], serde_json::json!([]));
    let outcome = run(&small(), &["get", "images"]);
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (0, "", "no images found\n"));
}

#[test]
fn names_csv_lines_and_yaml() {
    let server = small();
    let names = run(&server, &["get", "pools", "-o", "name"]);
    assert_eq!(names.out, "hosts/kvm-07/storagePools/default\nhosts/kvm-09/storagePools/default\n");
    let csv = run(&server, &["get", "pools", "-o", "csv", "--columns", "name,host,size"]);
    assert_eq!(csv.out, "name,host,size\r\ndefault,kvm-07,\r\ndefault,kvm-09,\r\n");
    let lines = run(&server, &["get", "hosts", "-o", "jsonl"]);
    assert_eq!(
        lines.out.lines().map(|line| json(line)["name"].clone()).collect::<Vec<_>>(),
        ["hosts/kvm-07", "hosts/kvm-09"]
    );
    let yaml = run(&server, &["get", "pool", "default@kvm-07", "-o", "yaml"]);
    assert!(yaml.out.contains("storagePools:\n- "), "{}", yaml.out);
}

#[test]
fn columns_are_heads_or_paths_and_sorting_goes_both_ways() {
    let server = small();
    let arguments = ["get", "vms", "--columns", "name,definition.disks.source", "--sort", "-name", "--no-headers"];
    let outcome = run(&server, &arguments);
    let names: Vec<&str> = outcome.out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["web-10", "web-9", "web-9", "db-3", "broken-4"]);
    assert!(outcome.out.contains("/srv/a.qcow2"));
    assert_eq!(run(&server, &["get", "vms", "--columns", "1x"]).code, 2);
}

#[test]
fn selectors_and_filters_reach_the_daemon() {
    let server = small();
    run(&server, &["get", "vms", "-l", "tier=dev,!old", "--filter", "run_state = off OR run_state = paused"]);
    let expected = "list_virtual_machines filter=(run_state = off OR run_state = paused) AND labels.tier = \"dev\" AND NOT labels.old:*";
    assert_eq!(server.world.asked(), [expected]);
}

#[test]
fn an_ambiguous_name_is_wrong_use_with_the_candidates() {
    let outcome = run(&small(), &["get", "vm", "web-9"]);
    assert_eq!((outcome.code, outcome.out.as_str()), (2, ""));
    insta::assert_snapshot!(outcome.err);
}

#[test]
fn prefixes_serve_reading_but_not_changing() {
    let server = small();
    assert_eq!(
        run(&server, &["get", "vm", "broken-4", "-o", "name"]).out,
        format!("virtualMachines/{}\n", world::uuid(4))
    );
    assert_eq!(run(&server, &["get", "vm", "6f1c3a52-0000-4000-8000-000000000004"]).code, 0);
    assert_eq!(run(&server, &["label", "vm", "broken-", "a=b"]).code, 2, "broken- is a label to remove");
    let prefix = "6f1c3a52-0000-4000-8000-00000000000";
    assert_eq!(run(&server, &["get", "vm", prefix]).code, 2);
    assert_eq!(run(&server, &["label", "vm", prefix, "a=b"]).code, 3);
}

#[test]
fn a_name_that_is_not_there_is_told_and_the_others_are_shown() {
    let server = small();
    let outcome = run(&server, &["get", "vm", "web-10", "nobody"]);
    assert_eq!(outcome.code, 7);
    assert!(outcome.out.contains("web-10"));
    assert_eq!(outcome.err, "error: vm/nobody not found; try 'vrmctl get vms'\n");
    assert_eq!(run(&server, &["get", "vm", "nobody"]).code, 3);
}

#[test]
fn names_come_from_standard_input() {
    let server = small();
    let names = run(&server, &["get", "vms", "-o", "name"]).out;
    let outcome = run_with(&["label", "vm", "-", "tier=dev"], &[("VRM_ENDPOINT", &server.endpoint())], &names);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(server.world.asked().iter().filter(|call| call.starts_with("update_annotations")).count(), 5);
    let outcome = run_with(&["get", "vm", "-"], &[("VRM_ENDPOINT", &server.endpoint())], "");
    assert_eq!(outcome.code, 2, "an empty input is not all machines");
}

#[test]
fn labels_and_expectations_name_their_object() {
    let server = small();
    let outcome = run(&server, &["label", "vm/web-10", "tier=dev", "old-"]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, "vm/web-10: labelled\n"));
    let outcome = run(&server, &["expect", "pool", "default@kvm-09", "off"]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    let asked = server.world.asked();
    let changes: Vec<&String> = asked.iter().filter(|call| !call.starts_with("list")).collect();
    let label = format!("update_annotations virtualMachines/{} {{\"tier\": \"dev\"}} [\"old\"]", world::uuid(1));
    assert_eq!(changes, [&label, "set_expectation hosts/kvm-09/storagePools/default Off"]);
    assert_eq!(run(&server, &["expect", "host", "kvm-07", "off"]).code, 2);
    assert_eq!(run(&server, &["label", "vm", "-l", "a=b", "web-10", "c=d"]).code, 2, "changes name their objects");
}

#[test]
fn hosts_are_registered_from_words_and_files() {
    let server = small();
    let outcome = run(&server, &["register", "host", "kvm-11", "qemu:///system", "--dry-run", "--label", "rack=r1"]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    insta::assert_snapshot!(outcome.out);
    let hosts = "- id: a\n  uri: vrm://a\n- id: b\n  uri: vrm://b\n";
    let outcome = run_with(&["register", "host", "-f", "-"], &[("VRM_ENDPOINT", &server.endpoint())], hosts);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, "host/a: registered\nhost/b: registered\n"));
    assert_eq!(run(&server, &["register", "host", "kvm-11"]).code, 2);
    assert_eq!(run(&server, &["register", "vm", "x", "vrm://x"]).code, 2);
}

#[test]
fn several_hosts_leave_only_with_their_number() {
    let server = small();
    assert_eq!(run(&server, &["deregister", "host", "kvm-07", "kvm-09"]).code, 2);
    assert_eq!(run(&server, &["deregister", "host", "kvm-07", "kvm-09", "--yes", "1"]).code, 2);
    assert!(!server.world.asked().iter().any(|call| call.starts_with("deregister")));
    assert_eq!(run(&server, &["deregister", "host", "kvm-07", "kvm-09", "--yes", "2"]).code, 0);
    assert_eq!(server.world.asked().iter().filter(|call| call.starts_with("deregister")).count(), 2);
}

#[test]
fn every_refusal_has_its_exit_code() {
    let cases = [
        (Code::InvalidArgument, "INVALID_FILTER", 2),
        (Code::NotFound, "OBJECT_NOT_FOUND", 3),
        (Code::Aborted, "ETAG_MISMATCH", 4),
        (Code::FailedPrecondition, "MONITOR_PROFILE", 4),
        (Code::AlreadyExists, "HOST_EXISTS", 4),
        (Code::PermissionDenied, "PERMISSION_DENIED", 5),
        (Code::Unauthenticated, "CREDENTIAL_EXPIRED", 5),
        (Code::Unavailable, "NOT_READY", 6),
        (Code::Unavailable, "HOST_UNREACHABLE", 1),
        (Code::Unknown, "OUTCOME_UNKNOWN", 8),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 8),
        (Code::Internal, "INTERNAL", 1),
    ];
    for (code, reason, exit) in cases {
        let server = Server::start(World { refusal: Some((code, reason, "because")), ..World::default() });
        let outcome = run(&server, &["get", "vms"]);
        assert_eq!(outcome.code, exit, "{reason}: {}", outcome.err);
        assert!(outcome.err.starts_with("error: because ["), "{}", outcome.err);
        assert!(outcome.err.contains(reason), "{}", outcome.err);
    }
}

#[test]
fn no_daemon_is_exit_6_and_says_what_to_do() {
    let outcome = run_with(&["-e", "unix:/nonexistent.sock", "get", "vms"], &[], "");
    assert_eq!(outcome.code, 6);
    assert!(outcome.err.contains("vrmctl try"), "{}", outcome.err);
    let outcome = run_with(&["-e", "unix:/nonexistent.sock", "check", "alive"], &[], "");
    assert_eq!(outcome.code, 2, "as monitoring systems want it");
    assert!(outcome.out.starts_with("CRITICAL: "), "{}", outcome.out);
}

#[test]
fn words_of_other_tools_lead_to_ours() {
    for word in ["destroy", "shutdown", "undefine", "managedsave", "list"] {
        let outcome = run_with(&[word, "web-1"], &[], "");
        assert_eq!(outcome.code, 2, "{word}");
        assert!(outcome.err.contains("vrmctl "), "{}", outcome.err);
    }
    assert_eq!(run_with(&["get", "vms", "--nonsense"], &[], "").code, 2);
    assert_eq!(run_with(&["get", "alarms"], &[], "").code, 2);
}

/// A home with contexts.
fn home(contexts: &[(&str, String)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir_all(home.path().join("vrm")).expect("writable");
    let tables = contexts.iter().map(|(name, endpoint)| format!("[contexts.{name}]\nendpoint = {endpoint:?}\n"));
    std::fs::write(home.path().join("vrm/contexts.toml"), tables.collect::<String>()).expect("writable");
    home
}

#[test]
fn all_contexts_are_one_table_and_the_silent_one_is_named() {
    let (first, second) = (small(), Server::start(World { objects: vec![world::host("arm-01")], ..World::default() }));
    let contexts =
        [("dc1", first.endpoint()), ("dc2", second.endpoint()), ("dc3", "unix:/nonexistent.sock".to_owned())];
    let home = home(&contexts);
    let path = home.path().to_str().expect("text");
    let outcome = run_with(&["get", "hosts", "-A"], &[("XDG_CONFIG_HOME", path)], "");
    assert_eq!(outcome.code, 7);
    insta::assert_snapshot!(outcome.out);
    assert!(outcome.err.starts_with("error: context dc3: no daemon answers"), "{}", outcome.err);
    let outcome = run_with(&["get", "hosts", "-A", "-o", "json"], &[("XDG_CONFIG_HOME", path)], "");
    let found = json(&outcome.out);
    assert_eq!(found["hosts"].as_array().expect("a list").len(), 3);
    assert_eq!(found["hosts"][2]["context"], "dc2");
    assert_eq!(found["positions"]["dc1"]["sequence"], "42");
    assert_eq!(run_with(&["label", "host", "kvm-07", "a=b", "-A"], &[("XDG_CONFIG_HOME", path)], "").code, 2);
}

#[test]
fn a_name_known_to_one_context_is_found() {
    let (first, second) = (small(), Server::start(World { objects: vec![world::host("arm-01")], ..World::default() }));
    let home = home(&[("dc1", first.endpoint()), ("dc2", second.endpoint())]);
    let path = home.path().to_str().expect("text");
    let outcome = run_with(&["get", "host", "arm-01", "-A", "-o", "name"], &[("XDG_CONFIG_HOME", path)], "");
    assert_eq!((outcome.code, outcome.out.as_str(), outcome.err.as_str()), (0, "hosts/arm-01\n", ""));
    let outcome = run_with(&["get", "host", "nobody", "-A"], &[("XDG_CONFIG_HOME", path)], "");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
}

#[test]
fn contexts_are_kept_used_and_deleted() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let path = home.path().to_str().expect("text");
    let environment = [("XDG_CONFIG_HOME", path)];
    let server = small();
    assert_eq!(run_with(&["context", "add", "dc1", &server.endpoint()], &environment, "").code, 0);
    assert_eq!(run_with(&["context", "use", "dc1"], &environment, "").code, 0);
    assert_eq!(run_with(&["get", "hosts", "-o", "name"], &environment, "").out, "hosts/kvm-07\nhosts/kvm-09\n");
    assert!(run_with(&["get", "contexts"], &environment, "").out.contains("*        dc1"));
    assert_eq!(run_with(&["context", "delete", "dc1"], &environment, "").code, 0);
    assert_eq!(run_with(&["context", "use", "dc1"], &environment, "").code, 2);
}

#[test]
fn sessions_are_listed_with_the_person_behind_them() {
    let server = small();
    insta::assert_snapshot!(run(&server, &["get", "sessions"]).out);
    assert_eq!(run(&server, &["end", "session", "7"]).code, 0);
    assert_eq!(server.world.asked(), ["close_session sessions/7"]);
}

/// A stream's message about a machine.
fn change(kind: Kind, revision: u64, run_state: v1::RunState) -> Message {
    let mut vm = world::vm(1, "web-10", "kvm-07", run_state);
    vm.revision = revision;
    let resource = Some(Resource::VirtualMachine(vm));
    Message::Change(v1::ResourceChange { kind: kind.into(), resource, ..v1::ResourceChange::default() })
}

fn started(snapshot_follows: bool) -> Message {
    let head = Some(v1::StreamPosition { epoch: "e1".to_owned(), sequence: 42 });
    Message::Started(v1::StreamStarted { head, snapshot_follows, ..v1::StreamStarted::default() })
}

/// A stream that breaks after a change, and the one after it.
fn streams() -> World {
    let first = vec![
        started(true),
        change(Kind::Snapshot, 1, v1::RunState::Running),
        Message::SyncComplete(v1::SyncComplete { object_count: 1 }),
        change(Kind::Changed, 2, v1::RunState::Off),
    ];
    let second = vec![
        started(false),
        change(Kind::Merged, 2, v1::RunState::Off),
        change(Kind::Merged, 3, v1::RunState::Crashed),
        Message::SyncComplete(v1::SyncComplete::default()),
        change(Kind::Removed, 4, v1::RunState::Crashed),
        Message::Closing(v1::StreamClosing {
            reason: v1::stream_closing::Reason::ClosedByOperator.into(),
            retry_delay: None,
        }),
    ];
    World { streams: std::sync::Mutex::new([first, second].into()), ..World::default() }
}

#[test]
fn a_watch_resumes_and_tells_each_change_once() {
    let server = Server::start(streams());
    let outcome = run(&server, &["watch", "vms", "--timeout", "30s"]);
    assert_eq!(outcome.code, 1, "closed by an operator: {}", outcome.err);
    let lines: Vec<&str> =
        outcome.out.lines().map(|line| line.split_once("  ").map_or(line, |(_, rest)| rest)).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert_eq!(server.world.asked(), ["watch_resources after=None", "watch_resources after=Some(46)"]);
    assert!(outcome.err.contains("trying again in 1 s"), "{}", outcome.err);
}

#[test]
fn a_watch_of_all_contexts_marks_each_line_and_waits_for_the_silent_one() {
    let server =
        Server::start(World { streams: std::sync::Mutex::new([streams_of_one_change()].into()), ..World::default() });
    let home = home(&[("dc1", server.endpoint()), ("dc2", "unix:/nonexistent.sock".to_owned())]);
    let path = home.path().to_str().expect("text");
    let outcome = run_with(&["watch", "vms", "-A", "--timeout", "900ms"], &[("XDG_CONFIG_HOME", path)], "");
    assert_eq!(outcome.code, 7, "{}", outcome.err);
    assert!(outcome.out.lines().skip(1).all(|line| line.starts_with("dc1 ")), "{}", outcome.out);
    assert!(outcome.err.contains("dc2: no daemon answers"), "{}", outcome.err);
}

fn streams_of_one_change() -> Vec<Message> {
    vec![
        started(true),
        change(Kind::Snapshot, 1, v1::RunState::Running),
        Message::SyncComplete(v1::SyncComplete { object_count: 1 }),
        change(Kind::Changed, 2, v1::RunState::Off),
    ]
}

#[test]
fn a_watch_in_json_is_the_stream_one_message_a_line() {
    let server = Server::start(streams());
    let outcome = run(&server, &["get", "vms", "-w", "-o", "json", "--timeout", "30s"]);
    let messages: Vec<serde_json::Value> = outcome.out.lines().map(json).collect();
    assert_eq!(messages.len(), 9, "{}", outcome.out);
    assert_eq!(messages[0]["started"]["snapshotFollows"], true);
    assert_eq!(messages[1]["change"]["virtualMachine"]["displayName"], "web-10");
    assert_eq!(messages[1]["position"]["sequence"], "46");
}

#[test]
fn a_watch_ends_in_order_after_its_time() {
    let server = small();
    let outcome = run(&server, &["watch", "vms", "--timeout", "200ms"]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
}

#[test]
fn the_interface_is_exported_with_what_it_imports() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().to_str().expect("text");
    assert_eq!(run_with(&["proto", "export", path], &[], "").code, 0);
    for file in ["buf.yaml", "vrm/v1/inventory_service.proto", "google/api/resource.proto"] {
        assert!(directory.path().join(file).is_file(), "{file}");
    }
}

#[test]
fn local_commands_need_no_daemon() {
    let outcome = run_with(&["explain", "etag-mismatch"], &[], "");
    assert!(outcome.code == 0 && outcome.out.starts_with("ETAG_MISMATCH (ErrorReason)\n"), "{}", outcome.out);
    assert_eq!(run_with(&["explain", "blabla"], &[], "").code, 3);
    for shell in ["bash", "zsh", "fish"] {
        assert!(run_with(&["completion", shell], &[], "").out.contains("vrmctl"));
    }
}
