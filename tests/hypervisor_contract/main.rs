//! What every implementation of the hypervisor port must do, whatever is behind it.
mod embed;
mod qemu;
mod test_driver;
mod world;
