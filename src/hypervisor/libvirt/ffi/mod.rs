//! The only unsafe code of the crate: libvirt calls that the `virt` crate lacks or gets wrong.
//!
//! Everything that leaves this folder is safe to use from any thread. Nothing here knows the lanes,
//! and of port and model only the words of an event; it must not block except inside the libvirt
//! call that was asked for.
//! No symbol newer than libvirt 8.0 is referenced: the same binary must load there.
#![expect(unsafe_code, reason = "libvirt is a C library; each block says why it is sound")]

pub mod bulk;
pub mod close;
pub mod domain;
pub mod events;
pub mod failure;
pub mod node;
pub mod pidfd;
pub mod socket;
pub mod timer;
pub mod typed;
