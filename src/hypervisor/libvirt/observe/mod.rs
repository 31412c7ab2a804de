//! Readings: what each scope asks of libvirt. All of it runs on a lane's thread and may block.

pub mod devices;
pub mod disk_errors;
pub mod host;
pub mod host_readings;
pub mod machines;
pub mod networks;
pub mod pools;
pub mod probe;
mod readings;
mod single;
pub mod statistics;
