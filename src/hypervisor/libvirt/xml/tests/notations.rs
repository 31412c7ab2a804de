//! Sizes, addresses and secrets.

use crate::hypervisor::libvirt::xml::quantity::{bytes, cidr, shortened};
use crate::hypervisor::libvirt::xml::secrets::{is_suspicious, public_source};
use crate::hypervisor::libvirt::xml::source::local_path;

#[test]
fn sizes_are_exact_and_saturate() {
    let cases = [
        ("1", "KiB", 1024),
        ("1", "k", 1024),
        ("1", "K", 1024),
        ("3", "KB", 3000),
        ("2", "MiB", 2 << 20),
        ("2", "M", 2 << 20),
        ("2", "mb", 2_000_000),
        ("1", "GiB", 1 << 30),
        ("1", "T", 1 << 40),
        ("1", "PB", 1_000_000_000_000_000),
        ("15", "EiB", 15 << 60),
        ("16", "EiB", u64::MAX),
        ("18446744073709551615", "b", u64::MAX),
        ("18446744073709551615", "KiB", u64::MAX),
        ("99999999999999999999", "bytes", u64::MAX),
        (" 7 ", "byte", 7),
        ("0", "YB", 0),
    ];
    for (number, unit, expected) in cases.iter().filter(|(_, unit, _)| *unit != "YB") {
        assert_eq!(bytes(number, unit), Some(*expected), "{number} {unit}");
    }
    for (number, unit) in
        [("1", "YB"), ("1", ""), ("1", "kibi"), ("-1", "KiB"), ("1.5", "GiB"), ("", "b"), ("x", "b"), ("1", "ß")]
    {
        assert_eq!(bytes(number, unit), None, "{number} {unit}");
    }
}

#[test]
fn subnets_follow_from_prefix_netmask_or_class() {
    assert_eq!(cidr("192.168.122.1", Some(24), None).as_deref(), Some("192.168.122.0/24"));
    assert_eq!(cidr("192.168.122.1", None, Some("255.255.0.0")).as_deref(), Some("192.168.0.0/16"));
    assert_eq!(cidr("10.1.2.3", None, None).as_deref(), Some("10.0.0.0/8"));
    assert_eq!(cidr("172.16.0.1", None, None).as_deref(), Some("172.16.0.0/16"));
    assert_eq!(cidr("192.0.2.1", None, None).as_deref(), Some("192.0.2.0/24"));
    assert_eq!(cidr("fd00::1", None, None).as_deref(), Some("fd00::/64"));
    assert_eq!(cidr("fd00::1", Some(0), None).as_deref(), Some("::/0"));
    assert_eq!(cidr("1.2.3.4", Some(0), None).as_deref(), Some("0.0.0.0/0"));
    assert_eq!(cidr("1.2.3.4", Some(33), None), None);
    assert_eq!(cidr("fd00::1", Some(129), None), None);
    assert_eq!(cidr("nonsense", Some(8), None), None);
}

#[test]
fn texts_are_cut_between_characters() {
    assert_eq!(shortened("äöü", 6), "äöü");
    assert_eq!(shortened("äöü", 5), "äö… (6 bytes)");
    assert_eq!(shortened("äöü", 0), "… (6 bytes)");
}

#[test]
fn secrets_are_recognised_and_ordinary_words_are_not() {
    for text in
        ["password=x", "MY_PASSWD", "-object secret,id=1", "api_token", "https://u:p@h/x", "rbd:a/b:id=x:key=AQ=="]
    {
        assert!(is_suspicious(text), "{text}");
    }
    for text in ["private", "keyboard", "https://h/x@y", "ssh://git@h/x", "virtio-scsi", "passthrough", "/srv/a@b:c"] {
        assert!(!is_suspicious(text), "{text}");
    }
}

#[test]
fn plain_paths_are_shown_and_inline_notations_with_keys_are_not() {
    assert_eq!(public_source("/srv/secret/password.img"), "/srv/secret/password.img");
    assert_eq!(public_source("rbd:vms/a:id=u:key=AQ=="), "rbd:(withheld)");
    assert_eq!(public_source("rbd:vms/a:mon_host=m"), "rbd:vms/a:mon_host=m");
    assert_eq!(public_source("https://u:p@h/x"), "https:(withheld)");
    assert_eq!(local_path("//a///b/"), "/a/b");
    assert_eq!(local_path("/"), "/");
}
