//! Stream rules S1–S16 on a scripted log, and a property test against a client model.

mod property;
mod rules;
mod script;
