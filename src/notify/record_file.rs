//! A file of lines that survives being cut off anywhere: appended with one `fdatasync`, rewritten as
//! a whole by rename. Knows nothing of what the lines say.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The open file.
#[derive(Debug)]
pub(super) struct RecordFile {
    path: PathBuf,
    file: File,
    /// Lines in the file.
    lines: usize,
}

impl RecordFile {
    /// Complete lines of the file; none if there is no file. A last line without its end is dropped.
    pub(super) fn read(path: &Path) -> io::Result<Vec<String>> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Ok(String::from_utf8_lossy(&text[..complete]).lines().map(str::to_owned).collect())
    }

    /// Replaces the file by these lines and leaves it open for more.
    pub(super) fn rewrite(path: &Path, lines: &[String]) -> io::Result<Self> {
        let temporary = path.with_extension("new");
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(&temporary)?;
        file.write_all(joined(lines).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        if let Some(directory) = path.parent() {
            File::open(directory)?.sync_all()?;
        }
        Ok(Self { path: path.to_owned(), file, lines: lines.len() })
    }

    /// Appends lines; they are on the disk when this returns.
    pub(super) fn append(&mut self, lines: &[String]) -> io::Result<()> {
        self.file.write_all(joined(lines).as_bytes())?;
        self.file.sync_data()?;
        self.lines += lines.len();
        Ok(())
    }

    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}
