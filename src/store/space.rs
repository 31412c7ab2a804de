//! Room kept back on the disk for the moment it is full.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// 16 MiB: enough for some ten thousand transitions while somebody makes room (design.md 7).
const BALLAST_BYTES: usize = 16 * 1024 * 1024;

/// A file that only takes up space.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
}

impl Ballast {
    /// The ballast of a state directory; made when there is room.
    pub(super) fn of(directory: &Path) -> Self {
        let ballast = Self { path: directory.join("ballast") };
        // No room now is no fault: it is made at the next good commit.
        let _ = ballast.fill();
        ballast
    }

    /// Takes the space, unless it is taken.
    pub(super) fn fill(&self) -> std::io::Result<()> {
        if fs::metadata(&self.path).is_ok_and(|found| found.len() == BALLAST_BYTES as u64) {
            return Ok(());
        }
        let written = File::create(&self.path).and_then(|mut file| {
            // Written, not truncated to size: a sparse file holds no room.
            file.write_all(&vec![0x5a; BALLAST_BYTES])?;
            file.sync_all()
        });
        if written.is_err() {
            let _ = fs::remove_file(&self.path);
        }
        written
    }

    /// Gives the space back; true if there was some.
    pub(super) fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}
