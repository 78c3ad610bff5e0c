//! Lists of days: weekdays, days of the month, nth weekdays, days of a named month.

use std::ops::Range;

use super::business_day;
use super::cursor::Cursor;
use super::date::{day_of_month, month_day};
use crate::business::{BusinessDays, BusinessOf, Which};
use crate::error::{ScheduleError, ScheduleErrorKind};
use crate::rule::{ALL_MONTHS, ALL_WEEKDAYS, DayPattern, WEEKEND, WORKING_DAYS};
use crate::token::{Lexeme, Token, ordinal_suffix};
use crate::words::{Key, MONTHS, Unit};

const DAYS: &str = "days, such as `Monday`, `weekday`, `1st` or `January 4th`";

/// One item of a list of days.
#[derive(Debug, Clone)]
pub(super) struct DayItem {
    /// One selector, in every month.
    pub(super) pattern: DayPattern,
    /// Business days, with a pattern that has no day.
    pub(super) business: Option<BusinessDays>,
    /// The months it was written with, bits 1 to 12; `None` where none were named.
    pub(super) months: Option<u16>,
    kind: ItemKind,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ItemKind {
    /// Weekdays of every week, or every business day.
    Weekday,
    DayOfMonth,
    NthWeekday,
    /// Counted in a month.
    BusinessDay,
}

impl DayItem {
    fn of_pattern(pattern: DayPattern, kind: ItemKind, span: Range<usize>) -> Self {
        DayItem {
            pattern,
            business: None,
            months: None,
            kind,
            span,
        }
    }

    fn of_business_days(business: BusinessDays, span: Range<usize>) -> Self {
        let kind = match business.which {
            Which::All => ItemKind::Weekday,
            Which::Counted { .. } => ItemKind::BusinessDay,
        };
        DayItem {
            business: Some(business),
            ..DayItem::of_pattern(DayPattern::NONE, kind, span)
        }
    }

    /// Whether these are days of every week.
    pub(super) fn is_weekly(&self) -> bool {
        self.kind == ItemKind::Weekday
    }

    /// Whether these are weekdays by name, and nothing else.
    pub(super) fn is_plain_weekdays(&self) -> bool {
        self.is_weekly() && self.business.is_none() && self.months.is_none()
    }
}

/// Whether `every` may be repeated before an item.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RepeatedEvery {
    Allowed,
    BeginsAClause,
}

/// Reads a list of days.
pub(super) fn day_list(
    cursor: &mut Cursor<'_>,
    repeated_every: RepeatedEvery,
) -> Result<Vec<DayItem>, ScheduleError> {
    let mut items: Vec<DayItem> = Vec::new();
    // `January 4th and 15th`: a month that leads stays in force for bare days.
    let mut leading_month = None;
    loop {
        item(cursor, &mut items, &mut leading_month)?;
        settle_month(&mut items, leading_month)?;
        let goes_on = cursor.list_goes_on(|cursor| {
            if repeated_every == RepeatedEvery::Allowed {
                cursor.eat(Key::Every);
            }
            starts_item(cursor)
        });
        if !goes_on {
            break;
        }
    }
    Ok(items)
}

/// Whether a day of some kind comes next.
pub(super) fn starts_item(cursor: &Cursor<'_>) -> bool {
    matches!(
        cursor.lexeme(),
        Some(
            Lexeme::Weekday(_)
                | Lexeme::WeekdayRange(..)
                | Lexeme::Month(_)
                | Lexeme::Ordinal { .. }
                | Lexeme::Key(
                    Key::Weekday
                        | Key::Weekend
                        | Key::Last
                        | Key::Nth(_)
                        | Key::The
                        | Key::Business
                )
        )
    )
}

/// Reads one item.
fn item(
    cursor: &mut Cursor<'_>,
    items: &mut Vec<DayItem>,
    leading_month: &mut Option<u16>,
) -> Result<(), ScheduleError> {
    let mark = cursor.mark();
    let mut item = if let Some(weekdays) = weekdays(cursor)? {
        let pattern = DayPattern {
            weekdays,
            ..DayPattern::NONE
        };
        DayItem::of_pattern(pattern, ItemKind::Weekday, cursor.span_from(mark))
    } else {
        cursor.eat(Key::The);
        match cursor.lexeme() {
            Some(Lexeme::Month(month)) => {
                cursor.take();
                let pattern = month_day_pattern(day_of_month(cursor, month)?);
                *leading_month = Some(1 << month);
                let span = cursor.span_from(mark);
                let mut item = DayItem::of_pattern(pattern, ItemKind::DayOfMonth, span);
                item.months = *leading_month;
                items.push(item);
                return Ok(());
            }
            Some(Lexeme::Ordinal { .. } | Lexeme::Key(Key::Nth(_))) => {
                let Some(token) = cursor.take() else {
                    return Err(cursor.unexpected(DAYS));
                };
                nth(cursor, &token)?
            }
            Some(Lexeme::Key(Key::Last)) => {
                cursor.take();
                last(cursor)?
            }
            _ => match business_day::every(cursor)? {
                Some(business) => DayItem::of_business_days(business, 0..0),
                None => return Err(cursor.unexpected(DAYS)),
            },
        }
    };
    item.span = cursor.span_from(mark);
    let (kind, is_numbered) = (item.kind, item.pattern.month_days != 0);
    items.push(item);
    match kind {
        ItemKind::NthWeekday => share_weekday(items)?,
        ItemKind::BusinessDay => share_business_day(items)?,
        ItemKind::Weekday | ItemKind::DayOfMonth => {}
    }
    loop {
        match cursor.lexeme() {
            Some(Lexeme::Month(month)) if is_numbered && kind == ItemKind::DayOfMonth => {
                cursor.take();
                *leading_month = None;
                return set_months(items, 1 << month, &cursor.span_from(mark));
            }
            Some(Lexeme::Key(Key::Of)) if business_day::starts_of_calendar(cursor) => {
                of_calendar(cursor, items)?;
            }
            Some(Lexeme::Key(Key::Of)) => {
                *leading_month = None;
                of_months(cursor, items)?;
            }
            _ => return Ok(()),
        }
    }
}

/// Reads `of CALENDAR`, which governs the business days before it.
fn of_calendar(cursor: &mut Cursor<'_>, items: &mut [DayItem]) -> Result<(), ScheduleError> {
    let mark = cursor.mark();
    cursor.eat(Key::Of);
    let has_business_days = |item: &&mut DayItem| {
        let of = item.business.as_ref().map(|business| &business.of);
        matches!(of, Some(BusinessOf::Holidays(_)))
    };
    if items.iter_mut().rev().take_while(has_business_days).count() == 0 {
        cursor.back_to(mark);
        return Err(cursor.unexpected("`at` and a time, or `business day` before a calendar"));
    }
    let used = cursor.calendar()?;
    let span = cursor.span_from(mark);
    for item in items.iter_mut().rev().take_while(has_business_days) {
        item.span.end = span.end;
        if let Some(business) = &mut item.business {
            business.of = BusinessOf::Named(used.clone());
        }
    }
    Ok(())
}

/// `1st and 3rd business day`: the ordinals before a business day share it.
fn share_business_day(items: &mut [DayItem]) -> Result<(), ScheduleError> {
    let Some((last, earlier)) = items.split_last_mut() else {
        return Ok(());
    };
    let Some(business) = &last.business else {
        return Ok(());
    };
    for item in earlier.iter_mut().rev().take_while(|item| item.is_bare()) {
        let number = item.pattern.month_days.trailing_zeros();
        if number > 23 {
            let instead = "`of the month` behind the days of the month";
            let kind = ScheduleErrorKind::Ambiguous { instead };
            return Err(ScheduleError::new(kind, item.span.start..last.span.end));
        }
        let which = Which::Counted {
            from_start: 1 << number,
            from_end: 0,
        };
        let of = business.of.clone();
        let span = item.span.clone();
        *item = DayItem::of_business_days(BusinessDays { of, which }, span);
    }
    Ok(())
}

impl DayItem {
    /// Whether this is a day of the month without months of its own.
    fn is_bare(&self) -> bool {
        self.kind == ItemKind::DayOfMonth && self.months.is_none() && !self.pattern.last_day
    }
}

/// `2nd and 4th Tuesday`: the ordinals before an nth weekday share its weekday.
fn share_weekday(items: &mut [DayItem]) -> Result<(), ScheduleError> {
    let Some((last, earlier)) = items.split_last_mut() else {
        return Ok(());
    };
    let weekday = last
        .pattern
        .nth_weekdays
        .iter()
        .fold(0, |all, weekday| all | weekday);
    for item in earlier.iter_mut().rev().take_while(|item| item.is_bare()) {
        let number = item.pattern.month_days.trailing_zeros() as usize;
        if number > 5 {
            let instead = "`of the month` behind the days of the month";
            let kind = ScheduleErrorKind::Ambiguous { instead };
            return Err(ScheduleError::new(kind, item.span.start..last.span.end));
        }
        item.pattern = DayPattern::NONE;
        item.pattern.nth_weekdays[number - 1] = weekday;
        item.kind = ItemKind::NthWeekday;
    }
    Ok(())
}

/// Gives a bare day the month that leads the list. A day that follows another's
/// month in any other way could be of that month or of every month.
fn settle_month(items: &mut [DayItem], leading_month: Option<u16>) -> Result<(), ScheduleError> {
    let [.., before, last] = items else {
        return Ok(());
    };
    let is_settled = last.months.is_some() || last.kind == ItemKind::Weekday;
    if is_settled || matches!(before.months, None | Some(ALL_MONTHS)) {
        return Ok(());
    }
    match leading_month {
        Some(months) if last.kind == ItemKind::DayOfMonth && !last.pattern.last_day => {
            last.months = Some(months);
            check_day_exists(last, months)
        }
        _ => {
            let instead = "the month, or `of the month`, behind each day";
            let kind = ScheduleErrorKind::Ambiguous { instead };
            Err(ScheduleError::new(kind, before.span.start..last.span.end))
        }
    }
}

/// Reads weekdays by name, range, `weekday` or `weekend`, if they come next.
pub(super) fn weekdays(cursor: &mut Cursor<'_>) -> Result<Option<u8>, ScheduleError> {
    let weekdays = match cursor.lexeme() {
        Some(Lexeme::Weekday(from)) => {
            cursor.take();
            if cursor.eat(Key::To).is_some() {
                let Some(Lexeme::Weekday(to)) = cursor.lexeme() else {
                    return Err(cursor.unexpected("a weekday, the end of the range"));
                };
                cursor.take();
                weekday_range(from, to)
            } else {
                1 << from
            }
        }
        Some(Lexeme::WeekdayRange(from, to)) => {
            cursor.take();
            weekday_range(from, to)
        }
        Some(Lexeme::Key(Key::Weekday)) => {
            cursor.take();
            WORKING_DAYS
        }
        Some(Lexeme::Key(Key::Weekend)) => {
            cursor.take();
            WEEKEND
        }
        _ => return Ok(None),
    };
    Ok(Some(weekdays))
}

/// The weekdays from one to another; `Saturday to Monday` goes round the week's end.
fn weekday_range(from: u8, to: u8) -> u8 {
    let length = (to + 7 - from) % 7;
    (0..=length).fold(0, |weekdays, step| weekdays | 1 << ((from + step) % 7)) & ALL_WEEKDAYS
}

/// What follows an ordinal: a weekday makes it an nth weekday.
fn nth(cursor: &mut Cursor<'_>, token: &Token<'_>) -> Result<DayItem, ScheduleError> {
    let number = ordinal(token)?;
    if let Some(business) = business_day::nth(cursor, number, token)? {
        return Ok(DayItem::of_business_days(business, 0..0));
    }
    let (pattern, kind) = match cursor.lexeme() {
        Some(Lexeme::Weekday(weekday)) => {
            if number > 5 {
                let range = "1st to 5th of a weekday, or last";
                let kind = ScheduleErrorKind::OrdinalOutOfRange {
                    text: token.text.into(),
                    range,
                };
                return Err(ScheduleError::new(kind, token.span.clone()));
            }
            cursor.take();
            let mut pattern = DayPattern::NONE;
            pattern.nth_weekdays[number as usize - 1] = 1 << weekday;
            (pattern, ItemKind::NthWeekday)
        }
        Some(Lexeme::Unit(Unit::Day)) if cursor.lexeme_after() == Some(Lexeme::Key(Key::Of)) => {
            cursor.take();
            (month_day_pattern(number), ItemKind::DayOfMonth)
        }
        Some(Lexeme::Unit(_) | Lexeme::Key(Key::Week | Key::Month | Key::Quarter | Key::Year)) => {
            return Err(cursor.unexpected(
                "nothing after an ordinal, or a weekday or a month; an interval is a number, as in \
             `every 3 days`",
            ));
        }
        _ => (month_day_pattern(number), ItemKind::DayOfMonth),
    };
    Ok(DayItem::of_pattern(pattern, kind, 0..0))
}

/// The number of an ordinal that is written right and is a day of some month.
pub(super) fn ordinal(token: &Token<'_>) -> Result<u32, ScheduleError> {
    let (number, suffix_is_right) = match token.lexeme {
        Lexeme::Ordinal {
            number,
            suffix_is_right,
        } => (number, suffix_is_right),
        Lexeme::Key(Key::Nth(number)) => (number.into(), true),
        _ => (0, true),
    };
    let kind = if !(1..=31).contains(&number) {
        ScheduleErrorKind::OrdinalOutOfRange {
            text: token.text.into(),
            range: "1st to 31st",
        }
    } else if !suffix_is_right {
        let right = format!("{number}{}", ordinal_suffix(number));
        ScheduleErrorKind::WrongSuffix {
            text: token.text.into(),
            right,
        }
    } else {
        return Ok(number);
    };
    Err(ScheduleError::new(kind, token.span.clone()))
}

/// What follows `last`.
fn last(cursor: &mut Cursor<'_>) -> Result<DayItem, ScheduleError> {
    if let Some(business) = business_day::last(cursor)? {
        return Ok(DayItem::of_business_days(business, 0..0));
    }
    let mut pattern = DayPattern::NONE;
    let kind = match cursor.lexeme() {
        Some(Lexeme::Unit(Unit::Day)) => {
            pattern.last_day = true;
            ItemKind::DayOfMonth
        }
        Some(Lexeme::Weekday(weekday)) => {
            pattern.nth_weekdays[5] = 1 << weekday;
            ItemKind::NthWeekday
        }
        _ => return Err(cursor.unexpected("`day`, `business day` or a weekday")),
    };
    cursor.take();
    Ok(DayItem::of_pattern(pattern, kind, 0..0))
}

/// Reads `of the month` or `of January and July`, which governs the item before it
/// and those of the same sort before that which have no month yet.
fn of_months(cursor: &mut Cursor<'_>, items: &mut [DayItem]) -> Result<(), ScheduleError> {
    let mark = cursor.mark();
    cursor.eat(Key::Of);
    if cursor.eat(Key::The).is_none() {
        cursor.eat(Key::Every);
    }
    let months = if cursor.eat(Key::Month).is_some() {
        ALL_MONTHS
    } else {
        month_list(cursor)?
    };
    set_months(items, months, &cursor.span_from(mark))
}

/// Reads `January, April and July`.
pub(super) fn month_list(cursor: &mut Cursor<'_>) -> Result<u16, ScheduleError> {
    let mut months = 0;
    loop {
        let Some(Lexeme::Month(month)) = cursor.lexeme() else {
            return Err(cursor.unexpected("a month, such as `January`, or `the month`"));
        };
        cursor.take();
        months |= 1 << month;
        if cursor.eat(Key::To).is_some() {
            let Some(Lexeme::Month(to)) = cursor.lexeme() else {
                return Err(cursor.unexpected("a month, the end of the range"));
            };
            cursor.take();
            months |= month_range(month, to);
        }
        let goes_on = cursor.list_goes_on(|cursor| {
            // `of January and July 4th`: the second month leads a day of its own.
            matches!(cursor.lexeme(), Some(Lexeme::Month(_)))
                && !matches!(
                    cursor.lexeme_after(),
                    Some(Lexeme::Ordinal { .. } | Lexeme::Number(_))
                )
        });
        if !goes_on {
            return Ok(months);
        }
    }
}

/// The months from one to another; `November to February` goes round the year's end.
fn month_range(from: u8, to: u8) -> u16 {
    let length = (to + 12 - from) % 12;
    (0..=length).fold(0, |months, step| months | 1 << ((from - 1 + step) % 12 + 1))
}

fn set_months(
    items: &mut [DayItem],
    months: u16,
    span: &Range<usize>,
) -> Result<(), ScheduleError> {
    let is_weekday = items
        .last()
        .is_some_and(|item| item.kind == ItemKind::Weekday);
    let governed = |item: &&mut DayItem| {
        item.months.is_none() && (item.kind == ItemKind::Weekday) == is_weekday
    };
    for item in items.iter_mut().rev().take_while(governed) {
        item.months = Some(months);
        item.span.end = span.end;
        check_day_exists(item, months)?;
    }
    Ok(())
}

/// Refuses a day that none of the months ever has.
pub(super) fn check_day_exists(item: &DayItem, months: u16) -> Result<(), ScheduleError> {
    let day = 31_u32.saturating_sub(item.pattern.month_days.leading_zeros());
    let longest = (1..=12)
        .filter(|month| months & (1 << month) != 0)
        .max_by_key(|&month| crate::calendar::longest_month(month));
    match longest {
        Some(month) if item.pattern.month_days != 0 => month_day(month, day, item.span.clone()),
        Some(_) | None => Ok(()),
    }
}

fn month_day_pattern(day: u32) -> DayPattern {
    DayPattern {
        month_days: 1 << day,
        ..DayPattern::NONE
    }
}

/// The name of a month, 1 to 12.
pub(super) fn month_name(month: u8) -> &'static str {
    MONTHS[usize::from(month) - 1]
}
