//! Values that are out of the bounds that their job's file states: an alert for each name.

use jiff::Timestamp;
use odin_model::alert::{AlertKey, AlertKind, Raised, Subject};
use odin_model::value::ValuesPart;
use odin_model::{Alerting, JobId, Value, ValueBounds, ValueData, ValueKind};
use rusqlite::params;

use super::run::RunRow;
use super::{Batch, alert, job, run, watch};
use crate::{StoreError, columns};

fn key(job: JobId, bounds: &ValueBounds) -> AlertKey {
    let kind = AlertKind::ValueOutOfBounds;
    AlertKey::detailed(kind, Subject::Job(job), &bounds.name)
}

/// A part of a run's values was kept: of each name that is bounded, its latest value that is out raises the alert.
pub(super) fn values_kept(
    batch: &mut Batch<'_>,
    job: JobId,
    part: &ValuesPart,
) -> Result<(), StoreError> {
    let is_number = |value: &Value| matches!(value.data, ValueData::Number(_));
    if !part.values.iter().any(is_number) {
        return Ok(());
    }
    let Some((alerting, _)) = watch::alerting_of(batch.conn, job)? else {
        return Ok(());
    };
    for bounds in &alerting.values {
        let mut latest = part.values.iter().rev();
        let Some((value, expected)) = latest.find_map(|value| broken(bounds, value)) else {
            continue;
        };
        let Some(run) = run::find(batch.conn, part.run)? else {
            return Ok(());
        };
        // A job's clock may be far behind, and time does not go back for alerts.
        let at = value.at.max(run.attempt_started_at.unwrap_or(run.ready_at));
        let name = job::name(batch.conn, job)?;
        let raised = Raised {
            key: key(job, bounds),
            run: Some(part.run),
            text: format!(
                "`{name}` reported {} as `{}`, which should be {expected}",
                value.data.text(),
                bounds.name
            ),
        };
        alert::raise(batch, &raised, 1, at)?;
    }
    Ok(())
}

fn broken<'v>(bounds: &ValueBounds, value: &'v Value) -> Option<(&'v Value, String)> {
    let ValueData::Number(number) = &value.data else {
        return None;
    };
    // A result's number is a status, and its name a sentence.
    let is_meant =
        value.kind.is_reported() && value.kind != ValueKind::Result && value.name == bounds.name;
    let expected = is_meant.then(|| bounds.broken_by(number)).flatten()?;
    Some((value, expected))
}

/// A run is over: alerts that earlier runs raised are over too, where this one reported the name and did not raise
/// them again.
pub(super) fn run_over(
    batch: &mut Batch<'_>,
    run: &RunRow,
    alerting: &Alerting,
    at: Timestamp,
) -> Result<(), StoreError> {
    for bounds in &alerting.values {
        let key = key(run.job, bounds);
        if !alert::is_of_another_run(batch.conn, &key, run.id)? {
            continue;
        }
        let is_reported: bool = batch
            .conn
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM value_series WHERE job = ?1 AND name = ?2 AND last_run = ?3)",
            )?
            .query_row(
                params![
                    columns::job_id(run.job),
                    bounds.name,
                    columns::run_id(run.id)
                ],
                |row| row.get(0),
            )?;
        if is_reported {
            let name = job::name(batch.conn, run.job)?;
            let text = format!("`{name}` reports `{}` within its bounds again", bounds.name);
            alert::resolve(batch, &key, None, &text, at)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use odin_model::attempt::Ending;
    use odin_model::{Alerting, JobId, Value, ValueBounds, ValueData, ValueKind};

    use crate::scenario::{Scenario, deploy, minute, number_at, watched};

    fn scenario() -> (Scenario, JobId) {
        let mut scenario = Scenario::with_node();
        let mut deploy = deploy("nightly");
        let bounds = |name: &str, min: Option<&str>, max: Option<&str>| ValueBounds {
            name: name.to_owned(),
            min: min.map(str::to_owned),
            max: max.map(str::to_owned),
        };
        deploy.spec.alerting = Alerting {
            values: vec![
                bounds("price", Some("1"), Some("1000")),
                bounds("rows", Some("1"), None),
            ],
            ..Alerting::default()
        };
        let job = scenario.deploy(deploy);
        (scenario, job)
    }

    /// A run of that minute that reports these, and is over.
    fn run(scenario: &mut Scenario, job: JobId, at: i64, parts: Vec<Vec<Value>>) {
        scenario.run_with((job, at), parts, Ending::Exited { code: 0 });
    }

    #[track_caller]
    fn check(scenario: &Scenario, expected: &Expect) {
        expected.assert_eq(&scenario.alert_lines());
    }

    #[test]
    fn a_name_out_of_its_bounds_is_one_alert_a_run_until_a_run_reports_it_within() {
        let (mut scenario, job) = scenario();
        let price = |number| number_at("price", minute(1), number);
        run(&mut scenario, job, 1, vec![vec![price(1), price(1000)]]);
        check(&scenario, &expect![[""]]);
        // It came back within the run, which is told all the same.
        run(
            &mut scenario,
            job,
            2,
            vec![vec![price(0), price(5)], vec![price(2000), price(7)]],
        );
        check(
            &scenario,
            &expect![[r"
                a1 open value_out_of_bounds[price] x1: `nightly` reported 2000 as `price`, which should be at most 1000
            "]],
        );
        let text = watched("price", minute(1), ValueData::Text("-5".to_owned()));
        run(
            &mut scenario,
            job,
            3,
            vec![vec![number_at("rows", minute(1), 0), text]],
        );
        run(&mut scenario, job, 4, vec![vec![price(-1)]]);
        // Run 3 said `price` and no number outside; without a word of it, nobody knows that it is well.
        run(&mut scenario, job, 5, vec![]);
        check(
            &scenario,
            &expect![[r#"
            a1 resolved value_out_of_bounds[price] x1: `nightly` reported 2000 as `price`, which should be at most 1000
            a2 open value_out_of_bounds[rows] x1: `nightly` reported 0 as `rows`, which should be at least 1
            a3 open value_out_of_bounds[price] x1: `nightly` reported -1 as `price`, which should be at least 1
        "#]],
        );
        run(
            &mut scenario,
            job,
            6,
            vec![vec![price(3), number_at("rows", minute(1), 1)]],
        );
        check(
            &scenario,
            &expect![[r#"
            a1 resolved value_out_of_bounds[price] x1: `nightly` reported 2000 as `price`, which should be at most 1000
            a2 resolved value_out_of_bounds[rows] x1: `nightly` reported 0 as `rows`, which should be at least 1
            a3 resolved value_out_of_bounds[price] x1: `nightly` reported -1 as `price`, which should be at least 1
        "#]],
        );
    }

    #[test]
    fn the_status_of_a_result_is_no_number_of_its_name() {
        let (mut scenario, job) = scenario();
        let mut result = number_at("price", minute(1), 2000);
        result.kind = ValueKind::Result;
        run(&mut scenario, job, 1, vec![vec![result]]);
        check(&scenario, &expect![[""]]);
    }
}
