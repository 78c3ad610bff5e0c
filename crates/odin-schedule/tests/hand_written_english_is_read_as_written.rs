//! Hundreds of schedules as people write them, with what each one means: the files in
//! `english/` are the specification of the language by example.
//!
//! A case begins with the text, at the start of a line. Under it, indented:
//! `=` the normal form, where it is not the text itself; `>` the first three occurrences in
//! UTC, with `end` where there are no more; `~` another text with the same meaning; `!` the
//! code, the underlined words and what the next step says, of a text that is refused.

#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_schedule::{Calendar, CalendarName, Calendars, parse_with};

const RIGHT: [(&str, &str); 5] = [
    ("days.txt", include_str!("english/days.txt")),
    ("intervals.txt", include_str!("english/intervals.txt")),
    ("limits.txt", include_str!("english/limits.txt")),
    ("calendars.txt", include_str!("english/calendars.txt")),
    ("cron.txt", include_str!("english/cron.txt")),
];
const WRONG: (&str, &str) = ("refused.txt", include_str!("english/refused.txt"));

/// The calendars that the cases refer to.
fn calendars() -> &'static Calendars {
    static CALENDARS: OnceLock<Calendars> = OnceLock::new();
    CALENDARS.get_or_init(|| {
        let mut calendars = Calendars::default();
        for (name, days) in [
            (
                "holidays",
                "2026-01-01\n2026-01-06\n2026-02-16\n2026-04-06\n",
            ),
            ("trading-days", "2026-01-05..2026-01-07\n2026-02-10\n"),
        ] {
            let name = CalendarName::new(name).unwrap();
            calendars.insert(name, Calendar::parse(days).unwrap());
        }
        calendars
    })
}

/// A text and the lines under it, each with its mark.
struct Case<'t> {
    /// File and line.
    place: String,
    text: &'t str,
    lines: Vec<(char, &'t str)>,
}

fn cases<'t>((file, content): (&str, &'t str)) -> Vec<Case<'t>> {
    let mut cases: Vec<Case<'t>> = Vec::new();
    for (index, line) in content.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.strip_prefix("  ") {
            None => cases.push(Case {
                place: format!("{file}:{}", index + 1),
                text: line,
                lines: Vec::new(),
            }),
            Some(line) => {
                let mark = line.chars().next().unwrap();
                let case = cases.last_mut().expect("a file begins with a text");
                assert!("=>~!".contains(mark), "{file}:{}: no such mark", index + 1);
                let rest = &line[1..];
                case.lines
                    .push((mark, rest.strip_prefix(' ').unwrap_or(rest)));
            }
        }
    }
    cases
}

impl Case<'_> {
    fn of(&self, mark: char) -> impl Iterator<Item = &str> {
        let lines = self.lines.iter().filter(move |line| line.0 == mark);
        lines.map(|line| line.1)
    }
}

/// `Thu 01-01 09:00`, the year where it is not 2026, seconds where they matter.
fn shown(due: Option<Timestamp>, as_written: &str) -> String {
    let Some(due) = due else {
        return "end".to_owned();
    };
    let due = due.to_zoned(TimeZone::UTC);
    let date = if due.year() == 2026 {
        "%m-%d"
    } else {
        "%Y-%m-%d"
    };
    let with_seconds = due.second() != 0 || as_written.matches(':').count() == 2;
    let time = if with_seconds { "%H:%M:%S" } else { "%H:%M" };
    due.strftime(&format!("%a {date} {time}")).to_string()
}

/// What is not as written; nothing where all is.
fn differences(text: &str, canonical: &str, written: &[&str]) -> Vec<String> {
    let schedule = match parse_with(text, calendars()) {
        Ok(schedule) => schedule,
        Err(error) => {
            return vec![format!(
                "{text:?}: {error}, at {:?}",
                &text[error.span.clone()]
            )];
        }
    };
    let mut differences = Vec::new();
    if schedule.canonical() != canonical {
        differences.push(format!("{text:?}: normal form {:?}", schedule.canonical()));
    }
    if parse_with(canonical, calendars()).as_ref() != Ok(&schedule) {
        differences.push(format!("{canonical:?} does not mean {text:?}"));
    }
    let zoned = schedule.in_zone(&TimeZone::UTC);
    let mut at: Timestamp = "2025-12-31T23:59:59Z".parse().unwrap();
    for expected in written {
        let due = zoned.next_after(at);
        if shown(due, expected) != *expected {
            differences.push(format!(
                "{text:?}: due {}, not {expected}",
                shown(due, expected)
            ));
        }
        at = due.unwrap_or(Timestamp::MAX);
    }
    differences
}

fn report(found: &[String]) {
    assert!(
        found.is_empty(),
        "{} differ:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn what_is_right_has_its_normal_form_and_its_first_occurrences() {
    let mut found = Vec::new();
    let mut count = 0;
    for case in RIGHT.into_iter().flat_map(cases) {
        let written: Vec<&str> = case.of('>').flat_map(|line| line.split(", ")).collect();
        let is_whole = written.len() == 3 || written.last() == Some(&"end");
        assert!(is_whole, "{}: three occurrences, or `end`", case.place);
        let canonical = case.of('=').next().unwrap_or(case.text);
        for text in std::iter::once(case.text).chain(case.of('~')) {
            count += 1;
            let differences = differences(text, canonical, &written);
            found.extend(
                differences
                    .into_iter()
                    .map(|it| format!("{}: {it}", case.place)),
            );
        }
    }
    report(&found);
    assert!(count >= 330, "{count} cases: the files were read in part");
}

#[test]
fn what_is_wrong_is_refused_with_its_code_its_place_and_a_next_step() {
    let mut found = Vec::new();
    let cases = cases(WRONG);
    for Case { place, text, lines } in &cases {
        let [('!', line)] = lines[..] else {
            panic!("{place}: one line with `!`");
        };
        let mut parts = line.split('|').map(str::trim);
        let (code, underlined) = (parts.next().unwrap(), parts.next().unwrap());
        let help = parts.next().unwrap();
        match parse_with(text, calendars()) {
            Ok(schedule) => found.push(format!("{place}: {text:?} is read as {schedule}")),
            Err(error) => {
                let at = &text[error.span.clone()];
                if (error.code(), at) != (code, underlined) || !error.help().contains(help) {
                    found.push(format!(
                        "{place}: {text:?}: {}, {at:?}, {}",
                        error.code(),
                        error.help()
                    ));
                }
            }
        }
    }
    report(&found);
    assert!(
        cases.len() >= 190,
        "{} cases: the file was read in part",
        cases.len()
    );
}

#[test]
fn no_text_is_there_twice() {
    let mut texts: Vec<String> = Vec::new();
    for case in RIGHT.into_iter().chain([WRONG]).flat_map(cases) {
        texts.extend(
            std::iter::once(case.text)
                .chain(case.of('~'))
                .map(str::to_owned),
        );
    }
    texts.sort_unstable();
    let doubles: Vec<_> = texts.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(doubles.is_empty(), "{doubles:?}");
}
