//! `odin stats --follow`: values as they come.

use jiff::tz::TimeZone;
use odin_client::Client;
use odin_wire::{EventKind, EventsQuery, Job, NewValues, Value};

use super::{latest, latest_table, shown};
use crate::context::{Context, write_stdout};
use crate::error::CliError;
use crate::patience::{PAUSE, next_or_broken, patiently};
use crate::report;
use crate::terminal;
use crate::times;

/// Shows the latest values, then what the job's runs report, until it is interrupted.
pub(super) async fn follow(
    client: &Client,
    job: &Job,
    name: Option<&str>,
    context: &Context,
) -> Result<(), CliError> {
    let zone = times::zone(&job.timezone);
    let query = EventsQuery {
        job: Some(job.id),
        ..EventsQuery::default()
    };
    let mut last_event = None;
    let mut has_latest = false;
    loop {
        // Listening comes before looking, so that nothing falls between the two.
        let mut events = patiently(|| client.events(&query, last_event.clone())).await?;
        if !has_latest {
            let mut values = latest(client, job).await?;
            values.retain(|value| name.is_none_or(|name| name == value.name));
            match context.json() {
                true => values.iter().try_for_each(print_json_line)?,
                false => context.print(&latest_table(job, &values, terminal::stdout_width()))?,
            }
            has_latest = true;
        }
        while let Some(event) = next_or_broken(&mut events).await? {
            match EventKind::from_word(&event.name) {
                Some(EventKind::Value) => {
                    if let Ok(new) = serde_json::from_str(&event.data) {
                        tell(&new, name, &zone, context)?;
                    }
                }
                Some(EventKind::Lagged) => {
                    report::note("values may be missing here; `odin stats --all` has them");
                }
                Some(EventKind::Run | EventKind::Chunk | EventKind::End) | None => {}
            }
            last_event = event.id.or(last_event);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn tell(
    new: &NewValues,
    name: Option<&str>,
    zone: &TimeZone,
    context: &Context,
) -> Result<(), CliError> {
    if let Some(left_out) = left_out(new) {
        report::note(&left_out);
    }
    let is_asked = |value: &&Value| name.is_none_or(|name| name == value.name);
    for value in new.values.iter().filter(is_asked) {
        match context.json() {
            true => print_json_line(value)?,
            false => context.print_line(&line(value, zone))?,
        }
    }
    Ok(())
}

fn print_json_line(value: &Value) -> Result<(), CliError> {
    let json = serde_json::to_string(value).expect("what is printed is plain data");
    write_stdout(format!("{json}\n").as_bytes())
}

/// An event has the last of the values that came together.
fn left_out(new: &NewValues) -> Option<String> {
    let count = new.to.saturating_sub(new.from);
    match count.saturating_sub(new.values.len() as u64) {
        0 => None,
        left_out => Some(format!(
            "{}: {left_out} values came faster than they are shown; `odin stats --all` has them",
            new.run
        )),
    }
}

fn line(value: &Value, zone: &TimeZone) -> String {
    format!(
        "{}  {}  {} {} = {}",
        times::in_zone(value.at, zone),
        value.run,
        value.kind.word(),
        value.name,
        shown(value)
    )
}

#[cfg(test)]
mod tests {
    use odin_model::{AttemptNumber, RunId, ValueData, ValueKind};

    use super::*;

    fn value(name: &str) -> Value {
        let value = odin_model::Value {
            at: "2026-11-21T15:00:00.002Z".parse().unwrap(),
            kind: ValueKind::Metric,
            name: name.to_owned(),
            data: ValueData::Number("101.50".to_owned()),
            status: None,
            unit: Some("EUR".to_owned()),
            flaw: None,
        };
        Value::new(RunId::new(1, 3, 0), AttemptNumber::FIRST, 0, &value)
    }

    #[test]
    fn a_value_is_a_line_with_its_time_run_and_unit() {
        let run = RunId::new(1, 3, 0);
        assert_eq!(
            line(&value("price"), &times::zone("Europe/Dublin")),
            format!("2026-11-21 15:00:00.002 GMT  {run}  metric price = 101.50 EUR")
        );
    }

    #[test]
    fn values_that_an_event_has_no_room_for_are_counted() {
        for (to, expected) in [
            (4, None),
            (
                104,
                Some("values came faster than they are shown; `odin stats --all` has them"),
            ),
        ] {
            let new = NewValues {
                job: "a37b187f5930".parse().unwrap(),
                run: RunId::new(1, 3, 0),
                attempt: 1,
                from: 3,
                to,
                values: vec![value("price")],
            };
            let told = left_out(&new);
            assert_eq!(told.is_some(), expected.is_some());
            assert!(told.is_none_or(|it| it.ends_with(expected.unwrap()) && it.contains(" 100 ")));
        }
    }
}
