//! `docs/requirements.md` against the tree: all 171 ids once, no row without an owner, and
//! nothing called done that no test verifies.

#![expect(clippy::panic, reason = "a tidy test that cannot read the tree has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::sources::{ROOT, extension, files_below, read};

const PARTS: [&str; 6] = ["inventory", "fault", "performance", "configuration", "trust", "agents"];

/// One area of the id scheme `REQ-<area>-<category>-<nn>`; numbers run from 1 without a hole.
struct Area {
    label: &'static str,
    count: usize,
    /// Numbers whose category is not `FUN`.
    other: &'static [(&'static str, &'static [usize])],
}

const AREAS: [Area; 7] = [
    Area { label: "GEN", count: 12, other: &[("CON", &[1, 2, 3, 4]), ("NON", &[9, 10, 11])] },
    Area { label: "CM", count: 45, other: &[] },
    Area { label: "FM", count: 32, other: &[("NON", &[27])] },
    Area { label: "PM", count: 26, other: &[("NON", &[18, 19])] },
    Area { label: "NTF", count: 19, other: &[] },
    Area { label: "SEC", count: 17, other: &[("NON", &[1, 7, 9, 10, 13, 17])] },
    Area { label: "RES", count: 20, other: &[("NON", &[2, 3, 7, 13, 16])] },
];

/// A row of a requirements table: `| id | M/O | text | source | part | status | verified by |`.
struct Row {
    line: usize,
    id: String,
    level: String,
    text: String,
    source: String,
    part: String,
    status: String,
    /// Test paths named in the last cell, without their backticks.
    tests: Vec<String>,
}

/// A function that may be named as a test, and the path parts of the file it stands in.
type Functions = BTreeMap<String, Vec<BTreeSet<String>>>;

#[test]
fn every_requirement_id_has_exactly_one_row() {
    let mut seen = BTreeMap::new();
    for row in rows() {
        *seen.entry(row.id).or_insert(0_usize) += 1;
    }
    let expected = expected_ids();
    let missing: Vec<_> = expected.iter().filter(|id| !seen.contains_key(*id)).collect();
    let unknown: Vec<_> = seen.keys().filter(|id| !expected.contains(*id)).collect();
    let repeated: Vec<_> = seen.iter().filter(|(_, n)| **n > 1).collect();
    assert!(
        missing.is_empty() && unknown.is_empty() && repeated.is_empty(),
        "requirement ids: missing {missing:?}, unknown {unknown:?}, repeated {repeated:?}"
    );
    assert_eq!(seen.len(), 171);
}

#[test]
fn every_row_is_well_formed_and_belongs_to_a_part() {
    let faults: Vec<String> = rows().iter().filter_map(row_fault).collect();
    assert!(faults.is_empty(), "docs/requirements.md:\n{}", faults.join("\n"));
}

#[test]
fn every_done_requirement_names_a_test_that_exists() {
    let functions = test_functions();
    let mut faults = Vec::new();
    for row in rows() {
        if row.status == "done" && row.tests.is_empty() {
            faults.push(format!("line {}: {} is done but names no test", row.line, row.id));
        }
        for path in &row.tests {
            if !names_a_test(path, &functions) {
                faults.push(format!("line {}: {}: no test `{path}`", row.line, row.id));
            }
        }
    }
    assert!(faults.is_empty(), "docs/requirements.md:\n{}", faults.join("\n"));
}

#[test]
fn annex_a_traces_every_requirement_once() {
    let mut traced = BTreeMap::new();
    for line in requirements_text().lines() {
        if let Some(rest) = line.strip_prefix("| [REQ-") {
            let id = rest.split(']').next().unwrap_or_default();
            *traced.entry(format!("REQ-{id}")).or_insert(0_usize) += 1;
        }
    }
    let wrong: Vec<_> = expected_ids().into_iter().filter(|id| traced.remove(id) != Some(1)).collect();
    assert!(wrong.is_empty() && traced.is_empty(), "annex A: not traced exactly once {wrong:?}, unknown {traced:?}");
}

#[test]
fn a_test_path_is_recognised_by_its_function_and_place() {
    let mut functions = Functions::new();
    let source =
        "pub fn diff() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn an_absent_object_is_removed() {}\n}\n";
    collect_functions(Path::new("src/inventory/diff.rs"), source, "fn ", &mut functions);
    assert!(names_a_test("inventory::diff::tests::an_absent_object_is_removed", &functions));
    assert!(!names_a_test("changes::tests::an_absent_object_is_removed", &functions));
    assert!(!names_a_test("inventory::diff::diff", &functions), "production code is no test");
}

fn row_fault(row: &Row) -> Option<String> {
    let fault = |what: String| Some(format!("line {}: {}: {what}", row.line, row.id));
    if row.level != "M" && row.level != "O" {
        return fault(format!("level `{}` is neither M nor O", row.level));
    }
    if row.text.is_empty() || row.source.is_empty() {
        return fault("text or source is empty".to_owned());
    }
    let reason = row.status.strip_prefix("void:").map(str::trim);
    match (row.part.as_str(), reason) {
        ("void", Some(reason)) if !reason.is_empty() => None,
        ("void", _) => fault("void without `void: reason`".to_owned()),
        (_, Some(_)) => fault("status is void but the part is not".to_owned()),
        (part, None) if !PARTS.contains(&part) => fault(format!("belongs to no part: `{part}`")),
        _ if row.status != "done" && row.status != "planned" => fault(format!("unknown status `{}`", row.status)),
        _ => None,
    }
}

fn rows() -> Vec<Row> {
    let text = requirements_text();
    let rows: Vec<Row> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("| REQ-"))
        .map(|(index, line)| parse_row(index + 1, line))
        .collect();
    assert!(!rows.is_empty(), "docs/requirements.md has no requirement rows");
    rows
}

fn parse_row(line: usize, text: &str) -> Row {
    let cells: Vec<&str> = text.trim().trim_matches('|').split('|').map(str::trim).collect();
    let [id, level, requirement, source, part, status, verified] = cells[..] else {
        panic!("docs/requirements.md:{line}: {} cells instead of 7", cells.len());
    };
    Row {
        line,
        id: id.to_owned(),
        level: level.to_owned(),
        text: requirement.to_owned(),
        source: source.to_owned(),
        part: part.to_owned(),
        status: status.to_owned(),
        tests: verified.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
    }
}

fn expected_ids() -> BTreeSet<String> {
    AREAS
        .iter()
        .flat_map(|area| {
            (1..=area.count).map(|number| {
                let category = area
                    .other
                    .iter()
                    .find(|(_, numbers)| numbers.contains(&number))
                    .map_or("FUN", |(category, _)| *category);
                format!("REQ-{}-{category}-{number:02}", area.label)
            })
        })
        .collect()
}

/// Whether the last part of `path` is a test function and the first names its module or file.
fn names_a_test(path: &str, functions: &Functions) -> bool {
    let parts: Vec<&str> = path
        .split("::")
        .flat_map(|part| part.split('/'))
        .map(|part| part.trim_end_matches(".rs").trim_end_matches(".py"))
        .filter(|part| !["src", "tests", "crate", "vrm"].contains(part))
        .collect();
    let Some((name, module)) = parts.split_last() else {
        return false;
    };
    functions
        .get(*name)
        .is_some_and(|places| module.first().is_none_or(|first| places.iter().any(|place| place.contains(*first))))
}

fn test_functions() -> Functions {
    let mut functions = Functions::new();
    for file in files_below(&["src", "tests"]) {
        let keyword = match extension(&file) {
            "rs" => "fn ",
            "py" if file.starts_with(Path::new(ROOT).join("tests")) => "def ",
            _ => continue,
        };
        let relative = file.strip_prefix(ROOT).unwrap_or(&file);
        collect_functions(relative, &read(&file), keyword, &mut functions);
    }
    functions
}

/// Adds the functions that `source` declares; in production files only those after `#[cfg(test)]`.
fn collect_functions(file: &Path, source: &str, keyword: &str, functions: &mut Functions) {
    let place: BTreeSet<String> = file
        .components()
        .filter_map(|part| part.as_os_str().to_str())
        .map(|part| part.trim_end_matches(".rs").trim_end_matches(".py").to_owned())
        .collect();
    let mut in_tests = place.contains("tests");
    for line in source.lines() {
        let line = line.trim_start();
        in_tests |= line.starts_with("#[cfg(test)]");
        if !in_tests || line.starts_with("//") {
            continue;
        }
        let starts = line.match_indices(keyword).filter(|(at, _)| *at == 0 || line[..*at].ends_with([' ', '(']));
        for (at, _) in starts {
            let name: String =
                line[at + keyword.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                functions.entry(name).or_default().push(place.clone());
            }
        }
    }
}

fn requirements_text() -> String {
    read(&Path::new(ROOT).join("docs/requirements.md"))
}
