//! Text to tokens.

use super::expression::{FilterError, Operator};

/// A token and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: TokenKind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    /// A path, keyword or unquoted value.
    Word(String),
    /// A quoted text.
    Quoted(String),
    Operator(Operator),
    Open,
    Close,
    /// A minus that negates.
    Minus,
}

/// Cuts a filter into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.peek().copied() {
        let kind = match character {
            _ if character.is_whitespace() => {
                rest.next();
                continue;
            }
            '"' | '\'' => TokenKind::Quoted(quoted(at, &mut rest)?),
            '(' => single(&mut rest, TokenKind::Open),
            ')' => single(&mut rest, TokenKind::Close),
            '=' | '!' | '<' | '>' | ':' => TokenKind::Operator(operator(at, &mut rest)?),
            '-' => single(&mut rest, TokenKind::Minus),
            _ if is_word(character) => TokenKind::Word(word(&mut rest)),
            _ => {
                return Err(FilterError::new(at, format!("unexpected {character:?}; put values in quotes")));
            }
        };
        tokens.push(Token { at, kind });
    }
    Ok(tokens)
}

type Characters<'a> = std::iter::Peekable<std::str::CharIndices<'a>>;

fn single(rest: &mut Characters<'_>, kind: TokenKind) -> TokenKind {
    rest.next();
    kind
}

fn operator(at: usize, rest: &mut Characters<'_>) -> Result<Operator, FilterError> {
    let first = rest.next().map(|(_, character)| character);
    let with_equals = matches!(first, Some('!' | '<' | '>')) && rest.next_if(|(_, next)| *next == '=').is_some();
    match (first, with_equals) {
        (Some('='), _) => Ok(Operator::Equal),
        (Some(':'), _) => Ok(Operator::Has),
        (Some('!'), true) => Ok(Operator::NotEqual),
        (Some('<'), true) => Ok(Operator::LessOrEqual),
        (Some('<'), false) => Ok(Operator::Less),
        (Some('>'), true) => Ok(Operator::GreaterOrEqual),
        (Some('>'), false) => Ok(Operator::Greater),
        _ => Err(FilterError::new(at, "no such operator; there are = != < <= > >= :")),
    }
}

fn quoted(at: usize, rest: &mut Characters<'_>) -> Result<String, FilterError> {
    let Some((_, quote)) = rest.next() else { return Err(FilterError::new(at, "unclosed quote")) };
    let mut text = String::new();
    while let Some((_, character)) = rest.next() {
        match character {
            '\\' => match rest.next() {
                Some((_, escaped @ ('\\' | '"' | '\'' | '*'))) => text.push(escaped),
                Some((at, other)) => return Err(FilterError::new(at, format!("no such escape: \\{other}"))),
                None => break,
            },
            _ if character == quote => return Ok(text),
            _ => text.push(character),
        }
    }
    Err(FilterError::new(at, "unclosed quote"))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '/' | '*' | '%' | '@' | '+' | '~' | '-')
}

fn word(rest: &mut Characters<'_>) -> String {
    let mut word = String::new();
    while let Some((_, character)) = rest.next_if(|(_, character)| is_word(*character)) {
        word.push(character);
    }
    word
}
