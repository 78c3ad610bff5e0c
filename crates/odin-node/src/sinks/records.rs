//! The feed's entries, read out of the state as records.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use odin_executor::trace::RunTrace;
use odin_model::run::Run;
use odin_model::sink::{FeedEntry, FeedPart, SinkSpec, SinkTarget};
use odin_model::{AttemptNumber, JobId, NodeId, RunId, RunState, Value, ValueData, ValueKind};
use odin_sinks::{AttemptFacts, Body, JobFacts, Record, RunFacts, TraceIds, ValueFacts};
use odin_store::{Reader, RunPlace, StoreError};

/// How many entries of the feed are looked at for one batch.
const ENTRIES_MAX: usize = 1_000;

/// What a batch has, at least, before no further entry is taken into it. One entry has no more values than one command of
/// the log.
struct Enough {
    records: usize,
    /// Of values.
    bytes: usize,
}

impl Enough {
    /// Each batch costs a sync of the log, to a file one more, so the largest that receivers are made for are fastest.
    fn for_target(target: &SinkTarget) -> Self {
        match target {
            SinkTarget::File { .. } | SinkTarget::Postgres { .. } => Self {
                records: 10_000,
                bytes: 4 << 20,
            },
            // What InfluxData advises for one request.
            SinkTarget::InfluxV2 { .. } | SinkTarget::InfluxV3 { .. } => Self {
                records: 5_000,
                bytes: 2 << 20,
            },
            // What Prometheus itself sends at most, and what collectors take without being told.
            SinkTarget::RemoteWrite { .. } | SinkTarget::Otlp { .. } => Self {
                records: 2_000,
                bytes: 1 << 20,
            },
        }
    }
}

/// What is sent next.
pub(super) struct Batch {
    /// The number of the last entry that it covers.
    pub(super) to: u64,
    /// What the sink takes of it, in order.
    pub(super) records: Vec<Record>,
    /// How many records the state no longer has.
    pub(super) gone: u64,
}

/// The batch after a place in the feed. `None`: there is nothing.
///
/// # Errors
/// The state cannot be read.
pub(super) fn next(
    reader: &Reader,
    spec: &SinkSpec,
    cursor: u64,
) -> Result<Option<Batch>, StoreError> {
    let mut reading = Reading {
        reader,
        spec,
        runs: HashMap::new(),
        jobs: HashMap::new(),
        nodes: None,
        bytes: 0,
        batch: Batch {
            to: cursor,
            records: Vec::new(),
            gone: 0,
        },
    };
    let enough = Enough::for_target(&spec.target);
    for entry in reader.sink_feed(cursor, ENTRIES_MAX)? {
        reading.take(&entry)?;
        let batch = &reading.batch;
        if batch.records.len() >= enough.records || reading.bytes >= enough.bytes {
            break;
        }
    }
    Ok(Some(reading.batch).filter(|batch| batch.to > cursor))
}

struct Reading<'r> {
    reader: &'r Reader,
    spec: &'r SinkSpec,
    runs: HashMap<RunId, Option<Arc<Run>>>,
    jobs: HashMap<JobId, Arc<JobFacts>>,
    nodes: Option<HashMap<NodeId, String>>,
    bytes: usize,
    batch: Batch,
}

impl Reading<'_> {
    fn take(&mut self, entry: &FeedEntry) -> Result<(), StoreError> {
        self.batch.to = entry.number;
        let Some(run) = self.run(entry)? else {
            self.batch.gone += match entry.what {
                FeedPart::Values { count, .. } => count,
                FeedPart::RunOver => 1,
            };
            return Ok(());
        };
        if !self.spec.takes_job(run.job) {
            return Ok(());
        }
        match entry.what {
            FeedPart::Values { .. } if !self.spec.values => Ok(()),
            FeedPart::Values {
                attempt,
                first,
                count,
            } => self.values(entry, &run, (attempt, first, count)),
            FeedPart::RunOver if !self.spec.runs => Ok(()),
            FeedPart::RunOver => self.run_over(entry, &run),
        }
    }

    fn run(&mut self, entry: &FeedEntry) -> Result<Option<Arc<Run>>, StoreError> {
        // An earlier entry's reading of a run that is over now may be from before it was.
        if entry.what == FeedPart::RunOver || !self.runs.contains_key(&entry.run) {
            let run = self.reader.run(entry.run)?.map(Arc::new);
            self.runs.insert(entry.run, run);
        }
        Ok(self.runs.get(&entry.run).cloned().flatten())
    }

    fn job(&mut self, run: &Run) -> Result<Arc<JobFacts>, StoreError> {
        if let Some(job) = self.jobs.get(&run.job) {
            return Ok(Arc::clone(job));
        }
        let job = self.reader.job(run.job)?;
        let facts = Arc::new(match job {
            Some(job) => JobFacts {
                id: run.job,
                name: job.spec.name.to_string(),
                owner: job.owner.user,
            },
            None => JobFacts {
                id: run.job,
                name: run.job.to_string(),
                owner: String::new(),
            },
        });
        self.jobs.insert(run.job, Arc::clone(&facts));
        Ok(facts)
    }

    fn values(
        &mut self,
        entry: &FeedEntry,
        run: &Run,
        (attempt, first, count): (AttemptNumber, u64, u64),
    ) -> Result<(), StoreError> {
        let job = self.job(run)?;
        let trace = trace_of(run);
        let after = match first.checked_sub(1) {
            Some(number) => Some(RunPlace { attempt, number }),
            // Before the attempt's first value stand those of the attempts before it.
            None if attempt.0 > 0 => Some(RunPlace {
                attempt: AttemptNumber(attempt.0 - 1),
                number: u64::MAX >> 1,
            }),
            None => None,
        };
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        let page = self.reader.values_of_run(run.id, None, after, wanted)?;
        let found = page
            .values
            .into_iter()
            .filter(|kept| kept.attempt == attempt && kept.number < first + count);
        let mut seen = 0;
        for kept in found {
            seen += 1;
            if !self.spec.takes_kind(kept.value.kind) {
                continue;
            }
            self.bytes += 100 + kept.value.name.len() + kept.value.data.text().len();
            self.batch.records.push(Record {
                place: (
                    entry.number,
                    u32::try_from(kept.number - first).unwrap_or(u32::MAX),
                ),
                job: Arc::clone(&job),
                run: run.id,
                trace: ids(&trace),
                body: Body::Value(ValueFacts {
                    attempt,
                    span: trace.attempt(attempt),
                    number: kept.number,
                    value: kept.value,
                }),
            });
        }
        self.batch.gone += count.saturating_sub(seen);
        Ok(())
    }

    fn run_over(&mut self, entry: &FeedEntry, run: &Run) -> Result<(), StoreError> {
        let (RunState::Finished(outcome), Some(finished_at)) = (run.state, run.finished_at) else {
            self.batch.gone += 1;
            return Ok(());
        };
        let job = self.job(run)?;
        let trace = trace_of(run);
        let mut attempts = Vec::new();
        for past in self.reader.past_attempts(run.id)? {
            // An attempt of which word came late is kept beside the run that it still belongs to.
            if Some(past.number) == run.attempt {
                continue;
            }
            attempts.push(AttemptFacts {
                number: past.number,
                span: trace.attempt(past.number),
                node: self.node(past.node)?,
                started_at: past.started_at,
                finished_at: past.finished_at,
                outcome: past.outcome,
                exit_code: past.exit_code,
                signal: past.signal,
                reason: past.reason,
            });
        }
        let node = run.node.map(|node| self.node(node)).transpose()?;
        if let Some((number, node)) = run.attempt.zip(node.clone()) {
            attempts.push(AttemptFacts {
                number,
                span: trace.attempt(number),
                node,
                started_at: run.attempt_started_at,
                finished_at,
                outcome,
                exit_code: run.exit_code,
                signal: run.signal,
                reason: run.reason.clone(),
            });
        }
        self.batch.records.push(Record {
            place: (entry.number, 0),
            job,
            run: run.id,
            trace: ids(&trace),
            body: Body::Run(Box::new(RunFacts {
                version: run.version,
                cause: run.cause.word(),
                due_at: run.due_at,
                queued_at: run.queued_at,
                started_at: run.started_at,
                finished_at,
                outcome,
                exit_code: run.exit_code,
                signal: run.signal,
                reason: run.reason.clone(),
                usage: run.usage,
                node,
                attempts,
            })),
        });
        Ok(())
    }

    fn node(&mut self, id: NodeId) -> Result<String, StoreError> {
        if self.nodes.is_none() {
            let nodes = self.reader.nodes()?.into_iter();
            self.nodes = Some(nodes.map(|node| (node.id, node.facts.name)).collect());
        }
        let known = self.nodes.as_ref().and_then(|nodes| nodes.get(&id));
        Ok(known.cloned().unwrap_or_else(|| id.to_string()))
    }
}

/// A record by which a sink is tried.
pub(super) fn trial(now: Timestamp) -> Record {
    let (job, run, attempt) = (
        JobId::from_bits(0),
        RunId::from_bits(0),
        AttemptNumber::FIRST,
    );
    let trace = RunTrace::of(job, run, now);
    Record {
        place: (0, 0),
        job: Arc::new(JobFacts {
            id: job,
            name: "odin-sink-test".to_owned(),
            owner: "odin".to_owned(),
        }),
        run,
        trace: ids(&trace),
        body: Body::Value(ValueFacts {
            attempt,
            span: trace.attempt(attempt),
            number: 0,
            value: Value {
                at: now,
                kind: ValueKind::Watch,
                name: "odin_sink_test".to_owned(),
                data: ValueData::Number("1".to_owned()),
                status: None,
                unit: None,
                flaw: None,
            },
        }),
    }
}

fn trace_of(run: &Run) -> RunTrace {
    RunTrace::of(run.job, run.id, run.due_at.unwrap_or(run.queued_at))
}

fn ids(trace: &RunTrace) -> TraceIds {
    TraceIds {
        trace: trace.trace,
        run: trace.span,
    }
}
