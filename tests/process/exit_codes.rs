//! Exit codes that service managers and scripts rely on.

use super::common::TestDaemon;
use std::process::{Command, Output};

fn run(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command.output().expect("vrmd starts");
    (status.code(), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_wrong_command_line_is_2() {
    for arguments in [&["--colour", "red"][..], &["--host"]] {
        let (code, text) = run(Command::new(env!("CARGO_BIN_EXE_vrmd")).args(arguments));
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
    }
}

#[tokio::test]
async fn a_second_instance_is_75_and_leaves_the_first_alone() {
    let daemon = TestDaemon::with_hosts(&["sim://?vms=3"]).started().await;
    let (code, text) = run(&mut daemon.command());
    assert_eq!(code, Some(75), "{text}");
    assert!(text.contains("another vrmd runs on"), "{text}");
    assert!(daemon.client().await.serves("").await);
}

#[test]
fn settings_that_cannot_be_used_are_78() {
    for (settings, word) in [
        ("[vrm]\nprofil = \"monitor\"\n", "profil"),
        ("[vrm]\nprofile = \"everything\"\n", "vrm.profile"),
        ("[vrm\n", "vrm.toml"),
        ("[[host]]\nid = \"a\"\nuri = \"sim://?vms=x\"\n", "vms"),
        ("[[host]]\nid = \"A_b\"\nuri = \"sim://\"\n", "A_b"),
        ("[[alarm_profile]]\nname = \"p\"\nalarm_types = [\"vmCrash\"]\noff = true\n", "did you mean vmCrashed?"),
    ] {
        let daemon = TestDaemon::with_settings(settings);
        let (code, text) = run(&mut daemon.command());
        assert_eq!(code, Some(78), "{settings}: {text}");
        assert!(text.contains(word), "{settings}: the text does not name {word}: {text}");
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_used_is_78_and_can_be_set_aside() {
    let mut daemon = TestDaemon::with_hosts(&["sim://?vms=3"]).started().await;
    daemon.client().await.synchronized().await;
    let first = daemon.client().await.head().await;
    assert_eq!(daemon.stop().await.status.code(), Some(0));
    let journal = daemon.state_directory().join("journal.db");
    let whole = std::fs::read(&journal).expect("a journal");

    let connection = rusqlite::Connection::open(&journal).expect("opens");
    connection.pragma_update(None, "user_version", 99).expect("written");
    drop(connection);
    refused(&daemon, "newer");

    let mut damaged = whole.clone();
    damaged[..4096].fill(0x5a);
    std::fs::write(&journal, damaged).expect("written");
    refused(&daemon, "journal.db");

    daemon.spawn_with(&["--set-aside-store"]);
    daemon.ready().await;
    let second = daemon.client().await.head().await;
    assert_ne!(first.epoch, second.epoch, "a new log");
    let aside = std::fs::read_dir(daemon.state_directory())
        .expect("readable")
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("corrupt-"))
        .expect("the old store is kept");
    assert!(aside.path().join("journal.db").exists());
    assert_eq!(daemon.client().await.synchronized().await.len(), 1);
}

fn refused(daemon: &TestDaemon, word: &str) {
    let (code, text) = run(&mut daemon.command());
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("--set-aside-store") && text.contains(word), "no way out is named: {text}");
}
