//! The files of the tree, read by the other tidy tests.

#![expect(clippy::panic, reason = "a tidy test that cannot read the tree has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Directories that hold build results or other people's code.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// All files below these directories of the repository, sorted; absent directories are empty.
pub fn files_below(directories: &[&str]) -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = directories.iter().map(|d| Path::new(ROOT).join(d)).filter(|d| d.is_dir()).collect();
    let mut files = Vec::new();
    while let Some(directory) = open.pop() {
        for path in entries(&directory) {
            if !path.is_dir() {
                files.push(path);
            } else if !SKIPPED.iter().any(|name| path.ends_with(name)) {
                open.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The entries of one directory.
pub fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect())
        .unwrap_or_else(|error| panic!("list {}: {error}", directory.display()))
}

/// The text of a file.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// The extension of a path, empty if it has none.
pub fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or_default()
}

/// The path as a reader of the repository knows it.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(ROOT).unwrap_or(path).display().to_string()
}
