//! The libvirt adapter on the drivers that run inside the process: libvirt's test driver and real QEMU.
#[path = "../hypervisor_contract/embed.rs"]
mod embed;
mod qemu;
mod test_driver;
mod world;
