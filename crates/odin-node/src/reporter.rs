//! What executors saw, into the log. Events are idempotent, and are acknowledged once they are applied. DESIGN 5.5.

use std::time::Duration;

use odin_executor::fault::{self, Point};
use odin_executor::protocol::{AttemptKey, NumberedEvent, Request};
use odin_model::attempt::{AttemptEvent, AttemptEventKind};
use odin_model::output::{OutputKept, OutputSummary};
use odin_model::{Command, NodeId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::proposer::Proposer;
use crate::values::ValuesFiles;

/// How many events one command reports.
const EVENTS_MAX: usize = 1_024;
/// How many bytes of output one command reports: with all the rest well below the largest command.
const OUTPUT_BYTES_MAX: usize = 128 * 1024;
/// How long to wait after a proposal that nobody took.
const RETRY: Duration = Duration::from_millis(100);
/// How long starts wait for an end before they are reported alone. A short run is then one entry of the log and not two,
/// and its end, which others wait for, never stands behind the sync of its start, which only people look at.
const HOLD_STARTS: Duration = Duration::from_millis(25);

/// What the reporter is handed.
pub(crate) enum Handed {
    /// Events with their numbers.
    Events(Vec<NumberedEvent>),
    /// An event of the agent's own, which no executor numbers.
    Own(AttemptEvent),
    /// To be answered once everything before it is applied.
    Barrier(oneshot::Sender<()>),
}

/// Reports until the agent hangs up. Events that are not applied by then come again from the executor's journal.
pub(crate) async fn report(
    proposer: Proposer,
    node: NodeId,
    mut handed: mpsc::Receiver<Handed>,
    requests: mpsc::Sender<Request>,
    values: Option<ValuesFiles>,
) {
    let mut batch = Batch::default();
    while let Some(first) = handed.recv().await {
        batch.take(first);
        while !batch.is_full() {
            let Ok(next) = handed.try_recv() else { break };
            batch.take(next);
        }
        let hold_until = Instant::now() + HOLD_STARTS;
        while batch.holds_starts_only() {
            match timeout_at(hold_until, handed.recv()).await {
                Ok(Some(next)) => batch.take(next),
                // Nobody else comes, or not soon.
                Ok(None) | Err(_) => break,
            }
        }
        for events in batch.commands() {
            let over = over(&events);
            // What a run has said of itself is part of how it ended.
            if let Some(values) = &values {
                values.drain(over.iter().copied()).await;
            }
            fault::reach(Point::ServerReportBefore);
            propose(&proposer, Command::Report { node, events }).await;
            fault::reach(Point::ServerReportAfter);
            if let Some(values) = &values {
                values.forget(over).await;
            }
        }
        if let Some(up_to) = batch.up_to.take() {
            fault::reach(Point::ServerAckBefore);
            // A closed line means a new executor, which sends again what it has.
            let _ = requests.send(Request::Ack { up_to }).await;
        }
        for barrier in batch.barriers.drain(..) {
            let _ = barrier.send(());
        }
    }
}

/// The attempts that are over.
fn over(events: &[AttemptEvent]) -> Vec<AttemptKey> {
    let ends = events.iter().filter(|event| match event.kind {
        AttemptEventKind::Finished(_) => true,
        AttemptEventKind::Started { .. } => false,
    });
    ends.map(|event| AttemptKey {
        run: event.run,
        attempt: event.attempt,
    })
    .collect()
}

/// Proposes until somebody has taken it: a result is never dropped.
async fn propose(proposer: &Proposer, command: Command) {
    while let Err(error) = proposer.propose(&command).await {
        tracing::warn!(%error, "a report waits for the log");
        tokio::time::sleep(RETRY).await;
    }
}

#[derive(Default)]
struct Batch {
    events: Vec<AttemptEvent>,
    output_bytes: usize,
    up_to: Option<u64>,
    barriers: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn take(&mut self, handed: Handed) {
        match handed {
            Handed::Events(events) => {
                self.up_to = self
                    .up_to
                    .max(events.iter().map(|event| event.number).max());
                self.output_bytes += events
                    .iter()
                    .map(|event| output_bytes(&event.event))
                    .sum::<usize>();
                self.events
                    .extend(events.into_iter().map(|numbered| numbered.event));
            }
            Handed::Own(event) => self.events.push(event),
            Handed::Barrier(barrier) => self.barriers.push(barrier),
        }
    }

    /// Whether nobody waits for what is here.
    fn holds_starts_only(&self) -> bool {
        let is_start =
            |event: &AttemptEvent| matches!(event.kind, AttemptEventKind::Started { .. });
        !self.is_full() && self.events.iter().all(is_start)
    }

    fn is_full(&self) -> bool {
        self.events.len() >= EVENTS_MAX
            || self.output_bytes >= OUTPUT_BYTES_MAX
            || !self.barriers.is_empty()
    }

    /// The events in order, cut so that each command stays within its size.
    fn commands(&mut self) -> Vec<Vec<AttemptEvent>> {
        self.output_bytes = 0;
        let mut commands: Vec<Vec<AttemptEvent>> = Vec::new();
        let mut room = 0;
        for event in self.events.drain(..) {
            let bytes = output_bytes(&event);
            match commands.last_mut() {
                Some(last) if last.len() < EVENTS_MAX && bytes <= room => {
                    room -= bytes;
                    last.push(event);
                }
                _ => {
                    room = OUTPUT_BYTES_MAX.saturating_sub(bytes);
                    commands.push(vec![event]);
                }
            }
        }
        commands
    }
}

fn output_bytes(event: &AttemptEvent) -> usize {
    match &event.kind {
        AttemptEventKind::Started { .. } => 0,
        AttemptEventKind::Finished(result) => kept_bytes(&result.output),
    }
}

fn kept_bytes(output: &OutputSummary) -> usize {
    let (OutputKept::Inline(chunks) | OutputKept::Segments { tail: chunks }) = &output.kept;
    // A chunk of a byte takes a dozen in the log.
    chunks.iter().map(|chunk| chunk.bytes.len() + 16).sum()
}
