//! The line between the agent and its executor: two bounded queues, whoever is at the other end.

use odin_executor::protocol::{Report, Request};
use tokio::sync::mpsc;

/// How many requests may wait for the executor. The agent then waits: launches stay in the state.
const REQUESTS_MAX: usize = 4_096;
/// How many reports may wait for the agent. The executor then waits: events stay in its journal.
const REPORTS_MAX: usize = 256;

/// The agent's end.
///
/// Each [`Report::Welcome`] begins a new connection: requests before it may be lost, and every event that was not
/// acknowledged comes again.
#[derive(Debug)]
pub struct ExecutorLink {
    /// To the executor.
    pub requests: mpsc::Sender<Request>,
    /// From the executor.
    pub reports: mpsc::Receiver<Report>,
}

/// The executor's end.
#[derive(Debug)]
pub struct ExecutorEnd {
    /// From the agent.
    pub requests: mpsc::Receiver<Request>,
    /// To the agent.
    pub reports: mpsc::Sender<Report>,
}

/// Both ends of a line.
#[must_use]
pub fn line() -> (ExecutorLink, ExecutorEnd) {
    let (requests, taken) = mpsc::channel(REQUESTS_MAX);
    let (reports, heard) = mpsc::channel(REPORTS_MAX);
    (
        ExecutorLink {
            requests,
            reports: heard,
        },
        ExecutorEnd {
            requests: taken,
            reports,
        },
    )
}
