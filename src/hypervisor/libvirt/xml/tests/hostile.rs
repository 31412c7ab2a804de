//! Documents made to hurt: each is refused quickly and clearly, or read within bounds; none panics.

use super::super::*;
use super::{all_of, fixture};
use crate::hypervisor::libvirt::xml::{extensions, guard};
use proptest::prelude::*;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Far above what any of these takes on a busy machine, far below what a quadratic walk would.
const QUICKLY: Duration = Duration::from_secs(10);

/// A domain with something in it.
fn domain_with(content: &str) -> String {
    format!("<domain type='kvm'><name>x</name><uuid>00000000-0000-0000-0000-000000000001</uuid>{content}</domain>")
}

/// Every reader on one text; none may panic.
fn read_all(text: &str) {
    let _ = domain(text);
    let _ = network(text);
    let _ = pool(text);
    let _ = volume(text);
    let _ = capabilities(text);
    let _ = sysinfo(text);
    let _ = node_device(text);
    let _ = snapshot(text);
}

fn refused(text: &str) -> XmlError {
    let begin = Instant::now();
    let error = domain(text).expect_err("must be refused");
    assert!(begin.elapsed() < QUICKLY, "{:?} for {error}", begin.elapsed());
    error
}

#[test]
fn document_types_are_refused_whatever_they_declare() {
    let bomb =
        r#"<?xml version="1.0"?><!DOCTYPE domain [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><domain>&b;</domain>"#;
    let file = r#"<!DOCTYPE d SYSTEM "file:///etc/passwd"><domain/>"#;
    for text in [bomb, file, "<!DOCTYPE domain><domain/>", "<domain><!DOCTYPE a></domain>"] {
        assert_eq!(refused(text), XmlError::DocumentType);
    }
    assert!(matches!(refused(&domain_with("&unknown;")), XmlError::Malformed(_)));
}

#[test]
fn nesting_is_refused_where_libvirt_itself_refuses_it() {
    let nested = |depth: usize| domain_with(&format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth)));
    let error = refused(&nested(500_000));
    assert_eq!(error.to_string(), "more than 256 nested elements");
    assert!(matches!(refused(&"<a>".repeat(1_000_000)), XmlError::TooComplex { .. }));
    let extensions = |text: &str| domain(text).expect("as deep as allowed").definition.extensions;
    assert!(extensions(&nested(guard::MAX_DEPTH - 1)).keys().any(|path| path.ends_with("/a/a")));
    let long = nested(guard::MAX_DEPTH - 1).replace("a>", "long>");
    assert!(extensions(&long).contains_key(extensions::LEFT_OUT), "a path that is too long is counted");
    assert!(refused(&nested(guard::MAX_DEPTH)).to_string().contains("nested"));
}

#[test]
fn deep_documents_fit_on_a_small_stack() {
    let text = domain_with(&format!("<metadata>{}{}</metadata>", "<a b='1'>".repeat(250), "</a>".repeat(250)));
    let thread = std::thread::Builder::new().stack_size(1 << 20);
    let reading = thread.spawn(move || domain(&text).is_ok()).expect("a thread");
    assert!(reading.join().expect("no overflow"));
}

#[test]
fn more_than_four_mebibytes_are_refused_unread() {
    let huge = domain_with(&format!("<description>{}</description>", "x".repeat(guard::MAX_BYTES)));
    assert_eq!(refused(&huge), XmlError::TooLarge { bytes: huge.len(), limit: guard::MAX_BYTES });
    let largest = domain_with(&format!("<title>{}</title>", "ä".repeat(1 << 20)));
    let title = domain(&largest).expect("allowed").definition.title;
    assert!(title.len() < 5_000 && title.ends_with("… (2097152 bytes)"), "{}", title.len());
}

#[test]
fn too_many_nodes_attributes_or_namespaces_are_refused() {
    assert_eq!(refused(&domain_with(&"<a/>".repeat(200_000))).to_string(), "more than 100000 nodes");
    let mut attributes = String::from("<a");
    let mut namespaces = String::new();
    for n in 0..100_000 {
        let _ = write!(attributes, " a{n}=''");
        let _ = write!(namespaces, "<b xmlns:n{n}='u'/>");
    }
    assert!(refused(&domain_with(&format!("{attributes}/>"))).to_string().contains("attributes"));
    assert!(refused(&domain_with(&namespaces)).to_string().contains("namespace"));
    let undeclared: String = (0..40).map(|n| format!("<n{n}:a/>")).collect();
    assert!(refused(&domain_with(&undeclared)).to_string().contains("undeclared prefixes"));
}

#[test]
fn equal_signs_in_values_are_no_attributes() {
    let arguments = "k=v,".repeat(5_000);
    assert!(domain(&domain_with(&format!("<a b='{arguments}'/>"))).is_ok());
}

#[test]
fn wide_documents_are_read_in_linear_time() {
    for element in
        ["<console/>", "<disk/>", "<graphics type='vnc'/>", "<hostdev/>", "<boot order='1'/>", "<arg v='1'/>"]
    {
        let text = domain_with(&format!("<devices><serial/>{}</devices>", element.repeat(90_000)));
        let begin = Instant::now();
        let parsed = domain(&text).expect("within bounds");
        assert!(begin.elapsed() < QUICKLY, "{element}: {:?}", begin.elapsed());
        assert!(parsed.definition.extensions.len() <= extensions::MAX_ENTRIES + 1);
    }
    let text = format!("<network><name>n</name><forward>{}</forward></network>", "<interface dev='a'/>".repeat(90_000));
    let begin = Instant::now();
    assert_eq!(network(&text).expect("within bounds").uplinks, ["a"]);
    assert!(begin.elapsed() < QUICKLY);
}

#[test]
fn malformed_documents_name_the_place_and_quote_little() {
    for text in
        ["", " ", "plain", "<domain>", "<domain></pool>", "<domain a='1' a='2'/>", "<domain>\u{1}</domain>", "<a", "<"]
    {
        let error = refused(text);
        assert!(matches!(error, XmlError::Malformed(_)), "{text}: {error}");
    }
    let long = refused(&format!("<domain></{}>", "y".repeat(100_000))).to_string();
    assert!(long.len() < 400, "{}", long.len());
}

#[test]
fn another_kind_of_document_is_named() {
    let error = refused("<pool type='dir'><name>p</name></pool>");
    assert_eq!(error.to_string(), "document is <pool>, expected <domain>");
    assert!(matches!(refused("<domain xmlns='urn:other'><name>x</name></domain>"), XmlError::WrongRoot { .. }));
    assert!(matches!(network("<domain/>"), Err(XmlError::WrongRoot { .. })));
}

#[test]
fn a_name_and_a_uuid_are_all_that_a_domain_must_have() {
    let missing = |text: &str| domain(text).expect_err("refused");
    assert_eq!(missing("<domain><name>x</name></domain>"), XmlError::Missing("uuid"));
    assert_eq!(missing("<domain><name>x</name><uuid>12345</uuid></domain>"), XmlError::Missing("uuid"));
    let uuid = "<uuid>00000000000000000000000000000001</uuid>";
    assert_eq!(missing(&format!("<domain>{uuid}</domain>")), XmlError::Missing("name"));
    assert_eq!(missing(&format!("<domain>{uuid}<name> </name></domain>")), XmlError::Missing("name"));
    assert!(domain(&format!("<domain><name>x</name>{uuid}</domain>")).is_ok());
    let unnamed = [
        network("<network/>").err(),
        pool("<pool/>").err(),
        volume("<volume/>").err(),
        snapshot("<domainsnapshot/>").err(),
    ];
    assert!(unnamed.iter().all(|error| *error == Some(XmlError::Missing("name"))), "{unnamed:?}");
}

/// Texts that mutations are made of.
fn seeds() -> Vec<String> {
    let folders = ["domains", "networks", "pools", "volumes", "capabilities", "sysinfo", "devices", "snapshots"];
    folders.into_iter().flat_map(all_of).map(|(_, text)| text).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_markup_never_panics(text in "([<>/=\"'&;! a-z:\\[\\]?-]|<domain>|<name>|</name>|xmlns:|<!--|-->|<!\\[CDATA\\[|\\]\\]>|&amp;){0,80}") {
        read_all(&text);
        read_all(&domain_with(&text));
    }

    #[test]
    fn mutated_documents_never_panic(
        seed in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        cut in 0_usize..40,
        insert in "(<|>|/|'|\"|&|&#0;|-1|18446744073709551616|0x|\u{fffd}|<a>|</a>|<!--|xmlns:q='u'| ){0,3}",
    ) {
        let seeds = seeds();
        let text = seed.get(&seeds);
        let chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        let end = (at + cut).min(chars.len());
        let mutated: String = chars[..at].iter().copied().chain(insert.chars()).chain(chars[end..].iter().copied()).collect();
        read_all(&mutated);
    }

    #[test]
    fn every_value_of_unknown_elements_is_kept_or_counted(
        names in prop::collection::vec("[a-e]{1,3}", 1..40),
        value in "[a-z0-9]{1,20}",
    ) {
        let content: String = names.iter().map(|name| format!("<x{name} v='{value}'>{value}</x{name}>")).collect();
        let parsed = domain(&domain_with(&content)).expect("well-formed");
        let kept = parsed.definition.extensions.values().filter(|kept| **kept == value).count();
        prop_assert_eq!(kept, names.len() * 2);
    }
}

#[test]
fn what_is_left_out_is_counted_and_devices_plumbing_goes_first() {
    let address = "<disk><address type='pci' slot='1'/><iotune><total>5</total></iotune></disk>";
    let text = domain_with(&format!("<devices>{}</devices>", address.repeat(200)));
    let extensions = domain(&text).expect("reads").definition.extensions;
    assert_eq!(extensions.len(), extensions::MAX_ENTRIES + 1);
    let tunes = extensions.keys().filter(|path| path.ends_with("iotune/total")).count();
    assert_eq!(tunes, 200, "all that an operator wrote");
    assert_eq!(extensions.get(extensions::LEFT_OUT).map(String::as_str), Some("344 further values"));
    let long = domain(&domain_with(&format!("<q>{}</q>", "y".repeat(9_000)))).expect("reads").definition.extensions;
    let kept = long.get("q").expect("kept");
    assert!(kept.len() < 4_200 && kept.ends_with("(9000 bytes)"));
    let many: String = (0..40).map(|_| format!("<q>{}</q>", "z".repeat(4_000))).collect();
    let extensions = domain(&domain_with(&many)).expect("reads").definition.extensions;
    let bytes: usize = extensions.iter().map(|(path, value)| path.len() + value.len()).sum();
    assert!(bytes <= extensions::MAX_TOTAL + 64 && extensions.contains_key(extensions::LEFT_OUT));
}

/// Every secret in the fixtures; none may be in what is kept of them.
const SECRETS: [&str; 17] = [
    "hunter2",
    "letmein",
    "s3cr3tcookie",
    "abcdef123456",
    "user:pw",
    "p4ss",
    "correcthorse",
    "topsecret1",
    "bGV0bWVpbg",
    "plainvalue",
    "0123456789\"",
    "$6$abc",
    "ignition",
    "DHCERTBASE64",
    "SESSIONBASE64",
    "u:p@h",
    "mysecret",
];

#[test]
fn no_secret_of_any_fixture_is_kept() {
    let mut kept = String::new();
    for (_, text) in all_of("domains") {
        let _ = write!(kept, "{:?}", domain(&text));
    }
    for (_, text) in all_of("pools") {
        let _ = write!(kept, "{:?}", pool(&text));
    }
    for (_, text) in all_of("volumes") {
        let _ = write!(kept, "{:?}", volume(&text));
    }
    for secret in SECRETS {
        assert!(!kept.contains(secret), "{secret} is kept");
    }
    assert!(fixture("domains/qemu_commandline.xml").contains("plainvalue"));
}
