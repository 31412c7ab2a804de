//! One contract for every implementation of the hypervisor port, whatever its technology.
//!
//! `cases` holds the contract, `subject` what an implementation has to offer to be tested, and each
//! further file one implementation under test. A new implementation is a file with
//! `contract_suite!(subject, skipped: N)`.

#[macro_use]
mod cases;
mod embed;
mod qemu;
mod sim;
mod subject;
mod test_driver;
mod world;
