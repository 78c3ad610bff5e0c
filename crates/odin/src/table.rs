//! Tables of text: whole where they are piped, within the terminal's width where they are not.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::terminal::{is_joiner, visible};

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
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Beside,
    /// Beside the others where there is room, else below each row that has any.
    BesideOrBelow,
}

impl Column {
    /// A column that is never cut: ids, numbers.
    pub(crate) fn fixed(heading: impl Into<Cell>) -> Self {
        Self {
            heading: heading.into(),
            width_min: None,
            place: Place::Beside,
        }
    }

    /// A column that a narrow terminal may cut down to `width_min`.
    pub(crate) fn flexible(heading: impl Into<Cell>, width_min: usize) -> Self {
        Self {
            width_min: Some(width_min),
            ..Self::fixed(heading)
        }
    }

    /// A table's last column, of texts in whole sentences, which some rows have: where a terminal has no room for
    /// `width_min` of them, they stand below their rows.
    pub(crate) fn sentences(heading: impl Into<Cell>, width_min: usize) -> Self {
        Self {
            place: Place::BesideOrBelow,
            ..Self::flexible(heading, width_min)
        }
    }
}

/// The table's text, its heading first; no tabs, no white space at the ends of lines.
///
/// `width`: the terminal's; `None` leaves everything whole. A terminal that is narrower than even the cut columns
/// gets longer lines.
pub(crate) fn render(columns: &[Column], rows: &[Vec<Cell>], width: Option<usize>) -> String {
    Table::new(columns.to_vec(), width).lines(rows)
}

/// How wide a column is made for the sake of its widest cells where nothing is cut. A cell that is wider moves the rest
/// of its own line, unless half of the column is about as wide.
const PADDED_WIDTH: usize = 60;
/// How far texts below a row stand in.
const BELOW: &str = "  ";

/// A table that is printed part by part. Its first part decides its form.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<Column>,
    /// The terminal's.
    width: Option<usize>,
    layout: Option<Layout>,
}

#[derive(Debug)]
struct Layout {
    form: Form,
    gap: usize,
    /// Of each column; without the last one where that stands below.
    widths: Vec<usize>,
    /// The terminal's, to which everything is cut.
    room: Option<usize>,
}

impl Table {
    /// A table for a terminal of this width. `None`: nothing is cut.
    pub(crate) fn new(columns: Vec<Column>, width: Option<usize>) -> Self {
        Self {
            columns,
            width,
            layout: None,
        }
    }

    /// The lines of these rows; the first time below the heading.
    pub(crate) fn lines(&mut self, rows: &[Vec<Cell>]) -> String {
        let rows: Vec<&[Cell]> = rows.iter().map(Vec::as_slice).collect();
        if let Some(layout) = &mut self.layout {
            layout.widen(&self.columns, &rows);
            return layout.lines(&rows);
        }
        let heading: Vec<Cell> = self.columns.iter().map(|it| it.heading.clone()).collect();
        let all: Vec<&[Cell]> = std::iter::once(&heading[..]).chain(rows).collect();
        let layout = Layout::of(&self.columns, &all, self.width);
        let headed = all.len().min(1);
        let mut text = layout.beside(&all[..headed]);
        text += &layout.lines(&all[headed..]);
        self.layout = Some(layout);
        text
    }
}

impl Layout {
    fn of(columns: &[Column], rows: &[&[Cell]], width: Option<usize>) -> Self {
        let Some(width) = width else {
            return Self {
                form: Form::Full,
                gap: 2,
                widths: widths(columns.len(), rows, Form::Full, padded_width),
                room: None,
            };
        };
        let full = widths(columns.len(), rows, Form::Full, widest);
        if total(&full, 2) <= width {
            return Self {
                form: Form::Full,
                gap: 2,
                widths: full,
                room: Some(width),
            };
        }
        let short = widths(columns.len(), rows, Form::Short, widest);
        let beside = Self::cut(columns, short.clone(), width);
        match columns.split_last() {
            Some((last, others)) if last.place == Place::BesideOrBelow && !beside.fits(width) => {
                // Without the last column there may be room for the others in full.
                let full = &full[..others.len()];
                match total(full, 2) <= width {
                    true => Self {
                        form: Form::Full,
                        gap: 2,
                        widths: full.to_vec(),
                        room: Some(width),
                    },
                    false => Self::cut(others, short[..others.len()].to_vec(), width),
                }
            }
            _ => beside,
        }
    }

    /// Short forms, and of the widest flexible columns less and less until the line fits, or none can give.
    fn cut(columns: &[Column], mut widths: Vec<usize>, width: usize) -> Self {
        let gap = if total(&widths, 2) <= width { 2 } else { 1 };
        while total(&widths, gap) > width {
            let widest = columns
                .iter()
                .enumerate()
                .filter(|(at, column)| column.width_min.is_some_and(|min| widths[*at] > min))
                .max_by_key(|(at, _)| widths[*at]);
            match widest {
                Some((at, _)) => widths[at] -= 1,
                None => break,
            }
        }
        Self {
            form: Form::Short,
            gap,
            widths,
            room: Some(width),
        }
    }

    fn fits(&self, width: usize) -> bool {
        total(&self.widths, self.gap) <= width
    }

    /// Makes room for later rows in columns that are not cut.
    fn widen(&mut self, columns: &[Column], rows: &[&[Cell]]) {
        let of = match self.room {
            Some(_) => widest,
            None => padded_width,
        };
        let needed = widths(self.widths.len(), rows, self.form, of);
        for ((width, needed), column) in self.widths.iter_mut().zip(needed).zip(columns) {
            if self.room.is_none() || column.width_min.is_none() {
                *width = needed.max(*width);
            }
        }
    }

    /// The rows, and below each what stands there.
    fn lines(&self, rows: &[&[Cell]]) -> String {
        let mut out = String::new();
        for row in rows {
            out += &self.beside(&[*row]);
            let below = row.get(self.widths.len()).map(|cell| cell.text(self.form));
            if let Some(text) = below.filter(|text| !text.is_empty()) {
                let room = self.room.unwrap_or(usize::MAX);
                out += BELOW;
                out += &fitted(text, room.saturating_sub(BELOW.len()));
                out.push('\n');
            }
        }
        out
    }

    fn beside(&self, rows: &[&[Cell]]) -> String {
        let mut out = String::new();
        for row in rows {
            let mut line = String::new();
            for (at, (cell, &width)) in row.iter().zip(&self.widths).enumerate() {
                if at > 0 {
                    line.extend(std::iter::repeat_n(' ', self.gap));
                }
                let text = cell.text(self.form);
                let text = match self.room {
                    Some(_) => Cow::Owned(fitted(text, width)),
                    None => Cow::Borrowed(text),
                };
                line.push_str(&text);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(text.width())));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

fn total(widths: &[usize], gap: usize) -> usize {
    widths.iter().sum::<usize>() + gap * widths.len().saturating_sub(1)
}

/// The width of each column, by what `of` says of the widths of its cells.
fn widths(
    columns: usize,
    rows: &[&[Cell]],
    form: Form,
    of: impl Fn(Vec<usize>) -> usize,
) -> Vec<usize> {
    let width = |row: &&[Cell], at: usize| row.get(at).map_or(0, |cell| cell.text(form).width());
    (0..columns)
        .map(|at| of(rows.iter().map(|row| width(row, at)).collect()))
        .collect()
}

fn widest(cells: Vec<usize>) -> usize {
    cells.into_iter().max().unwrap_or(0)
}

/// The widest of the cells, but for a few that are far wider than the others.
fn padded_width(mut cells: Vec<usize>) -> usize {
    cells.sort_unstable();
    let median = cells.get(cells.len() / 2).copied().unwrap_or(0);
    let bound = PADDED_WIDTH.max(2 * median);
    let usual = cells.into_iter().filter(|width| *width <= bound);
    usual.max().unwrap_or(0)
}

/// The text, or as much of it as leaves room for `…`: never a part of what stands for one character.
pub(crate) fn fitted(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let (mut end, mut follows_joiner) = (0, false);
    for (at, c) in text.char_indices() {
        // Marks and joiners belong to what is before them, and what follows a joiner as well.
        let is_part = c.width().unwrap_or(0) == 0 || follows_joiner;
        follows_joiner = is_joiner(c);
        if is_part {
            continue;
        }
        if text[..at].width() >= width {
            break;
        }
        end = at;
    }
    format!("{}…", &text[..end])
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

    #[test]
    fn one_cell_that_is_far_wider_than_the_others_pads_no_line_but_its_own() {
        let columns = [
            Column::fixed("ID"),
            Column::flexible("NAME", 4),
            Column::fixed("TYPE"),
        ];
        let row = |name: &str| vec!["1".into(), name.into(), "watch".into()];
        let long = "x".repeat(200);
        let text = render(
            &columns,
            &[row("price"), row(&long), row("rows read")],
            None,
        );
        let expected = format!(
            "ID  NAME       TYPE\n\
             1   price      watch\n\
             1   {long}  watch\n\
             1   rows read  watch\n"
        );
        assert_eq!(text, expected);
        // Where most are as wide, the others stand below them.
        let text = render(&columns, &[row(&long), row("price"), row(&long)], None);
        assert!(
            text.contains(&format!("1   price{}  watch\n", " ".repeat(195))),
            "{text}"
        );
    }

    #[test]
    fn sentences_stand_beside_their_rows_where_there_is_room_and_else_below() {
        let columns = [
            Column::fixed("RUN"),
            Column::flexible("NODE", 4),
            Column::sentences("REASON", 10),
        ];
        let rows = [
            vec!["r1".into(), "master-node".into(), Cell::default()],
            vec![
                "r2".into(),
                "master-node".into(),
                "three rows were missing (status 404)".into(),
            ],
        ];
        expect![[r#"
            RUN  NODE         REASON
            r1   master-node
            r2   master-node  three rows were missing (status 404)
        "#]]
        .assert_eq(&render(&columns, &rows, None));
        expect![[r#"
            RUN NODE        REASON
            r1  master-node
            r2  master-node three rows wer…
        "#]]
        .assert_eq(&render(&columns, &rows, Some(31)));
        expect![[r#"
            RUN  NODE
            r1   master-node
            r2   master-node
              three rows we…
        "#]]
        .assert_eq(&render(&columns, &rows, Some(16)));
    }

    #[test]
    fn a_table_in_parts_has_one_heading_and_keeps_its_columns() {
        let columns = vec![Column::fixed("AT"), Column::flexible("VALUE", 4)];
        for (width, expected) in [
            (None, "AT  VALUE\n1   10\n2   a text that is long\n100  3\n"),
            (Some(9), "AT  VALUE\n1   10\n2   a te…\n100  3\n"),
        ] {
            let mut table = Table::new(columns.clone(), width);
            let mut text = table.lines(&[vec!["1".into(), "10".into()]]);
            text += &table.lines(&[vec!["2".into(), "a text that is long".into()]]);
            text += &table.lines(&[vec!["100".into(), "3".into()]]);
            assert_eq!(text, expected);
        }
        assert_eq!(Table::new(columns, None).lines(&[]), "AT  VALUE\n");
    }

    #[test]
    fn a_cut_text_ends_between_characters_as_people_see_them() {
        for (text, width, expected) in [
            ("👨‍👩‍👧👨‍👩‍👧", 4, "👨‍👩‍👧👨‍👩‍👧"),
            ("👨‍👩‍👧👨‍👩‍👧", 3, "👨‍👩‍👧…"),
            ("👨‍👩‍👧👨‍👩‍👧", 2, "…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
            ("abc", 2, "a…"),
            ("abc", 0, "…"),
        ] {
            assert_eq!(fitted(text, width), expected, "{text} {width}");
        }
    }
}
