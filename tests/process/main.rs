//! The real daemon as its users run it: readiness, ends, `kill -9`, reload, full disk, hung hosts, garbage.

#[path = "../common/mod.rs"]
mod common;

mod checker;
mod exit_codes;
mod fake_libvirtd;
mod full_disk;
mod garbage;
mod hung_hosts;
mod power_cut;
mod ready;
mod registration;
mod reload;
mod service;
mod soak;
mod unknown;
