//! Scenarios of alarm surveillance over a small world, with times passed in.

mod detect;
mod lifecycle;
mod stage;
