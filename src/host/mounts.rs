//! Mounted filesystems, from `/proc/self/mountinfo`. Nothing here touches a filesystem that could hang.

use super::root::Root;
use procfs::FromRead;
use procfs::process::MountInfos;
use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// Most filesystems listed; more are counted as one error.
pub const MAX_FILESYSTEMS: usize = 512;

/// Most symbolic links followed in one path, as the kernel does.
const MAX_LINKS: usize = 40;

/// Kernel filesystems, read-only images and layers: their figures mean nothing to an operator.
const NOT_REAL: [&str; 39] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "cramfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "ecryptfs",
    "efivarfs",
    "erofs",
    "fuse.gvfsd-fuse",
    "fuse.lxcfs",
    "fuse.portal",
    "fuse.snapfuse",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nfsd",
    "nsfs",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "resctrl",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "udf",
    "usbfs",
];

/// Filesystems that wait for somebody else: a server or a process.
const REMOTE: [&str; 15] = [
    "9p",
    "afs",
    "ceph",
    "cifs",
    "coda",
    "gfs2",
    "glusterfs",
    "gpfs",
    "lustre",
    "nfs",
    "nfs4",
    "ocfs2",
    "smb3",
    "smbfs",
    "virtiofs",
];

/// A mounted filesystem.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// Device or remote source, e.g. `/dev/vda1` or `nas.example:/export`.
    pub source: String,
    /// Type, e.g. `ext4`.
    pub fs_type: String,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// The filesystem itself is read-only, not merely this view of it.
    pub read_only: bool,
    /// Number of the device behind it, `major:minor`: equal for several mounts of one filesystem.
    pub device: String,
}

impl Mount {
    /// True for filesystems that hold somebody's data.
    pub fn is_real(&self) -> bool {
        !NOT_REAL.contains(&self.fs_type.as_str())
    }

    /// Canonical source of a network filesystem, e.g. `nfs://server/export`, as pools of it have;
    /// nothing for local ones and kinds not known here. Never with a user name.
    pub fn network_source(&self) -> Option<String> {
        let (protocol, source) = match self.fs_type.as_str() {
            "nfs" | "nfs4" => ("nfs", self.source.split_once(":/")?),
            "glusterfs" | "fuse.glusterfs" => ("gluster", self.source.split_once(":/")?),
            "ceph" => ("cephfs", self.source.split_once(":/")?),
            "fuse.sshfs" => ("sshfs", self.source.split_once(':')?),
            "cifs" | "smb3" => ("cifs", self.source.strip_prefix("//")?.split_once('/')?),
            _ => return None,
        };
        let (server, path) = source;
        let server = server.rsplit('@').next().unwrap_or_default();
        let path = path.trim_matches('/');
        let separator = if path.is_empty() { "" } else { "/" };
        Some(format!("{protocol}://{server}{separator}{path}"))
    }

    /// True if using it may wait for a server or a process.
    pub fn may_hang(&self) -> bool {
        REMOTE.contains(&self.fs_type.as_str()) || self.fs_type.starts_with("fuse") || self.fs_type == "autofs"
    }
}

/// The table of mounts at one moment.
#[derive(Clone, Debug)]
pub struct MountTable {
    root: Root,
    mounts: Vec<Mount>,
}

impl MountTable {
    /// Reads the table. Lines that cannot be understood are left out.
    ///
    /// # Errors
    /// The system's error when the table cannot be read.
    pub fn read(root: &Root) -> std::io::Result<Self> {
        let table = root.text("/proc/self/mountinfo")?;
        Ok(Self { root: root.clone(), mounts: table.lines().filter_map(mount).collect() })
    }

    /// Every mount in the order of mounting; a later one at the same place hides the earlier.
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Real filesystems, each once: bind mounts of one that is listed already are left out.
    pub fn filesystems(&self) -> impl Iterator<Item = &Mount> {
        let mut seen = HashSet::new();
        self.mounts.iter().filter(move |mount| mount.is_real() && seen.insert(&mount.device))
    }

    /// The mount that an absolute path lies on. Symbolic links are followed as long as that cannot hang.
    pub fn mount_of(&self, path: &Path) -> Option<&Mount> {
        let resolved = self.resolve(path)?;
        self.covering(&resolved)
    }

    /// The last mounted of the longest mount points that the path lies under.
    fn covering(&self, path: &Path) -> Option<&Mount> {
        let above = self.mounts.iter().filter(|mount| path.starts_with(&mount.mount_point));
        above.max_by_key(|mount| mount.mount_point.components().count())
    }

    /// The path without symbolic links and `..`; from the first mount that may hang on it stays as it is.
    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        if !path.is_absolute() {
            return None;
        }
        let mut rest = reversed(path);
        let mut done = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == ".." {
                done.pop();
                continue;
            }
            let next = done.join(&part);
            match self.link(&next) {
                Some(target) if links < MAX_LINKS => {
                    links += 1;
                    if target.is_absolute() {
                        done = PathBuf::from("/");
                    }
                    rest.extend(reversed(&target));
                }
                _ => done = next,
            }
        }
        Some(done)
    }

    /// Target of a symbolic link, if looking cannot hang: already a mount point asks the mounted filesystem.
    fn link(&self, path: &Path) -> Option<PathBuf> {
        if self.covering(path).is_some_and(Mount::may_hang) {
            return None;
        }
        std::fs::read_link(self.root.path(path)).ok()
    }
}

fn mount(line: &str) -> Option<Mount> {
    let entry = MountInfos::from_read(line.as_bytes()).ok()?.0.pop()?;
    // Not the options of the mount: a service manager's sandbox shows every mount read-only to us.
    let read_only = entry.super_options.contains_key("ro");
    Some(Mount {
        source: unescaped(&entry.mount_source.unwrap_or_default()),
        fs_type: entry.fs_type,
        mount_point: PathBuf::from(unescaped(&entry.mount_point.to_string_lossy())),
        read_only,
        device: entry.majmin,
    })
}

/// The kernel writes white space and backslashes in names as three octal digits.
fn unescaped(text: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\043", "#"), ("\\134", "\\")];
    escapes.iter().fold(text.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

/// Names and `..` of a path, last first.
fn reversed(path: &Path) -> Vec<std::ffi::OsString> {
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    let mut parts: Vec<_> = parts.map(|part| part.as_os_str().to_owned()).collect();
    parts.reverse();
    parts
}
