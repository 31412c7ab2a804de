//! Whether an item meets a condition.

use super::expression::{Expression, Filter, Literal, Operator};
use super::value::{Access, Value};
use crate::model::Timestamp;
use std::borrow::Cow;
use std::cmp::Ordering;

impl<T: ?Sized> Filter<T> {
    /// True if the item meets the condition now.
    pub fn matches(&self, item: &T, now: Timestamp) -> bool {
        self.root.as_ref().is_none_or(|root| root.holds(item, now))
    }
}

impl<T: ?Sized> Expression<T> {
    fn holds(&self, item: &T, now: Timestamp) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(item, now)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(item, now)),
            Self::Not(part) => !part.holds(item, now),
            Self::Compare { accesses, key, operator, literal } => {
                let value = accesses
                    .iter()
                    .map(|access| match access {
                        Access::Plain(get) => get(item),
                        Access::Keyed(get) => get(item, key),
                    })
                    .find(|value| *value != Value::Absent)
                    .unwrap_or(Value::Absent);
                compare(&value, *operator, literal, now)
            }
        }
    }
}

/// An absent value is equal to nothing and in no order: only `!=` holds.
fn compare(value: &Value<'_>, operator: Operator, literal: &Literal, now: Timestamp) -> bool {
    if *literal == Literal::Present {
        return is_present(value);
    }
    match value {
        Value::Absent => operator == Operator::NotEqual,
        Value::Text(text) => compare_text(text, operator, literal),
        Value::Texts(texts) => {
            let any = texts.iter().any(|text| is_like(text, operator, literal));
            if operator == Operator::NotEqual { !any } else { any }
        }
        Value::Words(words) => {
            let any = words.iter().any(|word| matches!(literal, Literal::Word(wanted) if wanted == word));
            if operator == Operator::NotEqual { !any } else { any }
        }
        Value::Flag(flag) => {
            matches!(literal, Literal::Flag(wanted) if (wanted == flag) != (operator == Operator::NotEqual))
        }
        Value::Number(number) => match literal {
            Literal::Number(wanted) => number.partial_cmp(wanted).is_some_and(|order| in_order(order, operator)),
            _ => false,
        },
        Value::Rank(number) => {
            matches!(literal, Literal::Rank(wanted) if in_order(number.cmp(wanted), operator))
        }
        Value::Time(time) => match literal {
            Literal::Time(wanted) => in_order(time.cmp(wanted), operator),
            Literal::Age(wanted) => in_order(now.since(*time).cmp(wanted), operator),
            _ => false,
        },
    }
}

fn is_present(value: &Value<'_>) -> bool {
    match value {
        Value::Absent => false,
        Value::Text(text) => !text.is_empty(),
        Value::Texts(texts) => !texts.is_empty(),
        Value::Words(words) => words.iter().any(|word| !word.ends_with("_UNSPECIFIED")),
        Value::Flag(flag) => *flag,
        Value::Number(number) => *number != 0.0,
        Value::Rank(number) => *number != 0,
        Value::Time(_) => true,
    }
}

fn in_order(order: Ordering, operator: Operator) -> bool {
    match operator {
        Operator::Equal | Operator::Has => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
    }
}

fn compare_text(text: &str, operator: Operator, literal: &Literal) -> bool {
    match (operator, literal) {
        (Operator::NotEqual, _) => !is_like(text, Operator::Equal, literal),
        // Within one text `:` means "contains".
        (Operator::Has, Literal::Text(wanted)) => text.to_lowercase().contains(&wanted.to_lowercase()),
        (Operator::Equal | Operator::Has, _) => is_like(text, operator, literal),
        (_, Literal::Text(wanted)) => in_order(text.cmp(wanted), operator),
        _ => false,
    }
}

/// Equality with wildcards; `:` does not mind case.
fn is_like(text: &str, operator: Operator, literal: &Literal) -> bool {
    let fold = |text: &str| {
        if operator == Operator::Has { Cow::Owned(text.to_lowercase()) } else { Cow::Owned(text.to_owned()) }
    };
    match literal {
        Literal::Text(wanted) if operator != Operator::Has => text == wanted,
        Literal::Text(wanted) => fold(text) == fold(wanted),
        Literal::Pattern { text: wanted, open_start, open_end } => {
            let (text, wanted): (Cow<'_, str>, Cow<'_, str>) = (fold(text), fold(wanted));
            match (open_start, open_end) {
                (true, true) => text.contains(wanted.as_ref()),
                (true, false) => text.ends_with(wanted.as_ref()),
                _ => text.starts_with(wanted.as_ref()),
            }
        }
        _ => false,
    }
}
