//! The libvirt adapter against a daemon that hangs, closes, freezes, floods and comes back.
mod faults;
mod incidents;
mod server;
mod xdr;
