//! Where the machine's files are read from: `/`, or a tree of fixtures.

use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest file read, in bytes. `/proc` and `/sys` files are far smaller; more is cut off.
const MAX_FILE: u64 = 1 << 20;

/// Most entries of a folder looked at.
const MAX_ENTRIES: usize = 4_096;

/// A root folder under which `/proc`, `/sys` and `/etc` are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// The machine itself.
    pub fn machine() -> Self {
        Self(PathBuf::from("/"))
    }

    /// Another tree, for tests and for containers that mount the host's files elsewhere.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// True if this is the machine itself, so that system calls see what the files say.
    pub fn is_machine(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// Real path of an absolute path of the machine.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Text of a file, not more than a mebibyte; unreadable bytes are replaced.
    ///
    /// # Errors
    /// The system's error when the file cannot be opened or read.
    pub fn text(&self, path: impl AsRef<Path>) -> std::io::Result<String> {
        let mut bytes = Vec::new();
        std::fs::File::open(self.path(path))?.take(MAX_FILE).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Trimmed text of a small file; empty if it cannot be read.
    pub fn word(&self, path: impl AsRef<Path>) -> String {
        self.text(path).map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    /// Number in a small file.
    pub fn number<N: std::str::FromStr>(&self, path: impl AsRef<Path>) -> Option<N> {
        self.text(path).ok()?.trim().parse().ok()
    }

    /// Last part of what a symbolic link points to; empty if it is none.
    pub fn link_name(&self, path: impl AsRef<Path>) -> String {
        let target = std::fs::read_link(self.path(path)).unwrap_or_default();
        target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// True if there is something at the path; a dangling link counts.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// Names in a folder, sorted.
    ///
    /// # Errors
    /// The system's error when the folder cannot be read.
    pub fn names(&self, path: impl AsRef<Path>) -> std::io::Result<Vec<String>> {
        let entries = std::fs::read_dir(self.path(path))?.take(MAX_ENTRIES);
        let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        Ok(names)
    }
}
