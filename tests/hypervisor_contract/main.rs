//! One contract for every implementation of the hypervisor port, whatever its technology.
//!
//! `cases` holds the contract, `subject` what an implementation has to offer to be tested, and each
//! further file one implementation under test. A new implementation is a file with
//! `contract_suite!(subject, skipped: N)`.
#![expect(clippy::panic, reason = "helpers of tests fail by panicking")]

#[macro_use]
mod cases;
mod daemon;
#[expect(dead_code, reason = "tests/libvirt_adapter uses the rest")]
mod embed;
#[expect(dead_code, reason = "tests/fake_libvirtd uses the rest")]
#[path = "../fake_libvirtd/server.rs"]
mod fake_libvirtd;
mod libvirt;
mod qemu;
mod remote;
mod sim;
mod subject;
mod test_driver;
#[path = "../fake_libvirtd/xdr.rs"]
mod xdr;
