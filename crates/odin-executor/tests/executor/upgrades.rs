//! A newer program takes over while jobs of the older one run: nothing is ended, lost or started twice.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use odin_executor::frame::{self, FrameBuffer};
use odin_executor::protocol::{
    AfterLease, AttemptKey, BUILD, CancelScope, ListedAttempt, ListedState, NumberedEvent, Report,
    Request,
};
use odin_executor::{Client, ClientError, DataDir, Fleet, FromExecutor};
use odin_model::attempt::{AttemptEventKind, Ending};
use odin_model::{Boottime, RunId};

use crate::executor::{Executor, is_alive, now, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

fn lease(until: Boottime) -> Request {
    let then = AfterLease::RunsGoOn;
    Request::Lease { until, then }
}

/// A server of this build, connected to all executors of a data directory.
struct Server {
    fleet: Fleet,
    heard: Receiver<(u32, FromExecutor)>,
    /// Ends that nobody has asked for yet.
    ended: RefCell<HashMap<RunId, (u32, Ending)>>,
}

impl Server {
    fn start(executor: &Executor) -> Self {
        let (sender, heard) = channel();
        let fleet = Fleet::connect(&executor.program(&[]), executor.dir.path(), |generation| {
            let sender = sender.clone();
            move |from| _ = sender.send((generation, from))
        });
        let fleet = fleet.unwrap();
        let until = now().plus(Duration::from_secs(3600));
        for member in fleet.members() {
            member.client.send(&[lease(until)]).unwrap();
        }
        Self {
            fleet,
            heard,
            ended: RefCell::default(),
        }
    }

    fn client(&self, generation: u32) -> &Client {
        let mut members = self.fleet.members();
        &members
            .find(|it| it.generation == generation)
            .unwrap()
            .client
    }

    /// The first report that `pick` takes; `None` for the end of a connection.
    fn until<T>(&self, mut pick: impl FnMut(u32, Option<Report>) -> Option<T>) -> T {
        loop {
            let (generation, from) = self.heard.recv_timeout(PATIENCE).expect("something");
            let report = match from {
                FromExecutor::Report(report) => Some(report),
                FromExecutor::Closed { .. } => None,
            };
            if let Some(picked) = pick(generation, report) {
                return picked;
            }
        }
    }

    /// How the attempt ended, by which generation's word; acknowledged. Ends of others that come before are kept for
    /// those who ask for them.
    fn finished(&self, key: AttemptKey) -> (u32, Ending) {
        let kept = |run| self.ended.borrow_mut().remove(&run);
        if let Some(ended) = kept(key.run) {
            return ended;
        }
        self.until(|generation, report| {
            let Some(Report::Events(events)) = report else {
                return None;
            };
            let last = events.last().unwrap().number;
            let _ = self
                .client(generation)
                .send(&[Request::Ack { up_to: last }]);
            for NumberedEvent { event, .. } in events {
                if let AttemptEventKind::Finished(result) = event.kind {
                    let ended = (generation, result.ending);
                    self.ended.borrow_mut().insert(event.run, ended);
                }
            }
            kept(key.run)
        })
    }

    fn list(&self, generation: u32) -> Vec<ListedAttempt> {
        self.client(generation).send(&[Request::List]).unwrap();
        self.until(|of, report| match report {
            Some(Report::Attempts(attempts)) if of == generation => Some(attempts),
            _ => None,
        })
    }

    fn wait_gone(&self, generation: u32) {
        self.until(|of, report| (of == generation && report.is_none()).then_some(()));
    }

    /// Has the current executor go.
    fn retire(self) {
        let current = self.fleet.current.generation;
        self.client(current).send(&[Request::Drain]).unwrap();
        self.wait_gone(current);
    }
}

fn journal_of(executor: &Executor, generation: u32) -> std::path::PathBuf {
    DataDir::of_generation(executor.dir.path().to_owned(), generation).journal()
}

const UNTIL_GO: &str = "echo > there; while [ ! -e go ]; do sleep 0.01; done; exit 7";

#[test]
fn a_run_goes_on_in_the_older_executor_and_new_ones_start_at_once_in_the_newer() {
    let mut executor = Executor::start_with(&["--build", "0.0.1"]);
    let launch = executor.shell(UNTIL_GO);
    let running = executor.arm(launch);
    executor.wait_for_file("there");
    let mut armed = executor.shell("exit 5");
    armed.not_before = now().plus(Duration::from_secs(3600));
    executor.arm(armed.clone());
    let late = executor.shell("exit 3");
    executor.disconnect();

    let server = Server::start(&executor);
    assert_eq!(server.fleet.current.generation, 2);
    assert_eq!(server.client(2).welcome().build, BUILD);
    // What was only armed is nowhere now, and is armed anew.
    let expected = ListedAttempt {
        key: running,
        state: ListedState::Running,
    };
    assert_eq!(server.list(1), [expected]);
    armed.not_before = now();
    let armed_key = armed.key;
    let late_key = late.key;
    let arm = [late, armed].map(|launch| Request::Arm(Box::new(launch)));
    server.client(2).send(&arm).unwrap();
    let first = server.finished(late_key);
    assert_eq!(first, (2, Ending::Exited { code: 3 }));
    let second = server.finished(armed_key);
    assert_eq!(second, (2, Ending::Exited { code: 5 }));

    std::fs::write(executor.directory().join("go"), "").unwrap();
    let last = server.finished(running);
    assert_eq!(last, (1, Ending::Exited { code: 7 }));
    server.wait_gone(1);
    wait_until(|| (!journal_of(&executor, 1).exists()).then_some(()));

    // The next server finds the newer one alone.
    drop(server);
    let server = Server::start(&executor);
    assert_eq!(server.fleet.current.generation, 2);
    assert!(server.fleet.older.is_empty() && server.fleet.lost.is_empty());
    server.retire();
}

#[test]
fn an_executor_of_another_protocol_is_understood_until_it_is_empty() {
    let mut executor = Executor::start();
    let launch = executor.shell(UNTIL_GO);
    let key = launch.key;
    let cancelled = executor.shell("while :; do sleep 1; done");
    let cancelled_key = cancelled.key;
    executor.send([Request::Drain]);
    while executor.next().is_some() {}
    executor.disconnect();
    let program = executor.program(&["--protocol", "9"]);
    let refused = Client::connect_or_spawn(&program, &executor.dir, |_| {});
    assert!(matches!(
        refused,
        Err(ClientError::Incompatible { found: 9 })
    ));
    // Its own server arms it.
    let mut own = UnixStream::connect(executor.dir.control_socket()).unwrap();
    let mut bytes = Vec::new();
    for request in [
        Request::Hello { protocol: 9 },
        lease(now().plus(Duration::from_secs(3600))),
        Request::Arm(Box::new(launch)),
        Request::Arm(Box::new(cancelled)),
    ] {
        frame::append(&mut bytes, &request).unwrap();
    }
    own.write_all(&bytes).unwrap();
    let (mut received, mut buffer, mut started) = (FrameBuffer::default(), [0; 4096], 0);
    while started < 2 {
        let count = own.read(&mut buffer).unwrap();
        received.extend(&buffer[..count]);
        while let Some(report) = received.take::<Report>().unwrap() {
            if let Report::Events(events) = report {
                started += events.len();
            }
        }
    }
    drop(own);

    let server = Server::start(&executor);
    assert_eq!(server.client(1).welcome().protocol, 9);
    server
        .client(1)
        .send(&[Request::Cancel {
            key: cancelled_key,
            reason: "no longer wanted".into(),
            scope: CancelScope::Always,
        }])
        .unwrap();
    let (of, ending) = server.finished(cancelled_key);
    assert!(of == 1 && matches!(ending, Ending::Cancelled { .. }));
    std::fs::write(executor.directory().join("go"), "").unwrap();
    assert_eq!(server.finished(key), (1, Ending::Exited { code: 7 }));
    server.wait_gone(1);
    server.retire();
}

#[test]
fn what_an_older_executor_left_when_it_was_killed_is_taken_up_and_reported_lost() {
    let mut executor = Executor::start_with(&["--build", "0.0.1"]);
    let launch = executor.shell(UNTIL_GO);
    let key = executor.arm(launch);
    let pid = executor.wait_started(key).to_string();
    executor.disconnect();
    let server = Server::start(&executor);
    let older = i32::try_from(server.client(1).welcome().pid).unwrap();
    let older = rustix::process::Pid::from_raw(older).unwrap();
    rustix::process::kill_process(older, rustix::process::Signal::KILL).unwrap();
    server.wait_gone(1);
    drop(server);

    let server = Server::start(&executor);
    assert_eq!(server.fleet.current.generation, 2);
    let (of, ending) = server.finished(key);
    assert!(of == 1 && matches!(ending, Ending::Lost { .. }));
    assert!(!is_alive(&pid));
    server.wait_gone(1);
    server.retire();
}
