//! Months drawn as grids of days, weeks beginning on Monday.

use jiff::civil::Date;

use crate::terminal::{Style, styled};

/// How a day is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DrawnDay {
    /// The date.
    pub(crate) date: Date,
    /// What stands beside its number in a wide grid; at most 7 columns wide.
    pub(crate) note: String,
    /// What stands beside its number in a narrow one.
    pub(crate) mark: char,
    /// How it is emphasised where there are colours.
    pub(crate) style: Style,
}

/// How wide the wide form is: seven days, a column between them.
pub(crate) const WIDE_COLUMNS: usize = 7 * WIDE_DAY + 6;
/// Number, space, note.
const WIDE_DAY: usize = 10;
/// Number and mark.
const NARROW_DAY: usize = 3;
/// How wide the narrow form is.
const NARROW_COLUMNS: usize = 7 * NARROW_DAY;
/// What stands between two narrow months.
const GUTTER: usize = 3;
/// Narrow months beside each other in a pipe, and at most.
const BESIDE_MAX: usize = 3;

/// A month with a note on each day.
pub(crate) fn wide(days: &[DrawnDay], has_colour: bool) -> String {
    let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map(str::to_owned);
    let names = names.map(|name| format!("{name:<WIDE_DAY$}"));
    let mut lines = vec![names.join(" ")];
    lines.extend(weeks(days, has_colour, " ", WIDE_DAY, |day| {
        format!("{:>2} {}", day.date.day(), day.note)
    }));
    joined(&lines)
}

/// Months beside each other, as many as fit; each with its title.
pub(crate) fn narrow(
    months: &[(String, Vec<DrawnDay>)],
    width: Option<usize>,
    has_colour: bool,
) -> String {
    let beside = width.map_or(BESIDE_MAX, |width| {
        ((width + GUTTER) / (NARROW_COLUMNS + GUTTER)).clamp(1, BESIDE_MAX)
    });
    let drawn: Vec<Vec<String>> = months
        .iter()
        .map(|(title, days)| {
            let mut lines = vec![
                format!("{title:<NARROW_COLUMNS$}"),
                "Mo Tu We Th Fr Sa Su ".to_owned(),
            ];
            lines.extend(weeks(days, has_colour, "", NARROW_DAY, |day| {
                format!("{:>2}{}", day.date.day(), day.mark)
            }));
            lines
        })
        .collect();
    let mut out = Vec::new();
    for row in drawn.chunks(beside) {
        if !out.is_empty() {
            out.push(String::new());
        }
        let height = row.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let parts = row.iter().map(|month| {
                let blank = || " ".repeat(NARROW_COLUMNS);
                month.get(line).cloned().unwrap_or_else(blank)
            });
            out.push(parts.collect::<Vec<_>>().join(&" ".repeat(GUTTER)));
        }
    }
    joined(&out)
}

/// The weeks of a month, a line each, all of one width.
fn weeks(
    days: &[DrawnDay],
    has_colour: bool,
    between: &str,
    width: usize,
    text: impl Fn(&DrawnDay) -> String,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut cells: Vec<String> = Vec::new();
    let skipped = days.first().map_or(0, |day| {
        usize::from(day.date.weekday().to_monday_zero_offset().unsigned_abs())
    });
    cells.resize(skipped, " ".repeat(width));
    for day in days {
        cells.push(styled(
            &format!("{:<width$}", text(day)),
            day.style,
            has_colour,
        ));
        if cells.len() == 7 {
            lines.push(std::mem::take(&mut cells).join(between));
        }
    }
    if !cells.is_empty() {
        cells.resize(7, " ".repeat(width));
        lines.push(cells.join(between));
    }
    lines
}

fn joined(lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}
