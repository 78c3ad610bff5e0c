//! `odin calendar list`.

use odin_wire::Calendar;

use crate::context::Context;
use crate::error::CliError;
use crate::table::{Cell, Column, render};
use crate::terminal;

/// Lists the calendars.
pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let calendars = context.client().await?.calendars().await?;
    if context.json() {
        return context.print_json(&calendars);
    }
    context.print(&table(&calendars.calendars, terminal::stdout_width()))
}

fn table(calendars: &[Calendar], width: Option<usize>) -> String {
    let columns = [
        Column::flexible("NAME", 8),
        Column::fixed("DAYS"),
        Column::fixed("FIRST"),
        Column::fixed("LAST"),
        Column::fixed("OWNER"),
    ];
    let date = |date: Option<jiff::civil::Date>| date.map_or("-".to_owned(), |it| it.to_string());
    let rows: Vec<Vec<Cell>> = calendars
        .iter()
        .map(|calendar| {
            vec![
                (&calendar.name).into(),
                calendar.days.to_string().into(),
                date(calendar.first).into(),
                date(calendar.last).into(),
                (&calendar.owner).into(),
            ]
        })
        .collect();
    render(&columns, &rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn calendars_are_listed_with_their_range() {
        let calendar = |name: &str, days, first: Option<&str>| Calendar {
            name: name.into(),
            owner: "ann".into(),
            days,
            first: first.map(|it| it.parse().unwrap()),
            last: first.map(|it| it.parse().unwrap()),
            set_at: "2026-11-21T16:00:00Z".parse().unwrap(),
            dates: None,
            used_by: None,
        };
        let calendars = [
            calendar("holidays", 1, Some("2026-12-25")),
            calendar("trading-days", 0, None),
        ];
        expect![[r#"
            NAME          DAYS  FIRST       LAST        OWNER
            holidays      1     2026-12-25  2026-12-25  ann
            trading-days  0     -           -           ann
        "#]]
        .assert_eq(&table(&calendars, None));
    }
}
