//! Tokens to a condition, checked against the fields there are.

use super::expression::{Expression, Filter, FilterError, Literal, Operator};
use super::lexer::{Token, TokenKind, tokens};
use super::value::{Field, Kind};
use crate::model::Timestamp;
use crate::northbound::limits;
use std::time::Duration;

/// Understands a filter over the given fields.
///
/// # Errors
/// [`FilterError`] with the byte at fault.
pub fn parse<T: ?Sized>(text: &str, fields: &[&'static Field<T>]) -> Result<Filter<T>, FilterError> {
    if text.len() > limits::FILTER_BYTES {
        let message = format!("a filter has at most {} bytes, this one has {}", limits::FILTER_BYTES, text.len());
        return Err(FilterError::new(limits::FILTER_BYTES, message));
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Filter { root: None });
    }
    let mut parser = Parser { tokens, next: 0, end: text.len(), terms: 0, fields };
    let root = parser.expression(0)?;
    match parser.peek() {
        None => Ok(Filter { root: Some(root) }),
        Some(token) => Err(FilterError::new(token.at, "expected AND, OR or the end")),
    }
}

struct Parser<'f, T: ?Sized + 'static> {
    tokens: Vec<Token>,
    next: usize,
    end: usize,
    terms: usize,
    fields: &'f [&'static Field<T>],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Junction {
    And,
    Or,
}

impl<T: ?Sized> Parser<'_, T> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn here(&self) -> usize {
        self.peek().map_or(self.end, |token| token.at)
    }

    fn junction(&self) -> Option<Junction> {
        match self.peek().map(|token| &token.kind) {
            Some(TokenKind::Word(word)) if word.eq_ignore_ascii_case("and") => Some(Junction::And),
            Some(TokenKind::Word(word)) if word.eq_ignore_ascii_case("or") => Some(Junction::Or),
            _ => None,
        }
    }

    fn expression(&mut self, depth: usize) -> Result<Expression<T>, FilterError> {
        if depth > limits::FILTER_DEPTH {
            let message = format!("nested deeper than {} levels", limits::FILTER_DEPTH);
            return Err(FilterError::new(self.here(), message));
        }
        let first = self.unary(depth)?;
        let Some(junction) = self.junction() else { return Ok(first) };
        let mut parts = vec![first];
        while let Some(next) = self.junction() {
            if next != junction {
                let message = "AND and OR are mixed: put parentheses around what belongs together";
                return Err(FilterError::new(self.here(), message));
            }
            self.take();
            parts.push(self.unary(depth)?);
        }
        Ok(match junction {
            Junction::And => Expression::And(parts),
            Junction::Or => Expression::Or(parts),
        })
    }

    fn unary(&mut self, depth: usize) -> Result<Expression<T>, FilterError> {
        if depth > limits::FILTER_DEPTH {
            let message = format!("nested deeper than {} levels", limits::FILTER_DEPTH);
            return Err(FilterError::new(self.here(), message));
        }
        match self.peek().map(|token| token.kind.clone()) {
            Some(TokenKind::Minus) => {
                self.take();
                Ok(Expression::Not(Box::new(self.unary(depth + 1)?)))
            }
            Some(TokenKind::Word(word)) if word.eq_ignore_ascii_case("not") => {
                self.take();
                Ok(Expression::Not(Box::new(self.unary(depth + 1)?)))
            }
            Some(TokenKind::Open) => {
                self.take();
                let inner = self.expression(depth + 1)?;
                match self.take() {
                    Some(Token { kind: TokenKind::Close, .. }) => Ok(inner),
                    Some(token) => Err(FilterError::new(token.at, "expected AND, OR or a closing parenthesis")),
                    None => Err(FilterError::new(self.end, "a closing parenthesis is missing")),
                }
            }
            _ => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Result<Expression<T>, FilterError> {
        let at = self.here();
        self.terms += 1;
        if self.terms > limits::FILTER_TERMS {
            return Err(FilterError::new(at, format!("more than {} comparisons", limits::FILTER_TERMS)));
        }
        let path = self.path()?;
        let (fields, key) = self.resolve(at, &path)?;
        let operator_at = self.here();
        let Some(Token { kind: TokenKind::Operator(operator), .. }) = self.take() else {
            let message = format!("expected an operator after {path}; there are = != < <= > >= :");
            return Err(FilterError::new(operator_at, message));
        };
        let value_at = self.here();
        let (value, is_quoted) = self.value(value_at)?;
        let Some(field) = fields.first() else { return Err(unknown_field(at, &path, self.fields)) };
        let literal = literal(field.kind, operator, &value, is_quoted)
            .map_err(|message| FilterError::new(value_at, format!("{path}: {message}")))?;
        let accesses = fields.iter().map(|field| field.access).collect();
        Ok(Expression::Compare { accesses, key, operator, literal })
    }

    /// A path; a key with odd characters may be quoted: `labels."a b"`.
    fn path(&mut self) -> Result<String, FilterError> {
        let at = self.here();
        let Some(Token { kind: TokenKind::Word(mut path), .. }) = self.take() else {
            return Err(FilterError::new(at, "expected a field"));
        };
        if path.ends_with('.')
            && let Some(Token { kind: TokenKind::Quoted(key), .. }) = self.peek().cloned()
        {
            self.take();
            path.push_str(&key);
        }
        Ok(path)
    }

    fn resolve(&self, at: usize, path: &str) -> Result<(Vec<&'static Field<T>>, String), FilterError> {
        let mut key = "";
        let found: Vec<&'static Field<T>> = self
            .fields
            .iter()
            .copied()
            .filter(|field| match (field.kind, path.strip_prefix(field.name)) {
                (Kind::Keyed, Some(rest)) => rest.strip_prefix('.').is_some_and(|rest| {
                    key = rest;
                    !rest.is_empty()
                }),
                (_, rest) => rest == Some(""),
            })
            .collect();
        if found.is_empty() { Err(unknown_field(at, path, self.fields)) } else { Ok((found, key.to_owned())) }
    }

    fn value(&mut self, at: usize) -> Result<(String, bool), FilterError> {
        match self.take().map(|token| token.kind) {
            Some(TokenKind::Word(word)) => Ok((word, false)),
            Some(TokenKind::Quoted(text)) => Ok((text, true)),
            Some(TokenKind::Minus) => match self.take().map(|token| token.kind) {
                Some(TokenKind::Word(word)) => Ok((format!("-{word}"), false)),
                _ => Err(FilterError::new(at, "expected a value")),
            },
            _ => Err(FilterError::new(at, "expected a value")),
        }
    }
}

fn unknown_field<T: ?Sized>(at: usize, path: &str, fields: &[&'static Field<T>]) -> FilterError {
    let mut names: Vec<String> = fields
        .iter()
        .map(|field| if matches!(field.kind, Kind::Keyed) { format!("{}.KEY", field.name) } else { field.name.into() })
        .collect();
    names.sort();
    names.dedup();
    let path: String = path.chars().take(60).collect();
    FilterError::new(at, format!("no field {path}; there are {}", names.join(", ")))
}

fn literal(kind: Kind, operator: Operator, value: &str, is_quoted: bool) -> Result<Literal, String> {
    if operator == Operator::Has && value == "*" {
        return Ok(Literal::Present);
    }
    match kind {
        Kind::Text | Kind::Keyed => text_literal(operator, value),
        Kind::Texts => no_order(operator).and_then(|()| text_literal(operator, value)),
        Kind::Host | Kind::Hosts => {
            no_order(operator)?;
            text_literal(operator, value.strip_prefix("hosts/").unwrap_or(value))
        }
        Kind::Number => value.parse().map(Literal::Number).map_err(|_| format!("{value:?} is no number")),
        Kind::Flag => {
            no_order(operator)?;
            match value.to_ascii_lowercase().as_str() {
                "true" => Ok(Literal::Flag(true)),
                "false" => Ok(Literal::Flag(false)),
                _ => Err(format!("{value:?} is neither true nor false")),
            }
        }
        Kind::Time => time(value).ok_or_else(|| {
            let hint = if is_quoted { "" } else { ", in quotes" };
            format!("{value:?} is no time; write e.g. \"2026-11-01T00:00:00Z\"{hint}")
        }),
        Kind::Age => {
            age(value).map(Literal::Age).ok_or_else(|| format!("{value:?} is no span of time; write e.g. 90s, 2h, 3d"))
        }
        Kind::Word { prefix, known } => {
            no_order(operator)?;
            let full = full_word(value, prefix);
            if known(&full) { Ok(Literal::Word(full)) } else { Err(format!("there is no {value:?}")) }
        }
        Kind::Rank { prefix, number } => {
            number(&full_word(value, prefix)).map(Literal::Rank).ok_or_else(|| format!("there is no {value:?}"))
        }
    }
}

fn no_order(operator: Operator) -> Result<(), String> {
    if operator.is_order() { Err("has no order: use = or !=".into()) } else { Ok(()) }
}

fn text_literal(operator: Operator, value: &str) -> Result<Literal, String> {
    let inner = value.strip_prefix('*').unwrap_or(value);
    let open_start = inner.len() < value.len();
    let text = inner.strip_suffix('*').unwrap_or(inner);
    let open_end = text.len() < inner.len();
    if text.contains('*') {
        return Err("a * may stand at the start and at the end only".into());
    }
    if operator.is_order() && (open_start || open_end) {
        return Err("a pattern has no order".into());
    }
    let text = text.to_owned();
    Ok(if open_start || open_end { Literal::Pattern { text, open_start, open_end } } else { Literal::Text(text) })
}

fn time(value: &str) -> Option<Literal> {
    let instant: jiff::Timestamp = value.parse().ok()?;
    Some(Literal::Time(Timestamp(instant.as_microsecond())))
}

/// A span like `90s`, `2h`, `1d12h`.
fn age(value: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut number = String::new();
    for character in value.chars() {
        if character.is_ascii_digit() {
            number.push(character);
            continue;
        }
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        number.clear();
    }
    (number.is_empty() && !value.is_empty()).then(|| Duration::from_secs(seconds))
}

/// An enum word with its prefix, however it was written.
fn full_word(value: &str, prefix: &str) -> String {
    let upper = value.replace('-', "_").to_ascii_uppercase();
    if upper.starts_with(prefix) { upper } else { format!("{prefix}{upper}") }
}
