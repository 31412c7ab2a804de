use super::*;
use crate::model::name::HostId;
use std::collections::BTreeMap;

fn registration() -> HostRegistration {
    HostRegistration {
        id: HostId::parse("h1").expect("a good id"),
        uris: Vec::new(),
        credential: String::new(),
        profile: None,
        allow_insecure: false,
        labels: BTreeMap::new(),
        reserve: Default::default(),
        origin: HostOrigin::File,
    }
}

fn monitor(uri: &str) -> Result<Target, String> {
    check(uri, &registration(), None, Profile::Monitor)
}

#[test]
fn transports_and_peers() {
    let rows = [
        ("qemu:///system", Transport::Unix, Peer::LocalDaemon),
        ("lxc:///system", Transport::Unix, Peer::LocalDaemon),
        ("qemu+unix:///system?socket=/tmp/a%20b", Transport::Unix, Peer::Socket("/tmp/a b".into())),
        ("test:///default", Transport::InProcess, Peer::InProcess("test:/default".into())),
        ("qemu:///embed?root=/tmp/x", Transport::InProcess, Peer::InProcess("qemu:/embed".into())),
        ("qemu+tls://KVM-07/system", Transport::Tls, Peer::Host("kvm-07".into(), 16514)),
        ("qemu://kvm-07/system", Transport::Tls, Peer::Host("kvm-07".into(), 16514)),
        ("qemu+ssh://me@kvm-07:2222/system", Transport::Child, Peer::Host("kvm-07".into(), 2222)),
        ("qemu+libssh://[fe80::1]/system", Transport::LibSsh, Peer::Host("fe80::1".into(), 22)),
        ("esx://root@vc/?auto_answer=1", Transport::Web, Peer::Host("vc".into(), 443)),
        ("test+unix:///default?socket=/s", Transport::Unix, Peer::Socket("/s".into())),
    ];
    for (uri, transport, peer) in rows {
        let target = monitor(uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
        assert_eq!((target.transport, target.peer.clone()), (transport, peer), "{uri}");
        assert_eq!(target.shown, uri);
    }
}

#[test]
fn refused() {
    for (uri, word) in [
        ("qemu", "scheme"),
        ("kvm:///system", "unknown driver"),
        ("qemu+quic://h/system", "unknown transport"),
        ("qemu+tls:///system", "names no host"),
        ("qemu+unix://h/system", "takes no host"),
        ("qemu+ssh://-oProxyCommand=x/system", "dash"),
        ("esx://root:secret@vc/", "password"),
        ("qemu+tls://h/system?no_verify=1", "no_verify"),
        ("qemu+libssh://h/system?known_hosts_verify=ignore", "verified"),
        ("qemu+ssh://h/system?keyfile=/k", "credential"),
        ("qemu+tcp://h/system", "allow_insecure"),
        ("qemu+ssh://h:0/system", "port"),
        ("qemu+ssh://h:99999/system", "port"),
        ("qemu:///sys\0tem", "character"),
        ("qemu:///sys tem", "character"),
    ] {
        let error = monitor(uri).expect_err(uri);
        assert!(error.contains(word), "{uri}: {error}");
    }
}

#[test]
fn the_api_cannot_have_programs_run() {
    let api = HostRegistration { origin: HostOrigin::Api, ..registration() };
    for uri in [
        "qemu+ext:///system?command=/tmp/x",
        "qemu+ssh://h/system?command=/tmp/x",
        "qemu+ssh://h/system?netcat=/tmp/x",
        "qemu:///embed?root=/tmp",
    ] {
        assert!(check(uri, &api, None, Profile::Monitor).is_err(), "{uri}");
    }
    assert!(check("qemu+ssh://h/system", &api, None, Profile::Monitor).is_ok());
}

#[test]
fn monitor_is_read_only_and_says_what_a_key_could_do() {
    let target = monitor("qemu+tls://h/system").expect("good");
    assert!(target.read_only);
    assert!(target.warnings[0].contains("read-only"), "{:?}", target.warnings);
    let target = check("qemu+tls://h/system", &registration(), None, Profile::Manage).expect("good");
    assert!(!target.read_only && target.warnings.is_empty());
}

#[test]
fn plain_tcp_is_allowed_with_a_warning() {
    let careless = HostRegistration { allow_insecure: true, ..registration() };
    let target = check("qemu+tcp://h/system", &careless, None, Profile::Monitor).expect("allowed");
    assert_eq!(target.warnings.len(), 1);
}

#[test]
fn credentials_become_parameters_but_are_not_shown() {
    let credential = Credential { key_file: Some("/etc/vrm/k 1".into()), ..Credential::default() };
    let target = check("qemu+ssh://h/system", &registration(), Some(&credential), Profile::Monitor).expect("good");
    assert_eq!(target.opened, "qemu+ssh://h/system?no_tty=1&keyfile=/etc/vrm/k%201");
    assert_eq!(target.shown, "qemu+ssh://h/system");
    let error = check("qemu+tls://h/system", &registration(), Some(&credential), Profile::Monitor);
    assert!(error.expect_err("wrong transport").contains("key_file"));
    let relative = Credential { pki_path: Some("pki".into()), ..Credential::default() };
    assert!(check("qemu+tls://h/system", &registration(), Some(&relative), Profile::Monitor).is_err());
}

#[test]
fn drivers_in_the_process_cannot_be_cut() {
    assert!(!monitor("test:///default").expect("good").severable());
    assert!(monitor("test:///default").expect("good").single_connection);
    assert!(!monitor("qemu:///embed?root=/r").expect("good").single_connection);
    assert!(monitor("qemu:///system").expect("good").severable());
}
