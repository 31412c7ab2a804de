//! The way to hosts: the port, and its implementations behind it.
//!
//! Nothing outside of this folder knows libvirt's words; `collect` and `operate` see the port only.

#[cfg(feature = "libvirt")]
pub mod libvirt;
mod measured;
pub mod port;
pub mod sim;
