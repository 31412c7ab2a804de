//! The machine we run on: details that libvirt does not give, from `/proc`, `/sys` and system calls.
//!
//! Everything is read below an injectable [`Root`], so that tests use trees of fixtures. No call
//! waits longer than its deadline, whatever a mounted filesystem does. Nothing here knows of
//! hypervisors; whether a host is this machine is decided by [`LocalHost::is_local`].

mod disks;
mod figures;
mod local_host;
mod locality;
mod machine;
mod measure;
mod mounts;
mod nics;
mod part_figures;
mod root;
mod sheet;
mod space;
mod tallies;

#[cfg(test)]
mod tests;

pub use local_host::{FILESYSTEM_DEADLINE, LocalHost};
pub use locality::has_local_transport;
pub use mounts::{Mount, MountTable};
pub use root::Root;
pub use space::{Space, SpaceError, SpaceProbe};
