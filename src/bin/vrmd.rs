//! The daemon: arguments and exit codes.

fn main() {}
