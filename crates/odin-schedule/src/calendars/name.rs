//! The name by which a schedule refers to a calendar.

use super::error::{CalendarError, CalendarErrorKind};
use crate::error::quote;
use crate::token::{Lexeme, classify};
use crate::words::suggestion;

/// The name by which a schedule refers to a calendar.
///
/// 1 to 64 letters, digits, `-` and `_`, the first a letter; in lower case, since case
/// does not matter in schedules. Words of the language, and what would be taken for a
/// slip of the finger in one, are no names: `sunday`, `it` (beside `at`). `holidays` is:
/// it says what business days are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CalendarName(Box<str>);

/// The longest name, in characters.
const CHARACTERS_MAX: usize = 64;

impl CalendarName {
    /// Takes a name in any case.
    ///
    /// # Errors
    /// [`CalendarErrorKind::BadName`] for other characters or lengths,
    /// [`CalendarErrorKind::NameIsAWord`] for a word of the language.
    pub fn new(text: &str) -> Result<Self, CalendarError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if !text.starts_with(|c: char| c.is_ascii_alphabetic())
            || !text.chars().all(is_plain)
            || text.len() > CHARACTERS_MAX
        {
            let name = quote(text);
            return Err(CalendarError::whole(CalendarErrorKind::BadName { name }));
        }
        let name = text.to_ascii_lowercase();
        if name == "holidays" {
            return Ok(Self::holidays());
        }
        let word = match classify(&name) {
            Lexeme::Strange => suggestion(&name).map(str::to_owned),
            _ => Some(name.clone()),
        };
        match word {
            Some(word) => Err(CalendarError::whole(CalendarErrorKind::NameIsAWord {
                name,
                word,
            })),
            None => Ok(Self(name.into())),
        }
    }

    /// `holidays`, whose days are no business days.
    pub fn holidays() -> Self {
        Self("holidays".into())
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CalendarName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for CalendarName {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let name = CalendarName::new(text);
        let name = name.as_ref().map(CalendarName::as_str);
        assert_eq!(name.map_err(CalendarError::code), expected, "{text}");
    }

    #[test]
    fn names_are_plain_and_no_words_of_schedules() {
        for (text, expected) in [
            ("holidays", Ok("holidays")),
            ("UK-Holidays", Ok("uk-holidays")),
            ("us", Ok("us")),
            ("nyse_2026", Ok("nyse_2026")),
            ("trading-days", Ok("trading-days")),
            ("", Err("calendar/bad-name")),
            ("2026-holidays", Err("calendar/bad-name")),
            ("bank holidays", Err("calendar/bad-name")),
            ("f\u{ea}tes", Err("calendar/bad-name")),
            ("monday", Err("calendar/name-is-a-word")),
            ("mon-fri", Err("calendar/name-is-a-word")),
            ("may", Err("calendar/name-is-a-word")),
            ("sundy", Err("calendar/name-is-a-word")),
            ("it", Err("calendar/name-is-a-word")),
        ] {
            check(text, expected);
        }
        check(&"a".repeat(64), Ok(&"a".repeat(64)));
        check(&"a".repeat(65), Err("calendar/bad-name"));
    }
}
