//! Tests on trees of fixtures and with filesystems that hang.
//!
//! A tree is one text file, `tests/fixtures/host/NAME.tree`: a line `=== PATH` begins a file, and
//! `=== PATH -> TARGET` is a symbolic link.

mod figures;
mod locality;
mod reading;
mod space;
mod tallies;

use super::Root;
use std::path::Path;
use tempfile::TempDir;

/// A tree of fixtures, unpacked for one test.
struct Tree(TempDir);

impl Tree {
    fn unpack(name: &str) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host").join(format!("{name}.tree"));
        let text = std::fs::read_to_string(source).expect("the fixture exists");
        let tree = Self(TempDir::new().expect("a temporary folder"));
        for entry in text.split("=== ").skip(1) {
            let (head, content) = entry.split_once('\n').expect("a line");
            match head.split_once(" -> ") {
                Some((path, target)) => std::os::unix::fs::symlink(target, tree.place(path)).expect("a link"),
                None => tree.write(head, content.as_bytes()),
            }
        }
        tree
    }

    /// Real path of a file in the tree; its folder exists afterwards.
    fn place(&self, path: &str) -> std::path::PathBuf {
        let place = self.0.path().join(path);
        std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        place
    }

    fn write(&self, path: &str, content: &[u8]) {
        std::fs::write(self.place(path), content).expect("written");
    }

    fn root(&self) -> Root {
        Root::at(self.0.path())
    }
}

/// A server with everything, and SCSI's serial number page, which is no text.
fn server() -> Tree {
    let tree = Tree::unpack("server");
    tree.write("sys/block/sda/device/vpd_pg80", b"\x00\x80\x00\x14            Z3T0ABCD");
    tree
}
