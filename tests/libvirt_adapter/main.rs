//! The libvirt adapter on the drivers that run inside the process: libvirt's test driver and real QEMU.
#![expect(clippy::panic, reason = "helpers of tests fail by panicking")]

#[path = "../hypervisor_contract/embed.rs"]
mod embed;
mod qemu;
mod qemu_ends;
mod test_driver;
mod world;
