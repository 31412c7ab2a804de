//! What can be compared: fields, their kinds and their values.

use crate::model::Timestamp;
use std::borrow::Cow;

/// A field's value in one item.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// The item has no such value.
    Absent,
    /// A text.
    Text(Cow<'a, str>),
    /// Several texts.
    Texts(Vec<Cow<'a, str>>),
    /// A number.
    Number(f64),
    /// A truth value.
    Flag(bool),
    /// An instant.
    Time(Timestamp),
    /// Enum words in proto spelling, e.g. `RUN_STATE_OFF`; several for a set.
    Words(Vec<&'static str>),
    /// Number of an enum word whose numbers rise with what they mean, e.g. of a severity.
    Rank(i32),
}

impl<'a> Value<'a> {
    /// A text.
    pub fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A text that was made up for the comparison.
    pub fn made(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    /// Several texts.
    pub fn texts(texts: impl IntoIterator<Item = &'a String>) -> Self {
        Self::Texts(texts.into_iter().map(|text| Cow::Borrowed(text.as_str())).collect())
    }

    /// A count or size.
    #[expect(clippy::cast_precision_loss, reason = "sizes and counts lie far below 2^53")]
    pub fn count(number: u64) -> Self {
        Self::Number(number as f64)
    }
}

/// What kind of value a field has; decides which operators and literals fit.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A text.
    Text,
    /// Several texts.
    Texts,
    /// The name of a host, with or without `hosts/`.
    Host,
    /// Several names of hosts.
    Hosts,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// An instant, RFC 3339.
    Time,
    /// Time passed since an instant, e.g. `2h`.
    Age,
    /// An enum word; `words` are those that exist, with their prefix.
    Word {
        /// Prefix of the words, e.g. `RUN_STATE_`.
        prefix: &'static str,
        /// Whether a word with prefix exists.
        known: fn(&str) -> bool,
    },
    /// An enum word with an order.
    Rank {
        /// Prefix of the words, e.g. `SEVERITY_`.
        prefix: &'static str,
        /// Number of a word with prefix, if it exists.
        number: fn(&str) -> Option<i32>,
    },
    /// Texts by key: `labels.KEY`.
    Keyed,
}

impl Kind {
    /// What may be compared with, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Texts => "list of texts",
            Self::Host => "host",
            Self::Hosts => "list of hosts",
            Self::Number => "number",
            Self::Flag => "true or false",
            Self::Time => "time",
            Self::Age => "age",
            Self::Word { .. } => "word",
            Self::Rank { .. } => "word, in rising order",
            Self::Keyed => "text by key",
        }
    }
}

/// How a value is taken out of an item.
pub enum Access<T: ?Sized> {
    /// By the field alone.
    Plain(for<'a> fn(&'a T) -> Value<'a>),
    /// By the field and what follows it in the path.
    Keyed(for<'a> fn(&'a T, &str) -> Value<'a>),
}

impl<T: ?Sized> Clone for Access<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Access<T> {}

/// Something that can be filtered by.
pub struct Field<T: ?Sized> {
    /// Its path in proto spelling.
    pub name: &'static str,
    /// Kind of its values.
    pub kind: Kind,
    /// How to get its value.
    pub access: Access<T>,
}

impl<T: ?Sized> std::fmt::Debug for Field<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Field").field("name", &self.name).finish_non_exhaustive()
    }
}
