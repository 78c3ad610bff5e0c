//! What `odin log` prints, for people and as JSON.

use odin_client::Client;
use odin_wire::{OutputChunk, Run};
use serde::Serialize;

use crate::context::{Context, write_stdout};
use crate::error::CliError;
use crate::log_line::{self, JobFields};
use crate::run_output::{Begin, Printer, each_chunk};
use crate::run_reason;
use crate::terminal::visible;

/// Prints runs with their output.
#[derive(Debug)]
pub(crate) struct Log<'a> {
    pub(crate) client: &'a Client,
    job: JobFields,
    printer: Printer,
    json: bool,
    /// Where the output of each run's latest attempt begins.
    begin: Begin,
}

/// A line of `--follow --json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Followed<'a> {
    /// A run that began or ended.
    Run(&'a Run),
    /// Something that the run of the latest such line printed.
    Chunk(&'a OutputChunk),
}

impl<'a> Log<'a> {
    pub(crate) fn new(client: &'a Client, job: JobFields, context: &Context) -> Self {
        Self {
            client,
            job,
            printer: Printer::new(),
            json: context.json(),
            begin: Begin::default(),
        }
    }

    /// The same with only a part of each run's output.
    pub(crate) fn beginning_at(self, begin: Begin) -> Self {
        Self { begin, ..self }
    }

    /// These runs, each with what it has printed so far.
    pub(crate) async fn all(&mut self, runs: &[Run]) -> Result<(), CliError> {
        if self.json {
            return self.all_json(runs).await;
        }
        for run in runs {
            self.whole(run).await?;
        }
        Ok(())
    }

    /// `{"runs": […], "next": null}`, written part by part, each run with its `output`: that may be long.
    async fn all_json(&mut self, runs: &[Run]) -> Result<(), CliError> {
        write_stdout(b"{\"runs\":[")?;
        for (position, run) in runs.iter().enumerate() {
            let separator = if position == 0 { "\n" } else { ",\n" };
            let fields = to_json(run);
            let fields = fields.strip_suffix('}').expect("a run is an object");
            write_stdout(format!("{separator}{fields},\"output\":[").as_bytes())?;
            let mut separator = "";
            each_chunk(self.client, run.id, None, self.begin, |chunk| {
                write_stdout(format!("{separator}{}", to_json(&chunk)).as_bytes())?;
                separator = ",";
                Ok(())
            })
            .await?;
            write_stdout(b"]}")?;
        }
        write_stdout(b"\n],\"next\":null}\n")
    }

    /// A run's line, then all it has printed.
    pub(crate) async fn whole(&mut self, run: &Run) -> Result<(), CliError> {
        // A part of the output is of the latest attempt.
        if self.begin.from.is_none() && self.begin.tail.is_none() {
            self.earlier_attempts(run).await?;
        }
        // What a run that waits for its retry has printed was told with its attempts.
        if run.retry_at.is_some() && !run.attempts.is_empty() {
            return Ok(());
        }
        if !self.begin(run)? {
            return Ok(());
        }
        each_chunk(self.client, run.id, None, self.begin, |chunk| {
            self.printer.chunk(&chunk)
        })
        .await?;
        self.printer.end()
    }

    /// The attempts that others followed, each with a line and what it has printed. Lists do not have them.
    async fn earlier_attempts(&mut self, run: &Run) -> Result<(), CliError> {
        for attempt in &run.attempts {
            let is_latest = run.attempt == Some(attempt.attempt) && run.retry_at.is_none();
            let Some(outcome) = attempt.outcome.filter(|_| !is_latest) else {
                continue;
            };
            let node = attempt.node.as_deref().unwrap_or("a node that is gone");
            let reason = run_reason::of_attempt(attempt)
                .map_or(String::new(), |reason| format!(" ({})", visible(&reason)));
            let (number, outcome) = (attempt.attempt, outcome.word());
            self.printer
                .line(&format!("attempt {number} on {node}: {outcome}{reason}\n"))?;
            each_chunk(
                self.client,
                run.id,
                Some(number),
                Begin::default(),
                |chunk| self.printer.chunk(&chunk),
            )
            .await?;
            self.printer.end()?;
        }
        Ok(())
    }

    /// A run's line. `false`: there is nothing to tell yet.
    pub(crate) fn begin(&mut self, run: &Run) -> Result<bool, CliError> {
        match log_line::of_run(&self.job, run) {
            None => Ok(false),
            Some(_) if self.json => self.json_line(&Followed::Run(run)).map(|()| true),
            Some(line) => self.printer.line(&line).map(|()| true),
        }
    }

    /// A part of the output of the run that began last.
    pub(crate) fn chunk(&mut self, chunk: &OutputChunk) -> Result<(), CliError> {
        if self.json {
            return self.json_line(&Followed::Chunk(chunk));
        }
        self.printer.chunk(chunk)
    }

    /// The end of a run whose line was printed while it went on.
    pub(crate) fn end(&mut self, run: &Run) -> Result<(), CliError> {
        self.printer.end()?;
        if self.json || log_line::has_news(run) {
            self.begin(run)?;
        }
        Ok(())
    }

    fn json_line(&self, line: &Followed<'_>) -> Result<(), CliError> {
        write_stdout(format!("{}\n", to_json(line)).as_bytes())
    }
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what is printed is plain data")
}
