//! Tests on trees of fixtures (`tests/fixtures/host`) and with filesystems that hang.

mod locality;
mod reading;
mod space;

use super::Root;
use std::path::PathBuf;

/// Root of a tree of fixtures.
fn root(name: &str) -> Root {
    Root::at(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host").join(name))
}
