//! The vocabulary: every word that schedules have, in one table.

use crate::token::Lexeme;

/// The words that give a schedule its structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Every,
    Everyday,
    /// `daily` and its kin.
    Adverb(Adverb),
    Never,
    Once,
    Cron,
    And,
    At,
    On,
    In,
    Of,
    The,
    From,
    Between,
    To,
    Starting,
    Until,
    Except,
    For,
    Around,
    Within,
    /// `(spread)`.
    Spread,
    Last,
    /// Ordinals in words, `first` to `fifth` without `second`, which is a unit.
    Nth(u8),
    Weekday,
    Weekend,
    Week,
    Month,
    Quarter,
    Year,
    Noon,
    Midnight,
    Am,
    Pm,
    Other,
    Business,
    Holiday,
    Calendar,
    Fortnight,
    Or,
    Next,
    Previous,
    Nearest,
    Rolled,
    Forward,
    Back,
}

/// Words that say how often by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adverb {
    Hourly,
    Daily,
    Weekly,
    Fortnightly,
    Monthly,
    Quarterly,
    Yearly,
}

/// The units of intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
}

impl Unit {
    pub(crate) fn seconds(self) -> u32 {
        match self {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3600,
            Unit::Day => 86_400,
        }
    }
}

/// Names of weekdays, Monday first.
pub(crate) const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Names of months; index 0 is January.
pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The words that a misspelt one is held against.
const SUGGESTED: [&str; 71] = [
    "every",
    "everyday",
    "never",
    "once",
    "cron",
    "and",
    "at",
    "on",
    "in",
    "of",
    "from",
    "between",
    "to",
    "starting",
    "until",
    "except",
    "last",
    "first",
    "weekday",
    "weekdays",
    "weekend",
    "weekends",
    "second",
    "seconds",
    "minute",
    "minutes",
    "hour",
    "hours",
    "day",
    "days",
    "month",
    "quarter",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "January",
    "February",
    "March",
    "April",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
    "midnight",
    "business",
    "holidays",
    "calendar",
    "following",
    "previous",
    "preceding",
    "nearest",
    "rolled",
    "forward",
    "other",
    "hourly",
    "daily",
    "weekly",
    "monthly",
    "quarterly",
    "yearly",
    "around",
    "within",
    "weeks",
    "years",
];

/// The meaning of a word in any case; `None` if the language does not have it.
pub(crate) fn lookup(word: &str) -> Option<Lexeme> {
    // The longest word is `fortnightly`; a longer one need not be looked at.
    let mut buffer = [0_u8; 11];
    let lower = buffer.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    let key = match std::str::from_utf8(lower).ok()? {
        "every" | "each" => Key::Every,
        "everyday" => Key::Everyday,
        "never" => Key::Never,
        "once" => Key::Once,
        "cron" => Key::Cron,
        "and" => Key::And,
        "at" => Key::At,
        "on" => Key::On,
        "in" => Key::In,
        "of" => Key::Of,
        "the" => Key::The,
        "from" => Key::From,
        "between" => Key::Between,
        "to" | "through" => Key::To,
        "starting" | "beginning" => Key::Starting,
        "until" | "till" => Key::Until,
        "except" | "excluding" => Key::Except,
        "for" => Key::For,
        "hourly" => Key::Adverb(Adverb::Hourly),
        "daily" => Key::Adverb(Adverb::Daily),
        "weekly" => Key::Adverb(Adverb::Weekly),
        "fortnightly" => Key::Adverb(Adverb::Fortnightly),
        "monthly" => Key::Adverb(Adverb::Monthly),
        "quarterly" => Key::Adverb(Adverb::Quarterly),
        "yearly" | "annually" => Key::Adverb(Adverb::Yearly),
        "around" => Key::Around,
        "within" => Key::Within,
        "(spread)" => Key::Spread,
        "last" => Key::Last,
        "first" => Key::Nth(1),
        "third" => Key::Nth(3),
        "fourth" => Key::Nth(4),
        "fifth" => Key::Nth(5),
        "weekday" | "weekdays" => Key::Weekday,
        "weekend" | "weekends" => Key::Weekend,
        "week" | "weeks" => Key::Week,
        "month" | "months" => Key::Month,
        "quarter" | "quarters" => Key::Quarter,
        "year" | "years" => Key::Year,
        "noon" | "midday" => Key::Noon,
        "midnight" => Key::Midnight,
        "am" => Key::Am,
        "pm" => Key::Pm,
        "other" => Key::Other,
        "business" | "working" => Key::Business,
        "holiday" | "holidays" => Key::Holiday,
        "calendar" => Key::Calendar,
        "fortnight" | "fortnights" => Key::Fortnight,
        "or" => Key::Or,
        "next" | "following" => Key::Next,
        "previous" | "preceding" => Key::Previous,
        "nearest" | "closest" => Key::Nearest,
        "rolled" => Key::Rolled,
        "forward" | "forwards" => Key::Forward,
        "back" | "backward" | "backwards" => Key::Back,
        "second" | "seconds" => return Some(Lexeme::Unit(Unit::Second)),
        "minute" | "minutes" => return Some(Lexeme::Unit(Unit::Minute)),
        "hour" | "hours" => return Some(Lexeme::Unit(Unit::Hour)),
        "day" | "days" => return Some(Lexeme::Unit(Unit::Day)),
        lower => return weekday(lower).map(Lexeme::Weekday).or_else(|| month(lower)),
    };
    Some(Lexeme::Key(key))
}

/// The weekday of a lower-case name: whole, plural or short.
pub(crate) fn weekday(lower: &str) -> Option<u8> {
    Some(match lower {
        "monday" | "mondays" | "mon" => 0,
        "tuesday" | "tuesdays" | "tue" | "tues" => 1,
        "wednesday" | "wednesdays" | "wed" => 2,
        "thursday" | "thursdays" | "thu" | "thur" | "thurs" => 3,
        "friday" | "fridays" | "fri" => 4,
        "saturday" | "saturdays" | "sat" => 5,
        "sunday" | "sundays" | "sun" => 6,
        _ => return None,
    })
}

fn month(lower: &str) -> Option<Lexeme> {
    Some(Lexeme::Month(match lower {
        "january" | "jan" => 1,
        "february" | "feb" => 2,
        "march" | "mar" => 3,
        "april" | "apr" => 4,
        "may" => 5,
        "june" | "jun" => 6,
        "july" | "jul" => 7,
        "august" | "aug" => 8,
        "september" | "sep" | "sept" => 9,
        "october" | "oct" => 10,
        "november" | "nov" => 11,
        "december" | "dec" => 12,
        _ => return None,
    }))
}

/// What people write that no slip of the finger explains, with what a schedule says for it.
const OTHER_WORDS: [(&str, &str); 24] = [
    ("s", "seconds"),
    ("sec", "seconds"),
    ("secs", "seconds"),
    ("m", "minutes"),
    ("min", "minutes"),
    ("mins", "minutes"),
    ("h", "hours"),
    ("hr", "hours"),
    ("hrs", "hours"),
    ("half", "30 minutes"),
    ("minutely", "every minute"),
    ("nightly", "every day at 00:00"),
    ("biweekly", "every 2 weeks"),
    ("bi-weekly", "every 2 weeks"),
    ("bimonthly", "every 2 months"),
    ("bi-monthly", "every 2 months"),
    ("morning", "day at 08:00"),
    ("afternoon", "day at 14:00"),
    ("evening", "day at 18:00"),
    ("night", "day at 23:00"),
    ("during", "from"),
    ("but", "except"),
    ("ending", "until"),
    ("approximately", "around"),
];

/// The number that a word from `two` on stands for, where an interval takes one.
pub(crate) fn number_word(word: &str) -> Option<u32> {
    const WORDS: [(&str, u32); 15] = [
        ("two", 2),
        ("three", 3),
        ("four", 4),
        ("five", 5),
        ("six", 6),
        ("seven", 7),
        ("eight", 8),
        ("nine", 9),
        ("ten", 10),
        ("twelve", 12),
        ("fifteen", 15),
        ("twenty", 20),
        ("thirty", 30),
        ("forty-five", 45),
        ("ninety", 90),
    ];
    let is_word = |(known, _): &&(&str, u32)| word.eq_ignore_ascii_case(known);
    WORDS.iter().find(is_word).map(|(_, number)| *number)
}

/// The known word that a misspelt one was most likely meant to be.
pub(crate) fn suggestion(word: &str) -> Option<&'static str> {
    // A word much longer than any known one is not a slip of the finger.
    if word.len() > 20 {
        return None;
    }
    let lower = word.to_lowercase();
    if let Some((_, known)) = OTHER_WORDS.iter().find(|(other, _)| *other == lower) {
        return Some(known);
    }
    let slips_max = if lower.chars().count() <= 4 { 1 } else { 2 };
    SUGGESTED
        .into_iter()
        .map(|known| {
            (
                strsim::damerau_levenshtein(&lower, &known.to_lowercase()),
                known,
            )
        })
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}
