//! A series of numbers as a picture in dots: time to scale from left to right, and of each column of dots the smallest
//! and the largest number with all between them. Where there are no numbers there is nothing.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_wire::Bucket;
use unicode_width::UnicodeWidthStr;

use crate::times;

/// How many columns the picture takes at most.
const COLUMNS_MAX: usize = 120;
/// How many lines it takes. A line is four dots high.
const LINES: usize = 4;
/// The narrowest picture that is drawn beside labels.
const COLUMNS_MIN: usize = 16;
/// How far everything stands in.
const MARGIN: &str = "  ";
/// Each of Braille's dots, from the top: the left ones and the right ones.
const DOTS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];

/// How many stretches of time to ask for, for a terminal of this width: several for each column of dots, so that a
/// number is drawn where it belongs.
pub(super) fn points(width: usize) -> u32 {
    u32::try_from(8 * width.clamp(1, COLUMNS_MAX)).unwrap_or(1)
}

/// The picture, with what it shows below it; no line is wider than the terminal. Empty without numbers.
pub(super) fn chart(buckets: &[Bucket], zone: &TimeZone, width: usize) -> String {
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else {
        return String::new();
    };
    let least = buckets
        .iter()
        .map(|it| it.min)
        .fold(f64::INFINITY, f64::min);
    let most = buckets
        .iter()
        .map(|it| it.max)
        .fold(f64::NEG_INFINITY, f64::max);
    let room = width.saturating_sub(MARGIN.len()).max(1);
    let labels = Labels::of(least, most, room);
    let columns = (room - labels.width).clamp(1, COLUMNS_MAX);
    let mut picture = Picture::new(columns, (least, most), (first.first_at, last.last_at));
    for bucket in buckets {
        picture.add(bucket);
    }
    let lines = picture.lines();
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        let line = format!("{MARGIN}{}{line}", labels.of_line(at, lines.len()));
        text += line.trim_end();
        text.push('\n');
    }
    let count: u64 = buckets.iter().map(|it| it.count).sum();
    let from = times::to_the_second(first.first_at, zone);
    let to = times::to_the_second(last.last_at, zone);
    let values = match count {
        1 => format!("1 value, {}", number(least)),
        count => format!("{count} values from {} to {}", number(least), number(most)),
    };
    let caption = match from == to {
        true => format!("{from}, {values}"),
        false => format!("{from} to {to}, {values}"),
    };
    for line in wrapped(&caption, room) {
        text += &format!("{MARGIN}{line}\n");
    }
    text
}

/// What stands left of the picture.
struct Labels {
    most: String,
    least: String,
    /// With the space behind them; 0 where there is no room.
    width: usize,
}

impl Labels {
    fn of(least: f64, most: f64, room: usize) -> Self {
        let (least, most) = (number(rounded(least)), number(rounded(most)));
        let width = least.len().max(most.len()) + 1;
        let width = if width + COLUMNS_MIN <= room {
            width
        } else {
            0
        };
        Self { most, least, width }
    }

    fn of_line(&self, at: usize, lines: usize) -> String {
        let text = match at {
            _ if self.width == 0 => return String::new(),
            0 => self.most.as_str(),
            at if at + 1 == lines => self.least.as_str(),
            _ => "",
        };
        format!("{text:>width$} ", width = self.width - 1)
    }
}

struct Picture {
    /// The lowest and the highest dot of each column of dots, from below.
    bands: Vec<Option<(usize, usize)>>,
    /// How many dots are above each other.
    height: usize,
    numbers: (f64, f64),
    times: (Timestamp, Timestamp),
}

impl Picture {
    fn new(columns: usize, numbers: (f64, f64), times: (Timestamp, Timestamp)) -> Self {
        // What is always the same needs no height.
        let lines = if numbers.0 < numbers.1 { LINES } else { 1 };
        Self {
            bands: vec![None; columns * 2],
            height: lines * 4,
            numbers,
            times,
        }
    }

    fn add(&mut self, bucket: &Bucket) {
        for (number, at) in [
            (bucket.first, bucket.first_at),
            (bucket.min, bucket.min_at),
            (bucket.max, bucket.max_at),
            (bucket.last, bucket.last_at),
        ] {
            let (column, row) = (self.column(at), self.row(number));
            let band = &mut self.bands[column];
            *band = Some(band.map_or((row, row), |(low, high)| (low.min(row), high.max(row))));
        }
    }

    fn column(&self, at: Timestamp) -> usize {
        let micros = |from: Timestamp, to: Timestamp| to.duration_since(from).as_micros().max(0);
        let (begin, end) = self.times;
        let last = self.bands.len() - 1;
        let (part, whole) = (micros(begin, at), micros(begin, end).max(1));
        let column = part.saturating_mul(i128::try_from(last).unwrap_or(0)) / whole;
        usize::try_from(column).unwrap_or(0).min(last)
    }

    fn row(&self, number: f64) -> usize {
        let (least, most) = self.numbers;
        // Halved, so that no difference is too large for a number.
        let (part, whole) = (number / 2.0 - least / 2.0, most / 2.0 - least / 2.0);
        let last = self.height - 1;
        if whole <= 0.0 {
            return last / 2;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "between 0 and the height"
        )]
        let row = (part / whole * last as f64).round() as usize;
        row.min(last)
    }

    fn lines(&self) -> Vec<String> {
        (0..self.height / 4)
            .map(|line| {
                let line: String = self
                    .bands
                    .chunks(2)
                    .map(|pair| self.character(pair, line))
                    .collect();
                line.trim_end().to_owned()
            })
            .collect()
    }

    fn character(&self, pair: &[Option<(usize, usize)>], line: usize) -> char {
        let mut bits = 0;
        for (band, dots) in pair.iter().zip(DOTS) {
            let Some((low, high)) = band else { continue };
            for (at, dot) in dots.into_iter().enumerate() {
                let row = self.height - 1 - (line * 4 + at);
                if (*low..=*high).contains(&row) {
                    bits |= dot;
                }
            }
        }
        match bits {
            0 => ' ',
            bits => char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' '),
        }
    }
}

/// The shortest text that is this number.
fn number(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        1e-5..1e15 => number.to_string(),
        _ => format!("{number:e}"),
    }
}

/// To six digits.
fn rounded(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

/// The text in lines of at most `width` columns, between its words; a word that is longer is cut.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(crate::table::fitted(word, width)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use jiff::SignedDuration;

    /// What is drawn of numbers with their seconds, as the server gives them, a stretch for each; without the margin.
    fn drawn(numbers: &[(i64, f64)], width: usize) -> String {
        let begin: Timestamp = "2026-11-21T15:00:00Z".parse().unwrap();
        let bucket = |&(second, number): &(i64, f64)| {
            let at = begin + SignedDuration::from_secs(second);
            Bucket {
                count: 1,
                min: number,
                min_at: at,
                max: number,
                max_at: at,
                first: number,
                first_at: at,
                last: number,
                last_at: at,
            }
        };
        let buckets: Vec<_> = numbers.iter().map(bucket).collect();
        let text = chart(&buckets, &TimeZone::UTC, width);
        let mut inner = String::new();
        for line in text.lines() {
            assert!(line.width() <= width, "{line}");
            assert!(line.is_empty() || line.starts_with(MARGIN), "{line}");
            inner += line.strip_prefix(MARGIN).unwrap_or_default();
            inner.push('\n');
        }
        inner
    }

    fn check(numbers: &[(i64, f64)], width: usize, expected: &Expect) {
        expected.assert_eq(&drawn(numbers, width));
    }

    fn steady(seconds: std::ops::Range<i64>) -> impl Iterator<Item = (i64, f64)> {
        seconds.map(|second| (second, if second % 2 == 0 { 100.0 } else { 102.0 }))
    }

    #[test]
    fn one_small_number_among_thousands_is_seen() {
        let mut numbers: Vec<_> = steady(0..2000).collect();
        numbers[1000].1 = -1000.0;
        check(
            &numbers,
            40,
            &expect![[r#"
                    102 ⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⢹⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉
                                       ⢸
                                       ⢸
                  -1000                ⢸
                  2026-11-21 15:00:00 UTC to 2026-11-21
                  15:33:19 UTC, 2000 values from -1000
                  to 102
            "#]],
        );
    }

    #[test]
    fn time_without_numbers_is_empty() {
        let numbers: Vec<_> = steady(0..100).chain(steady(500..600)).collect();
        check(
            &numbers,
            40,
            &expect![[r#"
                  102 ⣿⣿⣿⣿⣿⡏                      ⣿⣿⣿⣿⣿⡏
                      ⣿⣿⣿⣿⣿⡇                      ⣿⣿⣿⣿⣿⡇
                      ⣿⣿⣿⣿⣿⡇                      ⣿⣿⣿⣿⣿⡇
                  100 ⣿⣿⣿⣿⣿⡇                     ⢀⣿⣿⣿⣿⣿⡇
                  2026-11-21 15:00:00 UTC to 2026-11-21
                  15:09:59 UTC, 200 values from 100 to
                  102
            "#]],
        );
    }

    #[test]
    fn numbers_rise_from_the_lowest_dot_to_the_highest() {
        let numbers: Vec<_> = (0..16).map(|n| (n, n as f64)).collect();
        check(
            &numbers,
            40,
            &expect![[r#"
                  15                            ⢀ ⠠  ⠂ ⠈
                                       ⡀ ⠠  ⠂ ⠁
                              ⡀ ⠠ ⠐  ⠁
                   0 ⡀ ⠄ ⠐ ⠈
                  2026-11-21 15:00:00 UTC to 2026-11-21
                  15:00:15 UTC, 16 values from 0 to 15
            "#]],
        );
        check(
            &[(0, f64::MIN), (1, 0.0), (2, f64::MAX)],
            60,
            &expect![[r#"
                   1.79769e308                                             ⠈
                                                     ⡀

                  -1.79769e308 ⡀
                  2026-11-21 15:00:00 UTC to 2026-11-21 15:00:02 UTC, 3
                  values from -1.7976931348623157e308 to
                  1.7976931348623157e308
            "#]],
        );
    }

    #[test]
    fn a_narrow_terminal_gets_no_labels_and_a_caption_in_lines() {
        check(
            &[(0, 0.1 + 0.2), (3600, 2e-300)],
            30,
            &expect![[r#"
                     0.3 ⠁


                  2e-300                     ⢀
                  2026-11-21 15:00:00 UTC to
                  2026-11-21 16:00:00 UTC, 2
                  values from 2e-300 to
                  0.30000000000000004
            "#]],
        );
        check(
            &[(0, 1.0), (60, 123_456_789.5)],
            12,
            &expect![[r#"
                           ⠈


                  ⡀
                  2026-11-21
                  15:00:00
                  UTC to
                  2026-11-21
                  15:01:00
                  UTC, 2
                  values
                  from 1 to
                  123456789…
            "#]],
        );
    }

    #[test]
    fn what_does_not_change_is_a_line_of_dots_and_nothing_is_nothing() {
        check(
            &[(0, 5.0)],
            60,
            &expect![[r#"
                  5 ⠄
                  2026-11-21 15:00:00 UTC, 1 value, 5
            "#]],
        );
        check(
            &[(0, 5.0), (10, 5.0), (60, 5.0)],
            60,
            &expect![[r#"
                  5 ⠄        ⠄                                             ⠠
                  2026-11-21 15:00:00 UTC to 2026-11-21 15:01:00 UTC, 3
                  values from 5 to 5
            "#]],
        );
        check(&[], 60, &expect![[""]]);
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        for (found, expected) in [
            (0.0, "0"),
            (-0.0, "0"),
            (101.5, "101.5"),
            (-1000.0, "-1000"),
            (2e-300, "2e-300"),
            (1e15, "1e15"),
            (f64::MAX, "1.7976931348623157e308"),
        ] {
            assert_eq!(number(found), expected);
        }
        assert_eq!(number(rounded(0.1 + 0.2)), "0.3");
    }
}
