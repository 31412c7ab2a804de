//! Real libvirt hosts in namespaces of this machine: see `./dev lab help`.
//!
//! Modules with tests are named `lab_…`: by that the runner knows to run them one at a time.

#[path = "../common/mod.rs"]
mod common;
mod harness;
mod lab_alarms;
mod lab_one_host;
mod lab_script;
mod lab_two_hosts;
