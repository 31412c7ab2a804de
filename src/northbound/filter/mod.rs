//! Filters: the subset of AIP-160 that list and watch requests carry.
//!
//! Pure: text and fields in, a condition out; the clock is passed in. What can be filtered by is
//! data ([`Field`]), so that errors can list it.

mod alarm_fields;
mod evaluate;
mod expression;
mod lexer;
mod object_fields;
mod parser;
mod value;

pub use expression::Filter;
pub use object_fields::{filterable, object_fields};
pub use parser::parse;

#[cfg(test)]
mod tests;
