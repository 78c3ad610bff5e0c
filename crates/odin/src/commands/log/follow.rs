//! Following: what happened, then what happens, each run once and one after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use odin_client::ServerEvent;
use odin_model::{JobId, RunId};
use odin_wire::{EventKind, EventsQuery, OutputChunk, Run, RunState, RunsQuery};

use crate::commands::log::beginning;
use crate::commands::log::printing::Log;
use crate::error::CliError;
use crate::patience::{PAUSE, next_or_broken, patiently};

/// How many shown runs are remembered. Older ones do not come back: lists of what was missed are shorter.
const SHOWN_MAX: usize = 10_000;
/// How many runs are looked through when changes were missed.
const CATCH_UP_RUNS: u32 = 100;
/// The pause before a run that prints is asked again whether it has begun.
const BEGIN_PAUSE: Duration = Duration::from_millis(20);
/// How often it is asked: two seconds in all. After that its output is shown without its line.
const BEGIN_ATTEMPTS_MAX: u32 = 100;

/// Follows a job or a run.
#[derive(Debug)]
pub(crate) struct Follower<'a> {
    log: Log<'a>,
    job: JobId,
    shown: BTreeSet<RunId>,
    /// Runs before this one are older than what was asked for.
    oldest: Option<RunId>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(log: Log<'a>, job: JobId) -> Self {
        Self {
            log,
            job,
            shown: BTreeSet::new(),
            oldest: None,
        }
    }

    /// The job's last runs, then every run that begins.
    pub(crate) async fn job(mut self, last: u32) -> Result<(), CliError> {
        let client = self.log.client;
        let mut last_event = None;
        let mut runs = last;
        let query = EventsQuery {
            job: Some(self.job),
            run: None,
            values: Some(0),
        };
        loop {
            // Listening comes before looking back, so that nothing falls between the two.
            let mut events = patiently(|| client.events(&query, last_event.clone())).await?;
            self.catch_up(runs).await?;
            runs = CATCH_UP_RUNS;
            while let Some(event) = next_or_broken(&mut events).await? {
                self.job_event(&event).await?;
                last_event = event.id.or(last_event);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn job_event(&mut self, event: &ServerEvent) -> Result<(), CliError> {
        match EventKind::from_word(&event.name) {
            Some(EventKind::Run) => {
                let Ok(run) = serde_json::from_str::<Run>(&event.data) else {
                    return Ok(());
                };
                if run.job == self.job {
                    self.show(run).await
                } else {
                    Ok(())
                }
            }
            Some(EventKind::Lagged) => self.catch_up(CATCH_UP_RUNS).await,
            Some(EventKind::Value | EventKind::Chunk | EventKind::End) | None => Ok(()),
        }
    }

    /// The newest runs that were not shown, oldest first.
    async fn catch_up(&mut self, limit: u32) -> Result<(), CliError> {
        let query = RunsQuery {
            limit: Some(limit),
            ..RunsQuery::default()
        };
        let client = self.log.client;
        let mut runs = patiently(|| client.runs(self.job, &query)).await?.runs;
        let first = runs.iter().map(|run| run.id).min();
        runs.sort_by_key(beginning);
        // A job without runs so far: whatever comes is new.
        let oldest = *self
            .oldest
            .get_or_insert(first.unwrap_or(RunId::from_bits(0)));
        for run in runs.into_iter().filter(|run| run.id >= oldest) {
            self.show(run).await?;
        }
        Ok(())
    }

    /// A run that has begun, unless it was shown: with its output to its end.
    async fn show(&mut self, run: Run) -> Result<(), CliError> {
        let has_begun = run.started_at.is_some() || run.state == RunState::Finished;
        if !has_begun || !self.shown.insert(run.id) {
            return Ok(());
        }
        if self.shown.len() > SHOWN_MAX {
            self.shown.pop_first();
        }
        if run.state == RunState::Finished {
            return self.log.whole(&run).await;
        }
        self.until_end(run).await
    }

    /// One run to its end.
    pub(crate) async fn run(mut self, run: Run) -> Result<(), CliError> {
        if run.state == RunState::Finished {
            return self.log.whole(&run).await;
        }
        self.until_end(run).await
    }

    async fn until_end(&mut self, run: Run) -> Result<(), CliError> {
        let client = self.log.client;
        let mut has_line = self.log.begin(&run)?;
        let mut last_event: Option<String> = None;
        loop {
            let mut events = patiently(|| client.follow_output(run.id, last_event.clone())).await?;
            while let Some(event) = next_or_broken(&mut events).await? {
                match EventKind::from_word(&event.name) {
                    Some(EventKind::Chunk) => {
                        if !has_line {
                            has_line = self.begin(run.id).await?;
                        }
                        if let Ok(chunk) = serde_json::from_str::<OutputChunk>(&event.data) {
                            self.log.chunk(&chunk)?;
                        }
                    }
                    Some(EventKind::End) => {
                        let over = match serde_json::from_str::<Run>(&event.data) {
                            Ok(over) => over,
                            Err(_) => self.log.client.run(run.id, None).await?,
                        };
                        return if has_line {
                            self.log.end(&over)
                        } else {
                            self.log.begin(&over).map(|_| ())
                        };
                    }
                    Some(EventKind::Run | EventKind::Value | EventKind::Lagged) | None => {}
                }
                last_event = event.id.or(last_event);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Follower<'_> {
    /// The line of a run that has printed. Output comes straight from the executor's files, and may be here before the
    /// state has the report of the start.
    async fn begin(&mut self, run: RunId) -> Result<bool, CliError> {
        let client = self.log.client;
        for attempt in 1..=BEGIN_ATTEMPTS_MAX {
            let begun = patiently(|| client.run(run, None)).await?;
            if self.log.begin(&begun)? {
                return Ok(true);
            }
            if attempt < BEGIN_ATTEMPTS_MAX {
                tokio::time::sleep(BEGIN_PAUSE).await;
            }
        }
        Ok(false)
    }
}
