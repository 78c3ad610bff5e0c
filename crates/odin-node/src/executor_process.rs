//! The real executor at the other end of the agent's line: a process of its own that outlives this one.

use std::sync::Arc;
use std::time::Duration;

use odin_executor::protocol::Report;
use odin_executor::{Client, ClientError, DataDir, ExecutorProgram, FromExecutor};
use rustix::process::{Pid, Signal};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::executor_link::ExecutorEnd;

/// How long to wait before another try to reach or start an executor.
const RETRY: Duration = Duration::from_millis(250);
/// How many requests go in one write.
const REQUESTS_A_WRITE: usize = 256;

/// Connects the line to the executor on `dir`, starting one where none runs, again and again until `stop`. An
/// executor that has nothing to do is then told to go; a busy one stays.
pub(crate) async fn connect(
    program: ExecutorProgram,
    dir: DataDir,
    end: ExecutorEnd,
    stop: CancellationToken,
) {
    let ExecutorEnd {
        mut requests,
        reports,
    } = end;
    while !stop.is_cancelled() {
        match Connection::open(&program, &dir, reports.clone()).await {
            Ok(connection) => {
                tokio::select! {
                    () = stop.cancelled() => connection.release(),
                    () = connection.carry(&mut requests) => {}
                }
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

struct Connection {
    client: Client,
    closed: Arc<Notify>,
}

impl Connection {
    async fn open(
        program: &ExecutorProgram,
        dir: &DataDir,
        reports: mpsc::Sender<Report>,
    ) -> Result<Self, ClientError> {
        let closed = Arc::new(Notify::new());
        let (welcomed, may_read) = oneshot::channel::<()>();
        let take = {
            let (closed, reports) = (Arc::clone(&closed), reports.clone());
            let mut may_read = Some(may_read);
            move |from: FromExecutor| {
                // The welcome is the first report of a connection, and this thread is not who has it.
                if let Some(may_read) = may_read.take() {
                    let _ = may_read.blocking_recv();
                }
                match from {
                    // Waits while the agent is busy; the executor then keeps what it has to say.
                    FromExecutor::Report(report) => {
                        let _ = reports.blocking_send(report);
                    }
                    FromExecutor::Closed { reason } => {
                        tracing::warn!(reason, "the connection to the executor is over");
                        closed.notify_one();
                    }
                }
            }
        };
        let client = tokio::task::block_in_place(|| Client::connect_or_spawn(program, dir, take))?;
        let _ = reports
            .send(Report::Welcome(client.welcome().clone()))
            .await;
        let _ = welcomed.send(());
        Ok(Self { client, closed })
    }

    /// Passes requests on until the connection is over. One that was not passed on is no loss: the agent reads the
    /// state again after the next welcome.
    async fn carry(&self, requests: &mut mpsc::Receiver<odin_executor::protocol::Request>) {
        let mut batch = Vec::with_capacity(REQUESTS_A_WRITE);
        loop {
            let count = tokio::select! {
                count = requests.recv_many(&mut batch, REQUESTS_A_WRITE) => count,
                () = self.closed.notified() => return,
            };
            if count == 0 {
                // The agent is gone; so is this in a moment.
                return std::future::pending().await;
            }
            if let Err(error) = tokio::task::block_in_place(|| self.client.send(&batch)) {
                tracing::warn!(%error, "a request did not reach the executor");
                return;
            }
            batch.clear();
        }
    }

    /// Asks the executor to go if it has nothing to do. A busy one ignores that.
    fn release(&self) {
        self.client.close();
        if let Some(pid) = Pid::from_raw(self.client.welcome().pid.cast_signed()) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
    }
}
