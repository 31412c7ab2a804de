//! Stores put aside: damaged ones, and copies from before a migration.

use super::error::StoreError;
use super::row::set_meta;
use crate::model::Timestamp;
use rusqlite::{Connection, ErrorCode};
use std::fs;
use std::path::{Path, PathBuf};

/// Name of the database in the state directory.
pub(super) const FILE: &str = "journal.db";

/// Copies from before migrations that are kept (operations.md F22).
const COPIES: i64 = 2;

/// Moves the store into `corrupt-TIME/` so that a new one is begun; answers where it went.
///
/// # Errors
/// If a file cannot be moved.
pub fn set_aside(directory: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let target = directory.join(format!("corrupt-{}", now.to_string().replace(':', "")));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    };
    fs::create_dir_all(&target).map_err(failed(&target))?;
    for suffix in ["", "-wal", "-shm"] {
        let file = directory.join(format!("{FILE}{suffix}"));
        if file.exists() {
            fs::rename(&file, target.join(format!("{FILE}{suffix}"))).map_err(failed(&file))?;
        }
    }
    Ok(target)
}

/// Copies the database to `journal.db.pre-SCHEMA` before it is brought to that schema, for the way back to the version
/// before. Who goes that way loses what came later, so the copy carries an epoch of its own: subscribers are told, and
/// do not take its sequence numbers for those they have seen.
pub(super) fn keep_copy(connection: &Connection, directory: &Path, schema: i64) -> Result<(), StoreError> {
    let target = directory.join(format!("{FILE}.pre-{schema}"));
    let unfinished = directory.join(format!("{FILE}.pre-{schema}.unfinished"));
    let io = |source| StoreError::Io { path: target.clone(), source };
    let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Unreadable { path: directory.join(FILE), source: error }
        }
        _ => io(std::io::Error::other(error)),
    };
    if let Err(source) = fs::remove_file(&unfinished)
        && source.kind() != std::io::ErrorKind::NotFound
    {
        return Err(io(source));
    }
    // One consistent state, whatever lies in the log and whoever reads meanwhile.
    connection.execute("VACUUM INTO ?1", [unfinished.to_string_lossy()]).map_err(failed)?;
    let copy = Connection::open(&unfinished).map_err(failed)?;
    set_meta(&copy, "epoch", &uuid::Uuid::new_v4().simple().to_string()).map_err(failed)?;
    drop(copy);
    fs::File::open(&unfinished).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(&unfinished, &target).map_err(io)?;
    fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
    for old in 1..=schema - COPIES {
        // One that cannot be removed is only a file too many.
        let _ = fs::remove_file(directory.join(format!("{FILE}.pre-{old}")));
    }
    Ok(())
}
