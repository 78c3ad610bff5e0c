//! `explain` never lies: a small reader of its sentences makes a schedule of them, and a walk
//! over every minute of that schedule finds what the calculator says of the explained one.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the comparison of seeds is another test's")]
mod brute_force;

use brute_force::clock::Clock;
use brute_force::compare::{Effort, same};
use brute_force::draw::Draw;
use brute_force::generate;
use brute_force::model::{Clause, DayItem, Days, Interval, Model, Tail, What};
use brute_force::text::{self, MONTHS, WEEKDAYS};
use brute_force::walk::walk;
use odin_schedule::{DstPolicy, find_zone, parse};

/// What the sentences say, as one schedule for each that begins with `Runs`.
struct Read {
    models: Vec<Model>,
    notes: Vec<String>,
}

fn read(explanation: &str) -> Read {
    let mut read = Read {
        models: Vec::new(),
        notes: Vec::new(),
    };
    for sentence in explanation.trim_end_matches('.').split(". ") {
        match sentence.strip_prefix("Runs ") {
            Some(clause) => read.models.push(Model {
                clauses: vec![clause_of(clause)],
            }),
            None => read.notes.push(sentence.to_owned()),
        }
    }
    read
}

fn clause_of(sentence: &str) -> Clause {
    let limits = [", except ", ", starting ", ", until "];
    let end = limits.iter().filter_map(|limit| sentence.find(limit)).min();
    let (words, limits) = sentence.split_at(end.unwrap_or(sentence.len()));
    Clause {
        what: what(words),
        tail: tail(limits.trim_start_matches(", ")),
    }
}

fn what(words: &str) -> What {
    if let Some(rest) = words.strip_prefix("once on ") {
        let (dates, times) = rest.split_once(" at ").unwrap();
        return What::Once {
            dates: list(dates).map(date).collect(),
            times: times_of(times),
        };
    }
    // Cron text: `at 18:30, every Friday` or `in minutes 0 and 30 of hour 9, every day`.
    if let Some(rest) = words.strip_prefix("at ") {
        let (times, days) = rest.rsplit_once(", every ").unwrap();
        return What::Fixed {
            days: days_of(days),
            times: times_of(times),
        };
    }
    if let Some(rest) = words.strip_prefix("in ") {
        let (fields, days) = rest.rsplit_once(", every ").unwrap();
        return What::Fixed {
            days: days_of(days),
            times: field_times(fields),
        };
    }
    let rest = words
        .strip_prefix("every ")
        .unwrap_or_else(|| panic!("{words}"));
    if let Some(interval) = interval(rest) {
        return What::Interval(interval);
    }
    let (days, times) = rest.rsplit_once(" at ").unwrap();
    let times = times_of(times);
    match days.strip_suffix(" days") {
        Some(step) => What::EachNthDay {
            step: step.parse().unwrap(),
            times,
        },
        None => What::Fixed {
            days: days_of(days),
            times,
        },
    }
}

/// `30 minutes from 09:00 to 17:00 on weekdays in May`; `None` where no unit comes first.
fn interval(words: &str) -> Option<Interval> {
    let mut words: Vec<&str> = words.split(' ').collect();
    let number = match words[0].parse() {
        Ok(number) => {
            words.remove(0);
            number
        }
        Err(_) => 1,
    };
    let unit = match words.remove(0).trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        _ => return None,
    };
    let rest = words.join(" ");
    let rest = format!(" {rest}");
    let (rest, months) = match rest.split_once(" in ") {
        Some((rest, months)) => (rest.to_owned(), months_of(months)),
        None => (rest, Vec::new()),
    };
    let (rest, days) = match rest.split_once(" on ") {
        Some((rest, days)) => (rest.to_owned(), Some(days_of(days))),
        None => (rest, None),
    };
    let (rest, window) = match rest.split_once(" from ") {
        Some((rest, window)) => {
            let (from, to) = window.split_once(" to ").unwrap();
            (rest.to_owned(), Some((time(from), time(to))))
        }
        None => (rest, None),
    };
    let past = rest.strip_prefix(" at :").map(|past| past.parse().unwrap());
    assert!(past.is_some() || rest.trim().is_empty(), "{rest}");
    Some(Interval {
        number,
        unit,
        past,
        window,
        days,
        months,
    })
}

fn days_of(words: &str) -> Days {
    // `1st that is also a Monday in June`, `1st in June on weekdays`.
    let (words, months) = match words.split_once(" in ") {
        Some((words, months)) => match months.split_once(" on ") {
            Some((months, only)) => (format!("{words} on {only}"), months_of(months)),
            None => (words.to_owned(), months_of(months)),
        },
        None => (words.to_owned(), Vec::new()),
    };
    let limited = words
        .split_once(" that is also a ")
        .or_else(|| words.split_once(" on "));
    let (words, only) = match limited {
        Some((words, only)) => (words, Some(weekdays(only))),
        None => (words.as_str(), None),
    };
    Days {
        items: list(words).map(item).collect(),
        months,
        only,
        trading: false,
        roll: None,
    }
}

fn item(words: &str) -> DayItem {
    let words = words.strip_suffix(" of the month").unwrap_or(words);
    match words {
        "day" => return DayItem::Every,
        "quarter" => return DayItem::Quarter,
        "last day" => return DayItem::LastDay,
        _ => {}
    }
    if let Some(set) = weekday(words) {
        return DayItem::Weekdays(set);
    }
    match words.split_once(' ') {
        None => DayItem::MonthDay(ordinal(words)),
        Some(("last", name)) => DayItem::Nth(6, number_of(weekday(name).unwrap())),
        Some((month, day)) if MONTHS.contains(&month) => {
            DayItem::Date(months_of(month)[0], ordinal(day))
        }
        Some((nth, name)) => DayItem::Nth(ordinal(nth), number_of(weekday(name).unwrap())),
    }
}

fn number_of(weekday: u8) -> i64 {
    weekday.trailing_zeros().into()
}

fn weekday(name: &str) -> Option<u8> {
    let name = name.trim_end_matches('s');
    match name {
        "weekday" => Some(0b001_1111),
        "weekend" => Some(0b110_0000),
        _ => WEEKDAYS
            .iter()
            .position(|known| *known == name)
            .map(|bit| 1 << bit),
    }
}

fn weekdays(words: &str) -> u8 {
    list(words).fold(0, |set, name| {
        set | weekday(name).unwrap_or_else(|| panic!("{words}"))
    })
}

fn months_of(words: &str) -> Vec<i64> {
    list(words)
        .map(|name| MONTHS.iter().position(|known| *known == name).unwrap() as i64 + 1)
        .collect()
}

fn ordinal(word: &str) -> i64 {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number = digits.parse().unwrap_or_else(|_| panic!("{word}"));
    assert_eq!(text::ordinal(number), word);
    number
}

fn list(words: &str) -> impl Iterator<Item = &str> {
    words.split(", ").flat_map(|part| part.split(" and "))
}

fn times_of(words: &str) -> Vec<i64> {
    list(words).map(time).collect()
}

fn time(word: &str) -> i64 {
    let parts: Vec<i64> = word.split(':').map(|part| part.parse().unwrap()).collect();
    parts[0] * 3600 + parts[1] * 60 + parts.get(2).unwrap_or(&0)
}

fn date(word: &str) -> i64 {
    let date: jiff::civil::Date = word.parse().unwrap();
    date.duration_since(jiff::civil::date(1970, 1, 1))
        .as_hours()
        / 24
}

/// `minutes 0, 15 and 30 of hour 9`, `every minute of hours 1 and 2`.
fn field_times(words: &str) -> Vec<i64> {
    let mut times = vec![0];
    for field in words.split(" of ") {
        let (name, values) = field.split_once(' ').unwrap();
        let unit = if name == "every" { values } else { name }.trim_end_matches('s');
        let (size, seconds) = match unit {
            "second" => (60, 1),
            "minute" => (60, 60),
            "hour" => (24, 3600),
            unit => panic!("{unit}"),
        };
        let values: Vec<i64> = match name {
            "every" => (0..size).collect(),
            _ => list(values).map(|value| value.parse().unwrap()).collect(),
        };
        times = times
            .iter()
            .flat_map(|time| values.iter().map(move |value| time + value * seconds))
            .collect();
    }
    times
}

fn tail(words: &str) -> Tail {
    let mut tail = Tail::default();
    let (words, until) = match words.split_once("until ") {
        Some((words, until)) => (words, Some(until)),
        None => (words, None),
    };
    let (except, starting) = match words.split_once("starting ") {
        Some((words, starting)) => (words, Some(starting)),
        None => (words, None),
    };
    let moment = |words: &str| match words.trim().split_once(" at ") {
        Some((day, at)) => (date(day), Some(time(at))),
        None => (date(words.trim()), None),
    };
    tail.until = until.map(moment);
    tail.starting = starting.map(|words| {
        let (day, at) = moment(words);
        (day, at.unwrap_or(0))
    });
    if let Some(items) = except.trim().strip_prefix("except ") {
        for item in list(items) {
            match (weekday(item), item.split_once(' ')) {
                (Some(set), _) => tail.weekdays |= set,
                (None, Some((month, day))) => tail.yearly.push((months_of(month)[0], ordinal(day))),
                (None, None) if MONTHS.contains(&item) => tail.months.extend(months_of(item)),
                (None, None) => tail.dates.push(date(item)),
            }
        }
    }
    tail
}

/// What is said of jumping clocks is said of the kinds of clause that are there.
fn kinds_are_told(model: &Model, read: &Read) -> Result<(), String> {
    let elapsed = |clause: &Clause| match &clause.what {
        What::Interval(interval) => !interval.divides_the_day(),
        _ => false,
    };
    let any = |holds: &dyn Fn(&Clause) -> bool| model.clauses.iter().any(holds);
    for (words, holds) in [
        (
            "a fixed time that the clock skips runs once",
            any(&Clause::is_fixed),
        ),
        (
            "the interval follows real time",
            any(&|clause| !clause.is_fixed() && !elapsed(clause)),
        ),
        ("does not move the interval", any(&elapsed)),
        ("does not divide the day", any(&elapsed)),
        (
            "Where several of these fall together it runs once",
            read.models.len() > 1,
        ),
        ("Times are those of the job's time zone", true),
    ] {
        let told = read.notes.iter().any(|note| note.contains(words));
        if told != holds {
            return Err(format!("`{words}` is told: {told}, and holds: {holds}"));
        }
    }
    Ok(())
}

fn check(seed: u64, clock: &Clock) -> Result<(), String> {
    let mut draw = Draw::new(seed);
    // Calendars and what counts from an origin are explained by notes that this reader
    // does not read; `calendars_and_business_days` has them by hand.
    let model = std::iter::repeat_with(|| generate::model(&mut draw, clock, false))
        .find(|model| !model.has_rare_days())
        .unwrap();
    let text = text::text(&model, &mut draw);
    let schedule = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let explanation = schedule.explain();
    let context = |what: String| format!("seed {seed}: {what}\n  {text}\n  {explanation}");
    let read = read(&explanation);
    kinds_are_told(&model, &read).map_err(context)?;
    let dst = DstPolicy::default();
    let mut expected: Vec<i64> = read
        .models
        .iter()
        .flat_map(|model| walk(model, dst, clock))
        .collect();
    expected.sort_unstable();
    expected.dedup();
    let ends = (
        clock.minutes[0].0 * 60,
        clock.minutes[clock.minutes.len() - 1].0 * 60,
    );
    let zoned = schedule.in_zone(&find_zone(clock.zone).unwrap());
    let effort = Effort {
        listed_max: 600,
        seconds_percent: 0,
    };
    same(&zoned, &expected, ends, clock, effort, &mut draw).map_err(context)
}

#[test]
fn what_the_sentences_name_is_what_occurs() {
    let clocks =
        [("2027-02-20", 130), ("2027-11-01", 100)].map(|(from, days)| Clock::of("UTC", from, days));
    let failures: Vec<String> = (0..80)
        .filter_map(|seed| check(seed, &clocks[seed as usize % 2]).err())
        .collect();
    let first: Vec<String> = failures.iter().take(4).cloned().collect();
    assert!(
        failures.is_empty(),
        "{} failures, such as\n{}",
        failures.len(),
        first.join("\n")
    );
}

#[test]
fn the_reader_reads_what_people_read() {
    let holds = |explanation: &str, minutes: &[i64]| {
        let clock = Clock::of("UTC", "2026-06-01", 3);
        let walked = walk(&read(explanation).models[0], DstPolicy::default(), &clock);
        let first = clock.minutes[0].0;
        let found: Vec<i64> = walked.iter().map(|due| due / 60 - first).collect();
        assert_eq!(found, minutes, "{explanation}");
    };
    // 1 June 2026 is a Monday.
    holds("Runs every Tuesday at 00:05.", &[1445]);
    holds(
        "Runs at 00:05 and 00:10, every 1st that is also a Monday in June.",
        &[5, 10],
    );
    holds(
        "Runs in minutes 1 and 2 of hour 1, every day, except Mondays until 2026-06-02.",
        &[1501, 1502],
    );
    holds(
        "Runs every 12 hours at :30 on weekdays, starting 2026-06-03.",
        &[2910, 3630],
    );
}
