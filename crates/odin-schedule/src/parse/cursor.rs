//! A place in the token list, and the errors that are told from it.

use std::ops::Range;
use std::sync::Arc;

use crate::business::BusinessOf;
use crate::calendars::{CalendarName, CalendarUse, Calendars};
use crate::error::{ScheduleError, ScheduleErrorKind, quote};
use crate::token::{Lexeme, Token, tokens};
use crate::words::{Key, suggestion};

/// A place in the token list.
pub(super) struct Cursor<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
    known: Known<'t>,
}

/// The calendars that a text may refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known<'c> {
    These(&'c Calendars),
    /// Any name will do: only the words are read, and the days stay open.
    AnyName,
}

/// A place to come back to.
#[derive(Clone, Copy)]
pub(super) struct Mark(usize);

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str, known: Known<'t>) -> Self {
        Cursor {
            tokens: tokens(text),
            at: 0,
            known,
        }
    }

    /// Whether a calendar's name comes next, behind `calendar` or alone.
    pub(super) fn starts_calendar(&self) -> bool {
        matches!(
            self.lexeme(),
            Some(Lexeme::Strange | Lexeme::Key(Key::Holiday | Key::Calendar))
        )
    }

    /// Reads a calendar's name, with or without `calendar` before it.
    pub(super) fn calendar(&mut self) -> Result<CalendarUse, ScheduleError> {
        self.eat(Key::Calendar);
        let Some(token) = self.peek().cloned() else {
            return Err(self.unexpected("the name of a calendar"));
        };
        let name = match token.lexeme {
            Lexeme::Key(Key::Holiday) => CalendarName::holidays(),
            _ => CalendarName::new(token.text)
                .map_err(|_| self.unexpected("the name of a calendar"))?,
        };
        self.take();
        let calendar = match self.known {
            Known::AnyName => Arc::default(),
            Known::These(calendars) => match calendars.get(&name) {
                Some(calendar) => Arc::clone(calendar),
                None => {
                    let suggestions = calendars.suggestions(&name);
                    let name = name.as_str().to_owned();
                    let kind = ScheduleErrorKind::UnknownCalendar { name, suggestions };
                    return Err(ScheduleError::new(kind, token.span));
                }
            },
        };
        Ok(CalendarUse { name, calendar })
    }

    /// What business days are where the text does not say.
    pub(super) fn holidays(&self) -> BusinessOf {
        BusinessOf::Holidays(match self.known {
            Known::AnyName => None,
            Known::These(calendars) => calendars.get(&CalendarName::holidays()).cloned(),
        })
    }

    pub(super) fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.at)
    }

    /// What the next token is; `None` at the end.
    pub(super) fn lexeme(&self) -> Option<Lexeme> {
        self.peek().map(|token| token.lexeme)
    }

    /// What the token after the next one is.
    pub(super) fn lexeme_after(&self) -> Option<Lexeme> {
        self.tokens.get(self.at + 1).map(|token| token.lexeme)
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> Option<Token<'t>> {
        let token = self.tokens.get(self.at).cloned();
        self.at += usize::from(token.is_some());
        token
    }

    /// Takes the next token if it is this word.
    pub(super) fn eat(&mut self, key: Key) -> Option<Token<'t>> {
        if self.lexeme() == Some(Lexeme::Key(key)) {
            self.take()
        } else {
            None
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.at)
    }

    pub(super) fn back_to(&mut self, mark: Mark) {
        self.at = mark.0;
    }

    /// The text's range from a mark to here, without the space around it.
    pub(super) fn span_from(&self, mark: Mark) -> Range<usize> {
        match (
            self.tokens.get(mark.0),
            self.at.checked_sub(1).and_then(|at| self.tokens.get(at)),
        ) {
            (Some(first), Some(last)) if last.span.end >= first.span.start => {
                first.span.start..last.span.end
            }
            _ => self.end(),
        }
    }

    /// The empty range behind the last token.
    fn end(&self) -> Range<usize> {
        let end = self.tokens.last().map_or(0, |token| token.span.end);
        end..end
    }

    /// Takes a separator between clauses; `, and` counts as one.
    pub(super) fn separator(&mut self) -> Result<(), ScheduleError> {
        let Some(first) = self.take().filter(Token::is_separator) else {
            self.at -= 1;
            return Err(self.unexpected("`and`, `,` or `;`"));
        };
        if first.lexeme != Lexeme::Key(Key::And) {
            self.eat(Key::And);
        }
        match self.peek() {
            None => {
                let kind = ScheduleErrorKind::DanglingSeparator {
                    separator: first.text.to_owned(),
                };
                Err(ScheduleError::new(kind, first.span))
            }
            Some(second) if second.is_separator() => {
                let kind = ScheduleErrorKind::DoubledSeparator {
                    separator: second.text.to_owned(),
                };
                Err(ScheduleError::new(kind, second.span.clone()))
            }
            Some(_) => Ok(()),
        }
    }

    /// Takes a separator if it is one that joins the items of a list and an item
    /// follows; else stays where it is.
    pub(super) fn list_goes_on(&mut self, starts_item: impl Fn(&mut Self) -> bool) -> bool {
        let mark = self.mark();
        match self.lexeme() {
            Some(Lexeme::Comma) => {
                self.take();
                self.eat(Key::And);
            }
            Some(Lexeme::Key(Key::And)) => {
                self.take();
            }
            _ => return false,
        }
        let goes_on = starts_item(self);
        if !goes_on {
            self.back_to(mark);
        }
        goes_on
    }

    /// The error for the next token, where something else is needed.
    pub(super) fn unexpected(&self, expected: &'static str) -> ScheduleError {
        let Some(token) = self.peek() else {
            return ScheduleError::new(ScheduleErrorKind::Incomplete { expected }, self.end());
        };
        let kind = match token.lexeme {
            Lexeme::Strange => ScheduleErrorKind::UnknownWord {
                word: quote(token.text),
                suggestion: suggestion(token.text),
            },
            _ => ScheduleErrorKind::Unexpected {
                found: quote(token.text),
                expected,
            },
        };
        ScheduleError::new(kind, token.span.clone())
    }

    /// The error for the next token, which comes after `never`.
    pub(super) fn after_never(&self) -> ScheduleError {
        let (found, span) = self.peek().map_or_else(
            || (String::new(), self.end()),
            |token| (quote(token.text), token.span.clone()),
        );
        ScheduleError::new(ScheduleErrorKind::AfterNever { found }, span)
    }
}
