//! Words and shapes the house does not use: empty suffixes in type names, unfinished or skipped
//! code, source files that are too long or do not say what they are for.

use std::path::{Path, PathBuf};

use crate::sources::{ROOT, entries, extension, files_below, read, shown};

/// Suffixes that say nothing about what a type is.
const EMPTY_SUFFIXES: [&str; 5] = ["Manager", "Helper", "Util", "Utils", "Info"];

/// Names that are not ours to choose, or that a standard fixed.
const ALLOWED: [&str; 8] = [
    // google.rpc error details.
    "ErrorInfo",
    "RetryInfo",
    "RequestInfo",
    "ResourceInfo",
    "DebugInfo",
    // vrm.v1.AdminService.
    "GetServerInfo",
    "ServerInfo",
    // Required by a trait of tonic.
    "ConnectInfo",
];

/// Production lines a source file may have.
const LINE_LIMIT: usize = 500;

#[test]
fn no_type_name_ends_in_an_empty_word() {
    let mut faults = Vec::new();
    for file in files_below(&["src", "proto/vrm", "tests", "benches"]) {
        let text = read(&file);
        let declared = match extension(&file) {
            "rs" => declarations(&text, &["struct", "enum", "union", "trait", "type"]),
            "proto" => declarations(&text, &["message", "enum", "service", "rpc"]),
            _ => continue,
        };
        report_names(&file, &declared, &mut faults);
    }
    for file in prose_files() {
        let text = read(&file);
        report_names(&file, &words(&text), &mut faults);
    }
    assert!(faults.is_empty(), "empty type names:\n{}", faults.join("\n"));
}

#[test]
fn nothing_is_left_unfinished_or_skipped() {
    // Put together here, so that this file does not report itself.
    let banned = [concat!("#[", "ignore"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    let mut faults = Vec::new();
    for file in rust_files(&["src", "tests", "benches", "fuzz"]) {
        for (number, line) in read(&file).lines().enumerate() {
            if banned.iter().any(|word| line.contains(word)) {
                faults.push(format!("{}:{}: {}", shown(&file), number + 1, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "unfinished or skipped:\n{}", faults.join("\n"));
}

#[test]
fn every_source_file_is_short_and_says_what_it_is_for() {
    let mut faults = Vec::new();
    for file in rust_files(&["src"]) {
        if is_test_file(&file) {
            continue;
        }
        let text = read(&file);
        let lines = production_lines(&text);
        if lines >= LINE_LIMIT {
            faults.push(format!("{}: {lines} production lines, limit {LINE_LIMIT}", shown(&file)));
        }
        if !text.starts_with("//!") {
            faults.push(format!("{}: does not begin with `//!`", shown(&file)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn an_inline_test_module_is_no_production_code() {
    let text = "//! Doc.\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
    assert_eq!(production_lines(text), 3);
    let text = "//! Doc.\n#[cfg(test)]\nmod tests;\nfn a() {}\n#[cfg(test)]\nuse std::fs;\n";
    assert_eq!(production_lines(text), 4);
}

#[test]
fn an_empty_suffix_is_seen_in_code_and_prose() {
    assert_eq!(declarations("pub(crate) record HostInfo<T> {", &["record"]), [(1, "HostInfo")]);
    assert_eq!(empty_suffix("HostInfo"), Some("Info"));
    assert_eq!(empty_suffix("ErrorInfo"), None);
    assert_eq!(empty_suffix("Manager"), None, "the plain word is prose");
    assert_eq!(empty_suffix("Alertmanager"), None);
    assert_eq!(empty_suffix("virDomainGetControlInfo"), None, "not a type");
}

fn report_names(file: &Path, names: &[(usize, &str)], faults: &mut Vec<String>) {
    for (line, name) in names {
        if let Some(suffix) = empty_suffix(name) {
            faults.push(format!("{}:{line}: {name} ends in {suffix}", shown(file)));
        }
    }
}

/// The empty suffix of a type name, if it has one and is not allowed.
fn empty_suffix(name: &str) -> Option<&'static str> {
    let is_type = name.starts_with(|c: char| c.is_ascii_uppercase());
    if !is_type || ALLOWED.contains(&name) {
        return None;
    }
    EMPTY_SUFFIXES.into_iter().find(|suffix| name.len() > suffix.len() && name.ends_with(suffix))
}

/// Names declared by one of `keywords`, with their line numbers.
fn declarations<'a>(text: &'a str, keywords: &[&str]) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        let mut tokens = line.split(|c: char| !is_word(c)).filter(|t| !t.is_empty());
        while let Some(token) = tokens.next() {
            if keywords.contains(&token)
                && let Some(name) = tokens.next()
            {
                found.push((number + 1, name));
            }
        }
    }
    found
}

fn words(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .flat_map(|(number, line)| line.split(|c: char| !is_word(c)).map(move |word| (number + 1, word)))
        .collect()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Lines of `text` outside its `#[cfg(test)]` modules.
fn production_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let mut count = 0;
    let mut at = 0;
    while at < lines.len() {
        if lines[at] == "#[cfg(test)]" && lines.get(at + 1).is_some_and(|l| is_module(l)) {
            at += 1;
            if lines[at].ends_with('{') {
                while at < lines.len() && lines[at] != "}" {
                    at += 1;
                }
            }
        } else {
            count += 1;
        }
        at += 1;
    }
    count
}

fn is_module(line: &str) -> bool {
    line.split([' ', '(']).any(|word| word == "mod")
}

fn is_test_file(file: &Path) -> bool {
    file.file_stem().is_some_and(|stem| stem == "tests") || file.components().any(|part| part.as_os_str() == "tests")
}

/// Documents for people: the pages at the root and everything in docs/.
fn prose_files() -> Vec<PathBuf> {
    entries(Path::new(ROOT))
        .into_iter()
        .filter(|path| path.is_file())
        .chain(files_below(&["docs"]))
        .filter(|path| extension(path) == "md")
        .collect()
}

fn rust_files(directories: &[&str]) -> Vec<PathBuf> {
    files_below(directories).into_iter().filter(|path| extension(path) == "rs").collect()
}
