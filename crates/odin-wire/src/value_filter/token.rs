//! The words of a condition.

use std::ops::Range;

use super::{FILTER_BYTES_MAX, FilterError, FilterFault, Operator};

/// A word with its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

/// What a word is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A bare word: a name, or one of the language's own.
    Word(String),
    /// What stood in quotes.
    Text(String),
    /// A number as it was written.
    Number(String),
    Operator(Operator),
    Open,
    Close,
    End,
}

/// All words of a text; the last is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    if text.len() > FILTER_BYTES_MAX {
        let fault = FilterFault::TooLong { bytes: text.len() };
        let span = 0..text.len();
        return Err(FilterError { span, fault });
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let (kind, length) = match first {
            _ if first.is_whitespace() => {
                at += first.len_utf8();
                continue;
            }
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            '"' | '\'' => quoted(text, at, first)?,
            _ => match operator(&text[at..]) {
                Some((operator, length)) => (Kind::Operator(operator), length),
                None => word(text, at, first)?,
            },
        };
        tokens.push(Token {
            kind,
            span: at..at + length,
        });
        at += length;
    }
    tokens.push(Token {
        kind: Kind::End,
        span: at..at,
    });
    Ok(tokens)
}

fn operator(rest: &str) -> Option<(Operator, usize)> {
    // Longer ones first.
    let all = [
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<>", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let found = all.into_iter().find(|(sign, _)| rest.starts_with(sign));
    found.map(|(sign, operator)| (operator, sign.len()))
}

fn quoted(text: &str, at: usize, quote: char) -> Result<(Kind, usize), FilterError> {
    let mut inner = String::new();
    let mut chars = text[at + 1..].char_indices();
    while let Some((offset, next)) = chars.next() {
        match next {
            '\\' => match chars.next() {
                Some((_, 'n')) => inner.push('\n'),
                Some((_, 't')) => inner.push('\t'),
                Some((_, escaped @ ('"' | '\'' | '\\'))) => inner.push(escaped),
                // A backslash of the text itself, as paths of some systems have.
                Some((_, other)) => inner.extend(['\\', other]),
                None => break,
            },
            _ if next == quote => return Ok((Kind::Text(inner), offset + 2)),
            _ => inner.push(next),
        }
    }
    Err(FilterError {
        span: at..text.len(),
        fault: FilterFault::Unclosed { quote },
    })
}

fn word(text: &str, at: usize, first: char) -> Result<(Kind, usize), FilterError> {
    let is_number = first.is_ascii_digit() || matches!(first, '-' | '+' | '.');
    let is_inside = |it: char| {
        it.is_alphanumeric() || matches!(it, '_' | '.' | '-' | '/' | ':' | '@' | '%' | '#')
    };
    let mut length = 0;
    let mut before = first;
    for next in text[at..].chars() {
        let is_exponent_sign = is_number && next == '+' && matches!(before, 'e' | 'E');
        if !(is_inside(next) || is_exponent_sign || (length == 0 && is_number)) {
            break;
        }
        length += next.len_utf8();
        before = next;
    }
    let word = &text[at..at + length];
    let refuse = |length: usize, fault| {
        let span = at..at + length;
        Err(FilterError { span, fault })
    };
    if length == 0 {
        return refuse(first.len_utf8(), FilterFault::Stray(first));
    }
    if !is_number {
        return Ok((Kind::Word(word.to_owned()), length));
    }
    // What is no number of JSON, such as an infinity or `1_000`, is refused by its letters.
    let is_plain = word.bytes().all(|byte| b"0123456789.eE+-".contains(&byte));
    match word.parse::<f64>() {
        Ok(_) if is_plain => Ok((Kind::Number(word.to_owned()), length)),
        _ => refuse(length, FilterFault::NotANumber(word.to_owned())),
    }
}
