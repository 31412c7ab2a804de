//! A parsed filter.

use super::value::Access;
use crate::model::Timestamp;
use std::time::Duration;

/// A condition on items.
pub struct Filter<T: ?Sized> {
    /// The condition; nothing: every item.
    pub(super) root: Option<Expression<T>>,
}

impl<T: ?Sized> std::fmt::Debug for Filter<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Filter").field("empty", &self.root.is_none()).finish()
    }
}

impl<T: ?Sized> Default for Filter<T> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<T: ?Sized> Filter<T> {
    /// True if it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }
}

/// A node of a condition.
pub enum Expression<T: ?Sized> {
    /// All hold.
    And(Vec<Self>),
    /// One holds.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A comparison. Classes that have the field in different places have one access each.
    Compare {
        /// Ways to the value; the first that is not absent counts.
        accesses: Vec<Access<T>>,
        /// What follows the field in the path, for keyed fields.
        key: String,
        /// The operator.
        operator: Operator,
        /// What is compared with.
        literal: Literal,
    },
}

impl<T: ?Sized> std::fmt::Debug for Expression<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::And(parts) => formatter.debug_tuple("And").field(parts).finish(),
            Self::Or(parts) => formatter.debug_tuple("Or").field(parts).finish(),
            Self::Not(part) => formatter.debug_tuple("Not").field(part).finish(),
            Self::Compare { key, operator, literal, .. } => formatter
                .debug_struct("Compare")
                .field("key", key)
                .field("operator", operator)
                .field("literal", literal)
                .finish_non_exhaustive(),
        }
    }
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `:`, contains.
    Has,
}

impl Operator {
    /// True if it asks for an order.
    pub fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }
}

/// What a field is compared with, understood according to the field's kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `:*`, the value is there.
    Present,
    /// A text without wildcards.
    Text(String),
    /// A text with `*` at one or both ends.
    Pattern {
        /// What is between the stars.
        text: String,
        /// A star in front.
        open_start: bool,
        /// A star at the end.
        open_end: bool,
    },
    /// A number.
    Number(f64),
    /// A truth value.
    Flag(bool),
    /// An instant.
    Time(Timestamp),
    /// A span of time before now.
    Age(Duration),
    /// An enum word with its prefix.
    Word(String),
    /// Number of an enum word that has an order.
    Rank(i32),
}

/// Why a filter cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {message}")]
pub struct FilterError {
    /// Where, as an offset in bytes.
    pub at: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl FilterError {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}
