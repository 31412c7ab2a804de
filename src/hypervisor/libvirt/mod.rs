//! libvirt

pub mod xml;
