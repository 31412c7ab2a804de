//! Scenarios of alarm surveillance over a small world, with times passed in.

mod lifecycle;
mod stage;
