//! What every test of the real daemon needs: the daemon, a client, waiting, skipping.
//!
//! Include it with `#[path = "../common/mod.rs"] mod common;`. It asserts nothing about the product.
#![allow(dead_code, unused_imports, reason = "each test binary uses its part")]

mod client;
mod daemon;
mod recording;
mod waiting;

pub use client::{Exact, Held, TestClient, held, of_change, of_resource, reason};
pub use daemon::{Ended, TestDaemon, count, proc_status};
pub use recording::Recording;
pub use waiting::{PATIENCE, pause, skip_because, wait_for, wait_until};
