//! Faults: the alarm catalogue, and the rules that turn facts into alarms. Pure: no I/O, no clock, no lock.

pub mod catalogue;
