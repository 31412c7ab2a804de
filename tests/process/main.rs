//! The real daemon as its users run it: readiness, ends, `kill -9`, reload, full disk, hung hosts, garbage.

#[path = "../common/mod.rs"]
mod common;

mod exit_codes;
mod ready;
