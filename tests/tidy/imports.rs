//! Who may import whom (ARCHITECTURE.md): read from the `use` and path expressions of the sources.

#![expect(clippy::panic, reason = "a tidy test that cannot read the tree has failed")]

use crate::sources::{ROOT, extension, files_below, read, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use syn::visit::Visit;

/// Room of the house, and the rooms it may import. A room may always import itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("settings", &[]),
    ("telemetry", &[]),
    ("inventory", &["model"]),
    ("fault", &["model"]),
    ("performance", &["model"]),
    ("measurement", &["model", "performance", "changes", "engine"]),
    ("changes", &["model"]),
    ("store", &["model"]),
    ("host", &["model"]),
    ("hypervisor", &["model"]),
    ("wire", &["model"]),
    ("export", &["model"]),
    ("notify", &["model", "changes", "export", "telemetry"]),
    ("engine", &["model", "inventory", "fault", "changes", "store", "hypervisor::port", "telemetry"]),
    ("collect", &["model", "hypervisor::port", "host", "engine", "measurement"]),
    ("client", &["wire", "model"]),
    ("cli", &["client", "wire", "model", "setup", "export"]),
    ("setup", &["settings", "client", "wire"]),
    ("northbound", &["model", "changes", "wire", "telemetry", "export", "engine", "hypervisor::port"]),
    ("daemon", &["*"]),
];

/// Crates with one home.
const HOMES: &[(&str, &[&str])] = &[
    ("virt", &["hypervisor/libvirt"]),
    ("virt_sys", &["hypervisor/libvirt"]),
    ("roxmltree", &["hypervisor/libvirt"]),
    ("rusqlite", &["store"]),
    ("sysinfo", &["host"]),
    ("procfs", &["host"]),
    ("tonic", &["northbound", "client", "wire", "cli"]),
    ("prost", &["northbound", "client", "wire", "cli"]),
    ("clap", &["cli", "bin"]),
    ("hyper", &["notify", "northbound"]),
    ("ring", &["notify"]),
];

/// Paths found in one file: first segments after `crate`, and crate names.
#[derive(Default)]
struct Paths {
    /// `crate::a::b` as `a::b`.
    own: BTreeSet<String>,
    /// `super::a`, as written.
    relative: BTreeSet<Vec<String>>,
    /// First segment of everything else.
    foreign: BTreeSet<String>,
    /// Modules declared here; a path that begins with one is no crate.
    modules: BTreeSet<String>,
}

impl Paths {
    fn note(&mut self, segments: &[String]) {
        match segments.first().map(String::as_str) {
            Some("crate") => {
                self.own.insert(segments[1..segments.len().min(4)].join("::"));
            }
            Some("super" | "self") => {
                self.relative.insert(segments.to_vec());
            }
            Some(name) => {
                self.foreign.insert(name.to_owned());
            }
            None => {}
        }
    }

    fn note_tree(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.note_tree(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.note_tree(prefix, item)),
            syn::UseTree::Name(name) => self.note_leaf(prefix, &name.ident.to_string()),
            syn::UseTree::Rename(rename) => self.note_leaf(prefix, &rename.ident.to_string()),
            syn::UseTree::Glob(_) => self.note_leaf(prefix, "*"),
        }
    }

    fn note_leaf(&mut self, prefix: &[String], leaf: &str) {
        let mut segments = prefix.to_vec();
        if leaf != "self" {
            segments.push(leaf.to_owned());
        }
        self.note(&segments);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_tree(&mut Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.note(&segments);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.modules.insert(item.ident.to_string());
        // Tests may look anywhere.
        if item.ident != "tests" {
            syn::visit::visit_item_mod(self, item);
        }
    }
}

fn production_files() -> Vec<std::path::PathBuf> {
    let mut files = files_below(&["src"]);
    let test =
        |path: &Path| path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
    files.retain(|file| extension(file) == "rs" && !test(file));
    files
}

fn paths_of(file: &Path) -> Paths {
    let syntax = syn::parse_file(&read(file)).unwrap_or_else(|error| panic!("{}: {error}", shown(file)));
    let mut paths = Paths::default();
    paths.visit_file(&syntax);
    paths
}

/// Place of a file below `src`, e.g. `hypervisor/libvirt/lanes.rs`.
fn place(file: &Path) -> String {
    shown(file).trim_start_matches("src/").to_owned()
}

fn room(place: &str) -> &str {
    place.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

#[test]
fn every_room_imports_only_what_it_may() {
    let mut breaches = Vec::new();
    for file in production_files() {
        let place = place(&file);
        let room = room(&place);
        if matches!(room, "lib" | "bin") {
            continue;
        }
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == room);
        let Some((_, allowed)) = allowed else {
            breaches.push(format!("{place}: room {room} is not in the plan"));
            continue;
        };
        for own in paths_of(&file).own {
            let target = own.split("::").next().unwrap_or_default();
            let fine = target == room
                || allowed.contains(&"*")
                || allowed.iter().any(|may| own == *may || own.starts_with(&format!("{may}::")))
                || target.chars().next().is_some_and(char::is_uppercase);
            if !fine {
                breaches.push(format!("{place} imports crate::{own}"));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn every_crate_stays_at_home() {
    let mut breaches = Vec::new();
    for file in production_files() {
        let place = place(&file);
        if room(&place) == "daemon" {
            continue;
        }
        for (name, homes) in HOMES {
            let at_home = homes.iter().any(|home| place.starts_with(home));
            let paths = paths_of(&file);
            if !at_home && paths.foreign.contains(*name) && !paths.modules.contains(*name) {
                breaches.push(format!("{place} uses crate {name}"));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn unsafe_code_stays_in_ffi() {
    for file in production_files() {
        let place = place(&file);
        let text = read(&file);
        let found = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe {")
                || code.contains("unsafe fn")
                || code.contains("unsafe impl")
                || code.contains("unsafe extern")
        });
        assert!(!found || place.starts_with("hypervisor/libvirt/ffi"), "{place} has unsafe code");
    }
}

#[test]
fn rooms_form_no_circle() {
    let edges: BTreeMap<&str, Vec<&str>> = MAY_IMPORT
        .iter()
        .map(|(name, allowed)| {
            let rooms = allowed.iter().map(|may| may.split("::").next().unwrap_or_default());
            (*name, rooms.filter(|target| *target != "*").collect())
        })
        .collect();
    for start in edges.keys() {
        let mut open: Vec<&str> = edges[start].clone();
        let mut seen = BTreeSet::new();
        while let Some(next) = open.pop() {
            assert_ne!(next, *start, "the plan itself has a circle through {start}");
            if seen.insert(next) {
                open.extend(edges.get(next).into_iter().flatten());
            }
        }
    }
}

/// Files of one folder that import each other, followed by `super::` and `crate::` paths.
#[test]
fn files_of_a_folder_form_no_circle() {
    let files = production_files();
    let modules: BTreeSet<String> = files.iter().map(|file| module_of(&place(file))).collect();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in &files {
        let module = module_of(&place(file));
        // A folder's mod.rs re-exports its children; that is no dependency of theirs on it.
        if file.ends_with("mod.rs") || place(file) == "lib.rs" || place(file) == "daemon.rs" {
            continue;
        }
        let paths = paths_of(file);
        let mut targets: Vec<String> = paths.own.iter().cloned().collect();
        targets.extend(paths.relative.iter().filter_map(|segments| absolute(&module, segments)));
        let found = targets.iter().filter_map(|target| longest_module(target, &modules));
        edges.entry(module.clone()).or_default().extend(found.filter(|target| *target != module));
    }
    let mut circles = BTreeSet::new();
    for start in edges.keys() {
        if reaches(start, start, &edges) {
            circles.insert(start.clone());
        }
    }
    assert!(circles.is_empty(), "circles of imports through: {circles:?}");
}

fn module_of(place: &str) -> String {
    place.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::")
}

fn absolute(module: &str, segments: &[String]) -> Option<String> {
    let mut base: Vec<&str> = module.split("::").collect();
    let mut rest = segments;
    while let Some(first) = rest.first() {
        match first.as_str() {
            "super" => drop(base.pop()?),
            "self" => {}
            _ => break,
        }
        rest = &rest[1..];
    }
    base.extend(rest.iter().map(String::as_str));
    Some(base.join("::"))
}

/// The module a path lies in; a folder's own mod.rs is no target, its children are.
fn longest_module(path: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut segments: Vec<&str> = path.split("::").collect();
    while !segments.is_empty() {
        let candidate = segments.join("::");
        if modules.contains(&candidate) {
            let is_folder = Path::new(ROOT).join("src").join(candidate.replace("::", "/")).is_dir();
            return (!is_folder).then_some(candidate);
        }
        segments.pop();
    }
    None
}

fn reaches(from: &str, to: &str, edges: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let mut open: Vec<&String> = edges.get(from).into_iter().flatten().collect();
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        if next == to {
            return true;
        }
        if seen.insert(next) {
            open.extend(edges.get(next).into_iter().flatten());
        }
    }
    false
}
