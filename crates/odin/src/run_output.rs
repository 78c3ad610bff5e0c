//! Prints what runs printed: as it is into a pipe, made safe for a terminal.

use std::ops::ControlFlow;

use odin_client::{Client, ClientError};
use odin_model::RunId;
use odin_wire::{OutputChunk, OutputQuery, Stream};

use crate::context::write_stdout;
use crate::error::CliError;
use crate::report;
use crate::terminal::{self, Filter};

/// Prints the chunks of one run after the other.
#[derive(Debug)]
pub(crate) struct Printer {
    /// One filter for each of a run's streams; `None`: stdout is not a terminal.
    filters: Option<[Filter; 2]>,
    /// Whether the last line is unfinished.
    inside_line: bool,
}

impl Printer {
    pub(crate) fn new() -> Self {
        let is_terminal = terminal::stdout_width().is_some();
        Self {
            filters: is_terminal.then(Default::default),
            inside_line: false,
        }
    }

    /// Prints a chunk.
    pub(crate) fn chunk(&mut self, chunk: &OutputChunk) -> Result<(), CliError> {
        let bytes = chunk.bytes().unwrap_or_default();
        match &mut self.filters {
            None => self.put(&bytes),
            Some(filters) => {
                let stream = match chunk.stream {
                    Stream::Stdout => 0,
                    Stream::Stderr => 1,
                };
                let text = filters[stream].push(&bytes);
                self.put(text.as_bytes())
            }
        }
    }

    /// Ends a run's output: what follows begins on a line of its own.
    pub(crate) fn end(&mut self) -> Result<(), CliError> {
        if let Some(filters) = &mut self.filters {
            let rest: String = filters.iter_mut().map(Filter::finish).collect();
            self.put(rest.as_bytes())?;
        }
        if self.inside_line {
            self.put(b"\n")?;
        }
        Ok(())
    }

    /// Prints a line of our own.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), CliError> {
        self.end()?;
        self.put(line.as_bytes())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        match bytes.last() {
            None => return Ok(()),
            Some(last) => self.inside_line = *last != b'\n',
        }
        write_stdout(bytes)
    }
}

/// Where in an attempt's output to begin; by default at its beginning.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Begin {
    /// After so many bytes.
    pub(crate) from: Option<u64>,
    /// So many bytes before the end of what is there now.
    pub(crate) tail: Option<u64>,
}

/// What an attempt of a run, the latest unless one is named, has printed so far, part by part.
///
/// Output that this node does not have is a warning: the lines of the other runs are still worth reading.
pub(crate) async fn each_chunk(
    client: &Client,
    run: RunId,
    attempt: Option<u32>,
    begin: Begin,
    mut take: impl FnMut(OutputChunk) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let take = |chunk| take(chunk).map(ControlFlow::Continue);
    each_chunk_until(client, run, attempt, begin, take).await
}

/// The same until `take` has enough.
pub(crate) async fn each_chunk_until(
    client: &Client,
    run: RunId,
    attempt: Option<u32>,
    begin: Begin,
    mut take: impl FnMut(OutputChunk) -> Result<ControlFlow<()>, CliError>,
) -> Result<(), CliError> {
    let mut query = OutputQuery {
        attempt,
        from: begin.from,
        tail: begin.tail,
        ..OutputQuery::default()
    };
    loop {
        let part = match client.output(run, &query).await {
            Ok(part) => part,
            Err(ClientError::Refused(problem)) if problem.code == "run/output-not-here" => {
                report::note(&format!("{run}: {}", problem.detail));
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if part.only_end && query.after.is_none() {
            report::note(&format!("{run}: only the end of its output is left"));
        }
        let is_empty = part.output.is_empty();
        for chunk in part.output {
            if take(chunk)?.is_break() {
                return Ok(());
            }
        }
        match part.next {
            // A run that goes on has printed nothing more for now.
            Some(next) if !is_empty => {
                query.after = Some(next);
                (query.from, query.tail) = (None, None);
            }
            Some(_) | None => return Ok(()),
        }
    }
}
