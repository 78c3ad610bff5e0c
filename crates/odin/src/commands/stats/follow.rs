//! `odin stats --follow`: each value as it comes, once. What events have no room for, and what came while the server was
//! gone, is looked up in its run.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use odin_client::{Client, ClientError, ServerEvent};
use odin_model::RunId;
use odin_wire::{
    EventKind, EventsQuery, Exit, Job, LIMIT_MAX, NewValues, Run, RunState, RunValuesQuery,
    RunsQuery, Value,
};

use super::{latest, latest_table, shown};
use crate::context::{Context, write_stdout};
use crate::error::CliError;
use crate::patience::{PAUSE, next_or_broken, patiently};
use crate::report;
use crate::terminal;
use crate::times;

/// How many of a job's newest runs are looked through where events are missing.
const CATCH_UP_RUNS: usize = 10_000;
/// Of how many runs is remembered what was told. Older ones are taken to be over.
const RUNS_MAX: usize = 10_000;
/// The states of runs that may report.
const ACTIVE: &str = "queued,assigned,running,unreachable,retrying";

/// Shows the latest values, then what the job's runs report, until it is interrupted.
pub(super) async fn follow(
    client: &Client,
    job: &Job,
    name: Option<&str>,
    context: &Context,
) -> Result<(), CliError> {
    let query = EventsQuery {
        job: Some(job.id),
        ..EventsQuery::default()
    };
    let mut follower = Follower::start(client, job, name, context).await?;
    let mut last_event = None;
    let mut has_latest = false;
    loop {
        // Listening comes before looking, so that nothing falls between the two.
        let mut events = patiently(|| client.events(&query, last_event.clone())).await?;
        match has_latest {
            false => follower.latest().await?,
            // Without an event before, the stream does not know what it missed.
            true => follower.catch_up().await?,
        }
        has_latest = true;
        while let Some(event) = next_or_broken(&mut events).await? {
            follower.take(&event).await?;
            last_event = event.id.or(last_event);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A place among the values of a run: the attempt and the number in it.
type Place = (u32, u64);

/// The first place of a run.
const BEGINNING: Place = (1, 0);

/// What was told of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    /// Everything before this place.
    next: Place,
    /// It will report no more.
    is_over: bool,
}

struct Follower<'a> {
    client: &'a Client,
    job: &'a Job,
    name: Option<&'a str>,
    context: &'a Context,
    zone: TimeZone,
    told: BTreeMap<RunId, Told>,
    /// Runs up to this one are told of only where they are in `told`: the others were over.
    oldest: RunId,
}

impl<'a> Follower<'a> {
    /// Takes what there is for told.
    async fn start(
        client: &'a Client,
        job: &'a Job,
        name: Option<&'a str>,
        context: &'a Context,
    ) -> Result<Self, CliError> {
        let newest = RunsQuery {
            limit: Some(1),
            ..RunsQuery::default()
        };
        let newest = client.runs(job.id, &newest).await?.runs;
        let oldest = newest.first().map_or(RunId::from_bits(0), |run| run.id);
        let active = RunsQuery {
            limit: Some(LIMIT_MAX),
            state: Some(ACTIVE.to_owned()),
            ..RunsQuery::default()
        };
        let mut told = BTreeMap::new();
        for run in client.runs(job.id, &active).await?.runs {
            let next = next_place(client, run.id).await?;
            let is_over = false;
            told.insert(run.id, Told { next, is_over });
        }
        Ok(Self {
            client,
            job,
            name,
            context,
            zone: times::zone(&job.timezone),
            told,
            oldest,
        })
    }

    /// The latest value of each name.
    async fn latest(&self) -> Result<(), CliError> {
        let mut values = latest(self.client, self.job).await?;
        values.retain(|value| self.is_asked(value));
        match self.context.json() {
            true => values.iter().try_for_each(print_json_line),
            false => {
                let width = terminal::stdout_width();
                self.context.print(&latest_table(self.job, &values, width))
            }
        }
    }

    async fn take(&mut self, event: &ServerEvent) -> Result<(), CliError> {
        match EventKind::from_word(&event.name) {
            Some(EventKind::Value) => match serde_json::from_str(&event.data) {
                Ok(new) => self.reported(&new).await,
                Err(_) => Ok(()),
            },
            Some(EventKind::Lagged) => self.catch_up().await,
            Some(EventKind::Run) => {
                if let Ok(run) = serde_json::from_str::<Run>(&event.data) {
                    self.changed(&run);
                }
                Ok(())
            }
            Some(EventKind::Chunk | EventKind::End) | None => Ok(()),
        }
    }

    /// The end of a run comes after everything that it has said.
    fn changed(&mut self, run: &Run) {
        if let Some(told) = self.told.get_mut(&run.id) {
            told.is_over |= run.state == RunState::Finished;
        }
    }

    /// Tells new values: those that the event has, and before them what it has no room for.
    async fn reported(&mut self, new: &NewValues) -> Result<(), CliError> {
        let told = self.told.get(&new.run).copied();
        let next = told.map_or((new.attempt, new.from), |told| told.next);
        let end = (new.attempt, new.to);
        if end <= next {
            return Ok(());
        }
        let first = new.values.first().map_or(new.to, |value| value.number);
        if next < (new.attempt, first) {
            self.look_up(new.run, next, Some((new.attempt, first)))
                .await?;
        }
        for value in new.values.iter().filter(|value| place_of(value) >= next) {
            self.tell(value)?;
        }
        self.remember(new.run, end, told.is_some_and(|told| told.is_over));
        Ok(())
    }

    /// Tells what a run reported from one place up to another, or to the end, and says where that is.
    async fn look_up(&self, run: RunId, from: Place, to: Option<Place>) -> Result<Place, CliError> {
        let mut next = from;
        let mut query = RunValuesQuery {
            name: self.name.map(str::to_owned),
            limit: Some(LIMIT_MAX),
            after: before(from),
            ..RunValuesQuery::default()
        };
        loop {
            let asked = || async {
                match self.client.values_of_run(run, &query).await {
                    // Its history is no longer kept.
                    Err(ClientError::Refused(problem)) if problem.exit() == Exit::NotFound => {
                        Ok(None)
                    }
                    page => page.map(Some),
                }
            };
            let Some(page) = patiently(asked).await? else {
                return Ok(next);
            };
            for value in &page.values {
                let place = place_of(value);
                if to.is_some_and(|to| place >= to) {
                    return Ok(next);
                }
                self.tell(value)?;
                next = (place.0, place.1 + 1);
            }
            // A page that ends where the one before it did would be asked for again and again.
            if page.next.is_none() || page.next == query.after {
                return Ok(next);
            }
            query.after = page.next;
        }
    }

    /// Tells what the job's runs have reported and was not told, run by run.
    async fn catch_up(&mut self) -> Result<(), CliError> {
        let mut runs = self.since_then().await?;
        runs.sort_by_key(|run| run.id);
        for run in runs {
            let told = self.told.get(&run.id).copied();
            let is_known = run.id <= self.oldest && told.is_none();
            if is_known || told.is_some_and(|told| told.is_over) {
                continue;
            }
            let from = told.map_or(BEGINNING, |told| told.next);
            let next = self.look_up(run.id, from, None).await?;
            self.remember(run.id, next, run.state == RunState::Finished);
        }
        Ok(())
    }

    /// The job's runs that may have reported something new.
    async fn since_then(&self) -> Result<Vec<Run>, CliError> {
        let goes_on = self.told.iter().find(|(_, told)| !told.is_over);
        let first = goes_on.map_or(self.oldest, |(run, _)| (*run).min(self.oldest));
        let mut found = Vec::new();
        let mut query = RunsQuery {
            limit: Some(LIMIT_MAX),
            ..RunsQuery::default()
        };
        loop {
            let page = patiently(|| self.client.runs(self.job.id, &query)).await?;
            let is_end = page.runs.iter().any(|run| run.id <= first);
            found.extend(page.runs);
            query.after = page.next.as_deref().and_then(|next| next.parse().ok());
            if is_end || query.after.is_none() {
                return Ok(found);
            }
            if found.len() >= CATCH_UP_RUNS {
                report::note("values may be missing here; `odin stats --all` has them");
                return Ok(found);
            }
        }
    }

    fn remember(&mut self, run: RunId, next: Place, is_over: bool) {
        self.told.insert(run, Told { next, is_over });
        if self.told.len() > RUNS_MAX
            && let Some((run, _)) = self.told.pop_first()
        {
            self.oldest = self.oldest.max(run);
        }
    }

    fn is_asked(&self, value: &Value) -> bool {
        self.name.is_none_or(|name| name == value.name)
    }

    fn tell(&self, value: &Value) -> Result<(), CliError> {
        match (self.is_asked(value), self.context.json()) {
            (false, _) => Ok(()),
            (true, true) => print_json_line(value),
            (true, false) => self.context.print_line(&line(value, &self.zone)),
        }
    }
}

/// Where the next value of a run will be.
async fn next_place(client: &Client, run: RunId) -> Result<Place, CliError> {
    let mut query = RunValuesQuery {
        latest: Some(true),
        limit: Some(LIMIT_MAX),
        ..RunValuesQuery::default()
    };
    let mut next = BEGINNING;
    loop {
        let page = client.values_of_run(run, &query).await?;
        let places = page.values.iter().map(place_of);
        next = places.fold(next, |next, (attempt, number)| {
            next.max((attempt, number + 1))
        });
        if page.next.is_none() || page.next == query.after {
            return Ok(next);
        }
        query.after = page.next;
    }
}

fn place_of(value: &Value) -> Place {
    (value.attempt, value.number)
}

/// The place before, as `after` says it; `None` before the first.
fn before((attempt, number): Place) -> Option<String> {
    match (attempt, number) {
        (_, 1..) => Some(format!("{attempt}.{}", number - 1)),
        (2.., 0) => Some(format!("{}.{}", attempt - 1, i64::MAX)),
        (_, 0) => None,
    }
}

fn print_json_line(value: &Value) -> Result<(), CliError> {
    let json = serde_json::to_string(value).expect("what is printed is plain data");
    write_stdout(format!("{json}\n").as_bytes())
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
    fn a_place_is_asked_for_by_the_one_before_it() {
        for (place, expected) in [
            (BEGINNING, None),
            ((1, 5), Some("1.4")),
            ((3, 0), Some("2.9223372036854775807")),
            ((3, 1), Some("3.0")),
        ] {
            assert_eq!(before(place).as_deref(), expected, "{place:?}");
        }
    }
}
