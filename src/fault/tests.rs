//! Scenarios of alarm surveillance over a small world, with times passed in.

mod detect;
mod lifecycle;
mod oversight;
mod property;
mod stage;
mod storage_night;
