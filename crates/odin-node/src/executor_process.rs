//! The real executors at the other end of the agent's line: processes of their own that outlive this one.
//!
//! Mostly there is one. After an upgrade the older ones go on until their last run is over, and the agent need not
//! know: see [`ExecutorBook`].

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use odin_executor::fault::{self, Point};
use odin_executor::protocol::{Report, Request};
use odin_executor::{ClientError, ExecutorProgram, Fleet, FromExecutor, GENERATIONS_MAX};
use rustix::process::{Pid, Signal};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::executor_book::ExecutorBook;
use crate::executor_link::ExecutorEnd;
use crate::metrics::Metrics;

/// How long to wait before another try to reach or start an executor.
const RETRY: Duration = Duration::from_millis(250);
/// How many requests go in one write.
const REQUESTS_A_WRITE: usize = 256;
const NEVER_POISONED: &str = "no code that holds this lock panics";

/// Connects the line to the executors of the data directory `root`, starting one where none takes launches, again and
/// again until `stop`. An executor that has nothing to do is then told to go; a busy one stays. `answers` says whether
/// they are there.
pub(crate) async fn connect(
    program: ExecutorProgram,
    root: PathBuf,
    end: ExecutorEnd,
    answers: watch::Sender<bool>,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let ExecutorEnd {
        mut requests,
        reports,
    } = end;
    let mut next_number = 1;
    while !stop.is_cancelled() {
        let opened = tokio::task::block_in_place(|| {
            Connection::open(&program, &root, &reports, next_number)
        });
        match opened {
            Ok(mut connection) => {
                answers.send_replace(true);
                metrics.executors_connected(connection.fleet.members().count());
                tokio::select! {
                    () = stop.cancelled() => return connection.release(),
                    () = connection.carry(&mut requests) => {}
                }
                answers.send_replace(false);
                metrics.executors_connected(0);
                next_number = connection.close(&mut requests).await;
            }
            Err(error) => {
                tracing::error!(code = error.code(), %error, "no executor: nothing can be started");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
        }
    }
}

/// What the connections' threads share.
struct Desk {
    reports: mpsc::Sender<Report>,
    /// Held while a report gets its number and is sent, so that the agent gets numbers in order, and while the
    /// welcome is on its way, so that it comes first. `false` when there is no welcome: nothing may follow.
    order: Mutex<bool>,
    /// `None` until all are connected.
    book: Mutex<Option<ExecutorBook>>,
}

impl Desk {
    /// Waits while the agent is busy; the executor then keeps what it has to say.
    fn pass_on(&self, generation: u32, report: Report) {
        let is_open = self.order.lock().expect(NEVER_POISONED);
        if !*is_open {
            return;
        }
        let report = {
            let mut book = self.book.lock().expect(NEVER_POISONED);
            let Some(book) = &mut *book else { return };
            match report {
                Report::Events(events) => Some(Report::Events(book.number(generation, events))),
                Report::Attempts(attempts) => {
                    book.listed(generation, attempts).map(Report::Attempts)
                }
                other => Some(other),
            }
        };
        if let Some(report) = report {
            let _ = self.reports.blocking_send(report);
        }
    }
}

struct Connection {
    fleet: Fleet,
    desk: Arc<Desk>,
    /// One word for each connection that is over.
    closed: mpsc::Receiver<()>,
    /// How many of them have come.
    closed_count: usize,
}

impl Connection {
    /// Connects to all, and tells the agent.
    fn open(
        program: &ExecutorProgram,
        root: &std::path::Path,
        reports: &mpsc::Sender<Report>,
        next_number: u64,
    ) -> Result<Self, ClientError> {
        let places = usize::try_from(GENERATIONS_MAX).expect("a few");
        let (over, closed) = mpsc::channel(places);
        let desk = Arc::new(Desk {
            reports: reports.clone(),
            order: Mutex::new(false),
            book: Mutex::new(None),
        });
        let mut is_open = desk.order.lock().expect(NEVER_POISONED);
        let fleet = Fleet::connect(program, root, |generation| {
            let (desk, over) = (Arc::clone(&desk), over.clone());
            move |from: FromExecutor| match from {
                FromExecutor::Report(report) => desk.pass_on(generation, report),
                FromExecutor::Closed { reason } => {
                    tracing::info!(generation, reason, "the connection to an executor is over");
                    let _ = over.blocking_send(());
                }
            }
        })?;
        let older: Vec<u32> = fleet.older.iter().map(|member| member.generation).collect();
        for member in &fleet.older {
            let welcome = member.client.welcome();
            let (build, pid) = (&welcome.build, welcome.pid);
            tracing::info!(
                build,
                pid,
                "an executor of another version ends its runs and takes no more"
            );
        }
        for (generation, error) in &fleet.lost {
            tracing::error!(generation, code = error.code(), %error, "what an earlier executor has left cannot be read");
        }
        let book = ExecutorBook::new(next_number, fleet.current.generation, &older);
        *desk.book.lock().expect(NEVER_POISONED) = Some(book);
        let welcome = fleet.current.client.welcome().clone();
        // An agent that is gone hears nothing, and soon nobody asks.
        let _ = reports.blocking_send(Report::Welcome(welcome));
        *is_open = true;
        drop(is_open);
        Ok(Self {
            fleet,
            desk,
            closed,
            closed_count: 0,
        })
    }

    /// Passes requests on until a connection is over. One that was not passed on is no loss: the agent reads the
    /// state again after the next welcome.
    async fn carry(&mut self, requests: &mut mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(REQUESTS_A_WRITE);
        loop {
            let count = tokio::select! {
                count = requests.recv_many(&mut batch, REQUESTS_A_WRITE) => count,
                _ = self.closed.recv() => {
                    self.closed_count += 1;
                    return;
                }
            };
            if count == 0 {
                // The agent is gone; so is this in a moment.
                return std::future::pending().await;
            }
            let routed = self.route(batch.drain(..));
            for (generation, requests) in routed {
                let mut members = self.fleet.members();
                let Some(member) = members.find(|member| member.generation == generation) else {
                    continue;
                };
                if let Err(error) = tokio::task::block_in_place(|| member.client.send(&requests)) {
                    tracing::warn!(generation, %error, "a request did not reach the executor");
                    return;
                }
                fault::reach_if(Point::ServerArmAfter, || {
                    requests.iter().any(|it| matches!(it, Request::Arm(_)))
                });
            }
        }
    }

    /// What each executor is to get, in order.
    fn route(&self, requests: impl Iterator<Item = Request>) -> Vec<(u32, Vec<Request>)> {
        let mut routed: Vec<(u32, Vec<Request>)> = Vec::new();
        let mut book = self.desk.book.lock().expect(NEVER_POISONED);
        let Some(book) = &mut *book else {
            return routed;
        };
        for (generation, request) in requests.flat_map(|request| book.route(request)) {
            match routed.iter_mut().find(|(of, _)| *of == generation) {
                Some((_, requests)) => requests.push(request),
                None => routed.push((generation, vec![request])),
            }
        }
        routed
    }

    /// Ends all connections; the number that the next ones begin with. No report of these comes after it.
    async fn close(mut self, requests: &mut mpsc::Receiver<Request>) -> u64 {
        let count = self.fleet.members().count();
        self.fleet
            .members()
            .for_each(|member| member.client.close());
        let mut dropped = Vec::with_capacity(REQUESTS_A_WRITE);
        while self.closed_count < count {
            // An agent that waits to be heard cannot hear: its requests are lost, as it knows from the next welcome.
            tokio::select! {
                _ = self.closed.recv() => self.closed_count += 1,
                more = requests.recv_many(&mut dropped, REQUESTS_A_WRITE) => {
                    dropped.clear();
                    if more == 0 {
                        break;
                    }
                }
            }
        }
        let book = self.desk.book.lock().expect(NEVER_POISONED);
        book.as_ref().map_or(1, ExecutorBook::next_number)
    }

    /// Asks the executor that takes launches to go if it has nothing to do. A busy one ignores that.
    fn release(&self) {
        self.fleet
            .members()
            .for_each(|member| member.client.close());
        let pid = self.fleet.current.client.welcome().pid;
        if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
    }
}
