//! Cuts schedule text into words, numbers, times, dates and separators.
//!
//! Nothing is refused here: what cannot be read becomes [`Lexeme::Strange`], so that
//! the first error in the text is the one that is reported.

use std::ops::Range;

use crate::words::{Key, Unit, lookup};

/// A piece of the text with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token<'t> {
    pub(crate) lexeme: Lexeme,
    pub(crate) text: &'t str,
    pub(crate) span: Range<usize>,
}

/// What a piece of the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lexeme {
    Key(Key),
    Unit(Unit),
    /// 0 is Monday; the second value closes a range such as `Mon-Fri`.
    Weekday(u8),
    WeekdayRange(u8, u8),
    /// 1 to 12.
    Month(u8),
    /// Saturates: a number this large is out of every range.
    Number(u32),
    /// A number with an ordinal's ending, right or wrong.
    Ordinal {
        number: u32,
        suffix_is_right: bool,
    },
    /// Digits and a colon, or digits and am or pm; not yet checked.
    Clock,
    /// `:MM`, minutes past the hour; not yet checked.
    PastTheHour,
    /// Shaped like year-month-day; not yet checked.
    Date,
    Comma,
    Semicolon,
    /// Text in double or single quotes; `text` holds the inside.
    Quoted,
    /// Not a word of the language, though it may be a zone's name.
    Strange,
}

/// Cuts the text into tokens; their number is bounded by the text's length.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(12);
    let mut rest = 0;
    while let Some(first) = text[rest..].chars().next() {
        let start = rest;
        if first.is_whitespace() {
            rest += first.len_utf8();
            continue;
        }
        let (end, lexeme, inner) = match first {
            ',' => (start + 1, Lexeme::Comma, start..start + 1),
            ';' => (start + 1, Lexeme::Semicolon, start..start + 1),
            '"' | '\'' => quoted(text, start, first),
            _ => {
                let end = text[start..]
                    .find(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"'))
                    .map_or(text.len(), |length| start + length);
                (end, classify(&text[start..end]), start..end)
            }
        };
        tokens.push(Token {
            lexeme,
            text: &text[inner],
            span: start..end,
        });
        rest = end;
    }
    tokens
}

/// A quoted text: where it ends, what it is, and where its inside lies.
fn quoted(text: &str, start: usize, quote: char) -> (usize, Lexeme, Range<usize>) {
    match text[start + 1..].find(quote) {
        Some(length) => {
            let inside = start + 1..start + 1 + length;
            (inside.end + 1, Lexeme::Quoted, inside)
        }
        // An open quote swallows the rest, so that its place is shown whole.
        None => (text.len(), Lexeme::Strange, start..text.len()),
    }
}

pub(crate) fn classify(chunk: &str) -> Lexeme {
    if !chunk.starts_with(|c: char| c.is_ascii_digit()) {
        if chunk.starts_with(':') {
            return Lexeme::PastTheHour;
        }
        return lookup(chunk)
            .or_else(|| weekday_range(chunk))
            .unwrap_or(Lexeme::Strange);
    }
    let digits = chunk
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(chunk.len());
    let number = chunk[..digits].parse().unwrap_or(u32::MAX);
    let suffix = &chunk[digits..];
    let is = |word: &str| suffix.eq_ignore_ascii_case(word);
    if suffix.is_empty() {
        Lexeme::Number(number)
    } else if ["st", "nd", "rd", "th"].into_iter().any(is) {
        Lexeme::Ordinal {
            number,
            suffix_is_right: is(ordinal_suffix(number)),
        }
    } else if chunk.contains(':') || is("am") || is("pm") {
        Lexeme::Clock
    } else if suffix.starts_with('-') && chunk.matches('-').count() == 2 {
        Lexeme::Date
    } else {
        Lexeme::Strange
    }
}

fn weekday_range(chunk: &str) -> Option<Lexeme> {
    let (from, to) = chunk.split_once('-')?;
    match (lookup(from)?, lookup(to)?) {
        (Lexeme::Weekday(from), Lexeme::Weekday(to)) => Some(Lexeme::WeekdayRange(from, to)),
        _ => None,
    }
}

/// The ending that an ordinal has in English.
pub(crate) fn ordinal_suffix(number: u32) -> &'static str {
    match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    }
}
