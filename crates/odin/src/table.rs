//! Tables of text: whole where they are piped, within the terminal's width where they are not.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::terminal::visible;

/// One cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    full: String,
    /// What a narrow terminal shows instead.
    short: Option<String>,
}

impl Cell {
    /// A cell with a shorter form for narrow terminals.
    pub(crate) fn with_short(full: impl Into<String>, short: impl Into<String>) -> Self {
        Self {
            short: Some(short.into()),
            ..Self::from(full.into())
        }
    }

    fn text(&self, form: Form) -> &str {
        match (form, &self.short) {
            (Form::Short, Some(short)) => short,
            (Form::Short | Form::Full, _) => &self.full,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self {
            full: visible(text).into_owned(),
            short: None,
        }
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Full,
    Short,
}

/// A column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    heading: Cell,
    /// What it is never cut below. `None`: it is never cut.
    width_min: Option<usize>,
}

impl Column {
    /// A column that is never cut: ids, numbers.
    pub(crate) fn fixed(heading: impl Into<Cell>) -> Self {
        Self {
            heading: heading.into(),
            width_min: None,
        }
    }

    /// A column that a narrow terminal may cut down to `width_min`.
    pub(crate) fn flexible(heading: impl Into<Cell>, width_min: usize) -> Self {
        Self {
            heading: heading.into(),
            width_min: Some(width_min),
        }
    }
}

/// The table's text, its heading first; no tabs, no white space at the ends of lines.
///
/// `width`: the terminal's; `None` leaves everything whole. A terminal that is narrower than even the cut columns
/// gets longer lines.
pub(crate) fn render(columns: &[Column], rows: &[Vec<Cell>], width: Option<usize>) -> String {
    let heading: Vec<Cell> = columns
        .iter()
        .map(|column| column.heading.clone())
        .collect();
    let all: Vec<&[Cell]> = std::iter::once(&heading[..])
        .chain(rows.iter().map(Vec::as_slice))
        .collect();
    let full = widths(columns.len(), &all, Form::Full);
    let fits = |widths: &[usize], gap: usize, width: usize| total(widths, gap) <= width;
    match width {
        Some(width) if !fits(&full, 2, width) => {
            let mut short = widths(columns.len(), &all, Form::Short);
            let gap = if fits(&short, 2, width) { 2 } else { 1 };
            cut(columns, &mut short, gap, width);
            lines(&all, &short, gap, Form::Short)
        }
        _ => lines(&all, &full, 2, Form::Full),
    }
}

fn total(widths: &[usize], gap: usize) -> usize {
    widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1)
}

fn widths(columns: usize, rows: &[&[Cell]], form: Form) -> Vec<usize> {
    let width = |row: &&[Cell], at: usize| row.get(at).map_or(0, |cell| cell.text(form).width());
    (0..columns)
        .map(|at| rows.iter().map(|row| width(row, at)).max().unwrap_or(0))
        .collect()
}

/// Takes from the widest flexible column until the line fits, or none can give.
fn cut(columns: &[Column], widths: &mut [usize], gap: usize, width: usize) {
    while total(widths, gap) > width {
        let widest = columns
            .iter()
            .enumerate()
            .filter(|(at, column)| column.width_min.is_some_and(|min| widths[*at] > min))
            .max_by_key(|(at, _)| widths[*at]);
        match widest {
            Some((at, _)) => widths[at] -= 1,
            None => return,
        }
    }
}

fn lines(rows: &[&[Cell]], widths: &[usize], gap: usize, form: Form) -> String {
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, &width)) in row.iter().zip(widths).enumerate() {
            if at > 0 {
                line.extend(std::iter::repeat_n(' ', gap));
            }
            let text = fitted(cell.text(form), width);
            line.push_str(&text);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(text.width())));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The text, or as much of it as leaves room for `…`.
fn fitted(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(width: Option<usize>, expected: &Expect) {
        let columns = [
            Column::fixed("ID"),
            Column::flexible("NAME", 4),
            Column::flexible("SCHEDULE", 8),
            Column::fixed(Cell::with_short("NEXT DUE", "NEXT")),
        ];
        let next = || Cell::with_short("2026-11-21 17:00:00 GMT", "in 3 h");
        let rows = [
            vec!["1".into(), "prune".into(), "every minute".into(), next()],
            vec![
                "22".into(),
                "日本語の名前です".into(),
                "every Monday at 09:30\n".into(),
                next(),
            ],
        ];
        let text = render(&columns, &rows, width);
        for line in text.lines() {
            assert!(line.width() <= width.unwrap_or(usize::MAX), "{line}");
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn a_piped_table_is_whole() {
        check(
            None,
            &expect![[r#"
                ID  NAME              SCHEDULE                 NEXT DUE
                1   prune             every minute             2026-11-21 17:00:00 GMT
                22  日本語の名前です  every Monday at 09:30\n  2026-11-21 17:00:00 GMT
            "#]],
        );
    }

    #[test]
    fn a_narrow_terminal_gets_short_forms_first() {
        check(
            Some(60),
            &expect![[r#"
                ID  NAME              SCHEDULE                 NEXT
                1   prune             every minute             in 3 h
                22  日本語の名前です  every Monday at 09:30\n  in 3 h
            "#]],
        );
    }

    #[test]
    fn a_narrower_one_cuts_the_widest_columns() {
        check(
            Some(30),
            &expect![[r#"
                ID NAME       SCHEDULE  NEXT
                1  prune      every mi… in 3 h
                22 日本語の…  every Mo… in 3 h
            "#]],
        );
    }

    #[test]
    fn an_empty_table_is_its_heading() {
        let columns = [Column::fixed("ID"), Column::fixed("NAME")];
        assert_eq!(render(&columns, &[], Some(80)), "ID  NAME\n");
    }
}
