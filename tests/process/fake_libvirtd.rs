//! The misbehaving libvirtd of its own test binary.
#![allow(dead_code, reason = "only some of its faults are needed here")]

#[path = "../fake_libvirtd/server.rs"]
pub mod server;
#[path = "../fake_libvirtd/xdr.rs"]
pub mod xdr;
