//! `odin secret list`.

use jiff::Timestamp;
use odin_wire::{Secret, SecretList};

use crate::context::Context;
use crate::error::CliError;
use crate::table::{Cell, Column, render};
use crate::{terminal, times};

/// Lists the secrets that one's jobs may use.
pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let secrets = context.client().await?.all_secrets().await?;
    if context.json() {
        return context.print_json(&SecretList {
            secrets,
            next: None,
        });
    }
    context.print(&table(&secrets, context.now(), terminal::stdout_width()))
}

fn table(secrets: &[Secret], now: Timestamp, width: Option<usize>) -> String {
    let columns = [
        Column::flexible("NAME", 8),
        Column::flexible("OWNER", 5),
        Column::fixed("SET"),
        Column::flexible(Cell::with_short("SHARED WITH", "SHARED"), 6),
        Column::flexible(Cell::with_short("USED BY", "USED"), 8),
    ];
    let rows: Vec<Vec<Cell>> = secrets.iter().map(|secret| row(secret, now)).collect();
    render(&columns, &rows, width)
}

fn row(secret: &Secret, now: Timestamp) -> Vec<Cell> {
    let zone = times::zone("UTC");
    let named = secret.used_by.iter().map(|job| job.name.clone());
    let mut users: Vec<String> = named.collect();
    let more = secret.used_by_count.saturating_sub(users.len() as u64);
    if more > 0 {
        users.push(format!("{more} more"));
    }
    let listed = |words: &[String]| match words {
        [] => Cell::from("-"),
        words => words.join(", ").into(),
    };
    vec![
        (&secret.name).into(),
        (&secret.owner).into(),
        Cell::with_short(
            times::in_zone(secret.set_at, &zone),
            times::relative(secret.set_at, now),
        ),
        listed(&secret.shared_with),
        listed(&users),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use expect_test::{Expect, expect};
    use odin_wire::SecretUser;

    #[track_caller]
    fn check(width: Option<usize>, expected: &Expect) {
        let used = Secret {
            name: "API_KEY".to_owned(),
            owner: "ann".to_owned(),
            set_at: "2026-11-21T15:00:00Z".parse().unwrap(),
            shared_with: vec!["bob".to_owned(), "eve".to_owned()],
            used_by: vec![SecretUser {
                id: "a37b187f5930".parse().unwrap(),
                name: "check_stocks".to_owned(),
            }],
            used_by_count: 3,
            warnings: Vec::new(),
        };
        let unused = Secret {
            name: "TLS_KEY".to_owned(),
            shared_with: Vec::new(),
            used_by: Vec::new(),
            used_by_count: 0,
            ..used.clone()
        };
        expected.assert_eq(&table(
            &[used, unused],
            samples::NOW.parse().unwrap(),
            width,
        ));
    }

    #[test]
    fn a_list_says_who_may_use_a_secret_and_who_does() {
        check(
            None,
            &expect![[r#"
                NAME     OWNER  SET                      SHARED WITH  USED BY
                API_KEY  ann    2026-11-21 15:00:00 UTC  bob, eve     check_stocks, 2 more
                TLS_KEY  ann    2026-11-21 15:00:00 UTC  -            -
            "#]],
        );
    }
}
