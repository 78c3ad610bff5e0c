//! One executor in a temporary data directory, and what a server would do with it.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use jiff::Timestamp;
use odin_executor::protocol::{
    AfterLease, AttemptKey, CancelScope, Launch, LaunchProgram, ListedAttempt, NumberedEvent,
    Report, Request,
};
use odin_executor::{Client, DataDir, ExecutorProgram, FromExecutor};
use odin_model::attempt::{AttemptEventKind, AttemptResult, Ending};
use odin_model::output::{OutputKept, Stream};
use odin_model::{
    AttemptNumber, Boottime, Children, JobId, Limits, Owner, RunId, Timeouts, VersionNumber,
};
use rustix::process::{Pid, PidfdFlags, Signal};

/// A bound against hanging, far beyond what anything here takes. No test depends on its length.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn job() -> JobId {
    JobId::from_bits(0xa37b_187f_5930)
}

pub(crate) struct Executor {
    temp: tempfile::TempDir,
    pub(crate) dir: DataDir,
    connection: Option<(Client, Receiver<FromExecutor>)>,
    /// Events that came while something else was waited for.
    waiting: Vec<NumberedEvent>,
    next_run: u64,
    args: Vec<String>,
}

pub(crate) fn now() -> Boottime {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Boottime(Duration::new(
        u64::try_from(now.tv_sec).unwrap(),
        u32::try_from(now.tv_nsec).unwrap(),
    ))
}

pub(crate) fn own_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

pub(crate) fn owner_of(uid: u32) -> Owner {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&uid.to_string()))
        .expect("a passwd entry");
    Owner {
        user: line.split(':').next().unwrap().to_owned(),
        uid,
    }
}

impl Executor {
    /// An executor with a lease for an hour.
    pub(crate) fn start() -> Self {
        let mut executor = Self::start_without_lease();
        executor.give_lease();
        executor
    }

    /// One whose program was given these arguments.
    pub(crate) fn start_with(args: &[&str]) -> Self {
        let mut executor = Self::make(args);
        executor.give_lease();
        executor
    }

    pub(crate) fn start_without_lease() -> Self {
        Self::make(&[])
    }

    fn make(args: &[&str]) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().to_owned());
        // As the server makes it: others reach their own jobs' directories through it.
        rustix::fs::chmod(temp.path(), rustix::fs::Mode::from_raw_mode(0o711)).unwrap();
        let mut executor = Self {
            temp,
            dir,
            connection: None,
            waiting: Vec::new(),
            next_run: 1,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        };
        executor.connect();
        executor.make_version(own_uid());
        executor
    }

    /// Connects, starting the executor if none runs.
    pub(crate) fn connect(&mut self) {
        let (sender, reports) = channel();
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let program = self.program(&args);
        let client =
            Client::connect_or_spawn(&program, &self.dir, move |from| _ = sender.send(from))
                .unwrap();
        self.connection = Some((client, reports));
        self.waiting.clear();
    }

    /// The program, with more arguments.
    pub(crate) fn program(&self, args: &[&str]) -> ExecutorProgram {
        let fixed = ["__executor".into(), self.temp.path().into(), "5".into()];
        ExecutorProgram {
            path: PathBuf::from(env!("CARGO_BIN_EXE_executor-probe")),
            args: fixed
                .into_iter()
                .chain(args.iter().map(Into::into))
                .collect(),
        }
    }

    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }

    pub(crate) fn client(&self) -> &Client {
        &self.connection.as_ref().unwrap().0
    }

    pub(crate) fn pid(&self) -> u32 {
        self.client().welcome().pid
    }

    pub(crate) fn give_lease(&mut self) {
        self.send([Request::Lease {
            until: now().plus(Duration::from_secs(3600)),
            then: AfterLease::RunsGoOn,
        }]);
    }

    /// Keys that no other test of this machine has, for what is looked for by key.
    pub(crate) fn use_runs_of_its_own(&mut self) {
        let nanos = u64::try_from(now().0.as_nanos()).unwrap();
        // Within the bits of a run's id.
        self.next_run = (nanos << 16 | u64::from(std::process::id()) & 0xffff) >> 1;
    }

    /// An unpacked bundle, empty.
    fn make_version(&self, uid: u32) {
        let path = self.dir.version(job(), VersionNumber::FIRST);
        std::fs::create_dir_all(&path).unwrap();
        rustix::fs::chown(&path, Some(rustix::fs::Uid::from_raw(uid)), None).unwrap();
        for path in [self.dir.job(job()), path] {
            rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(0o711)).unwrap();
        }
    }

    pub(crate) fn own_version_as(&self, uid: u32) {
        self.make_version(uid);
    }

    /// Where jobs run.
    pub(crate) fn directory(&self) -> PathBuf {
        self.dir.version(job(), VersionNumber::FIRST)
    }

    /// A launch of a run of its own, due now.
    pub(crate) fn launch(&mut self, program: LaunchProgram) -> Launch {
        let run = RunId::from_bits(self.next_run);
        self.next_run += 1;
        Launch {
            key: AttemptKey {
                run,
                attempt: AttemptNumber::FIRST,
            },
            job: job(),
            job_name: "a job".into(),
            version: VersionNumber::FIRST,
            owner: owner_of(own_uid()),
            due_at: "2026-11-21T09:00:00Z".parse::<Timestamp>().unwrap(),
            ready_at: now(),
            not_before: now(),
            program,
            secrets: Vec::new(),
            env: vec![],
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            children: Children::default(),
            on_cancel: None,
            unleased: None,
            kill_grace: Duration::from_secs(30),
            output_bytes_max: 10 << 20,
            values_bytes_max: 10 << 20,
            node: "node-1".into(),
        }
    }

    /// A launch of a line of shell, due now.
    pub(crate) fn shell(&mut self, line: &str) -> Launch {
        self.launch(LaunchProgram::Shell {
            line: line.into(),
            args: vec![],
        })
    }

    pub(crate) fn send(&self, requests: impl IntoIterator<Item = Request>) {
        self.client()
            .send(&requests.into_iter().collect::<Vec<_>>())
            .unwrap();
    }

    pub(crate) fn arm(&self, launch: Launch) -> AttemptKey {
        let key = launch.key;
        self.send([Request::Arm(Box::new(launch))]);
        key
    }

    pub(crate) fn cancel(&self, key: AttemptKey, scope: CancelScope) {
        self.send([Request::Cancel {
            key,
            reason: "somebody asked".into(),
            scope,
        }]);
    }

    /// What comes next; `None` when the connection is over.
    pub(crate) fn next(&mut self) -> Option<Report> {
        match self
            .connection
            .as_ref()
            .unwrap()
            .1
            .recv_timeout(PATIENCE)
            .expect("the executor says something")
        {
            FromExecutor::Report(report) => Some(report),
            FromExecutor::Closed { .. } => None,
        }
    }

    /// The first report that `pick` takes; events that come before it are kept.
    pub(crate) fn until<T>(&mut self, mut pick: impl FnMut(&Report) -> Option<T>) -> T {
        loop {
            let report = self.next().expect("the executor is there");
            if let Some(picked) = pick(&report) {
                return picked;
            }
            if let Report::Events(events) = report {
                self.waiting.extend(events);
            }
        }
    }

    pub(crate) fn next_event(&mut self) -> NumberedEvent {
        while self.waiting.is_empty() {
            if let Report::Events(events) = self.next().expect("the executor is there") {
                self.waiting.extend(events);
            }
        }
        self.waiting.remove(0)
    }

    pub(crate) fn ack(&self, up_to: u64) {
        self.send([Request::Ack { up_to }]);
    }

    pub(crate) fn wait_started(&mut self, key: AttemptKey) -> u32 {
        loop {
            let event = self.next_event();
            match event.event.kind {
                AttemptEventKind::Started { pid, .. } if event.event.run == key.run => return pid,
                AttemptEventKind::Finished(result) if event.event.run == key.run => {
                    panic!("not started: {result:?}")
                }
                _ => {}
            }
        }
    }

    /// The result of an attempt, acknowledged.
    pub(crate) fn wait_finished(&mut self, key: AttemptKey) -> AttemptResult {
        loop {
            let event = self.next_event();
            match event.event.kind {
                AttemptEventKind::Finished(result) if event.event.run == key.run => {
                    self.ack(event.number);
                    return *result;
                }
                _ => {}
            }
        }
    }

    pub(crate) fn run(&mut self, launch: Launch) -> AttemptResult {
        let key = self.arm(launch);
        self.wait_finished(key)
    }

    pub(crate) fn ending_of(&mut self, line: &str) -> Ending {
        let launch = self.shell(line);
        self.run(launch).ending
    }

    /// What a line of shell prints on stdout, when that is small.
    pub(crate) fn stdout_of(&mut self, launch: Launch) -> String {
        let result = self.run(launch);
        assert_eq!(
            result.ending,
            Ending::Exited { code: 0 },
            "{:?}",
            result.output
        );
        inline(&result, Stream::Stdout)
    }

    pub(crate) fn list(&mut self) -> Vec<ListedAttempt> {
        self.send([Request::List]);
        let mut list = self.until(|report| match report {
            Report::Attempts(attempts) => Some(attempts.clone()),
            _ => None,
        });
        list.sort_by_key(|listed| listed.key);
        list
    }

    /// Kills the executor, as nothing in Odin does, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).unwrap();
        rustix::process::pidfd_send_signal(&pidfd, Signal::KILL).unwrap();
        while self.next().is_some() {}
        self.disconnect();
    }

    /// Waits until the first line of a job's file `name` is there, which the job writes to say how far it is.
    pub(crate) fn wait_for_file(&self, name: &str) -> String {
        wait_until(|| {
            let text = std::fs::read_to_string(self.directory().join(name)).ok()?;
            text.ends_with('\n').then(|| text.trim().to_owned())
        })
    }
}

/// Looks again and again: for what nothing can be waited on.
pub(crate) fn wait_until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let until = now().plus(PATIENCE);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(now() < until, "it did not come");
        std::thread::yield_now();
    }
}

pub(crate) fn inline(result: &AttemptResult, stream: Stream) -> String {
    let OutputKept::Inline(chunks) = &result.output.kept else {
        panic!("not inline: {:?}", result.output)
    };
    let bytes = chunks
        .iter()
        .filter(|chunk| chunk.stream == stream)
        .flat_map(|chunk| chunk.bytes.clone());
    String::from_utf8(bytes.collect()).unwrap()
}

/// The living processes that say they are of this attempt.
pub(crate) fn processes_of(key: AttemptKey) -> Vec<u32> {
    let mark = format!("ODIN_RUN_ID={}\0", key.run);
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let is_marked = environ
            .windows(mark.len())
            .any(|window| window == mark.as_bytes());
        is_marked && is_alive(&pid.to_string())
    })
    .collect()
}

/// The living processes whose working directory this is.
pub(crate) fn processes_in(directory: &std::path::Path) -> Vec<u32> {
    let directory = directory.canonicalize().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let is_there = |path: std::path::PathBuf| path == directory;
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(is_there)
            && is_alive(&pid.to_string())
    })
    .collect()
}

/// Whether a process is there and has not ended.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap()
            .trim_start()
            .starts_with(['Z', 'X'])
    })
}

impl Drop for Executor {
    fn drop(&mut self) {
        if std::thread::panicking() || self.connection.is_none() {
            // It ends its jobs when the data directory's next executor comes, which never does: so it must go here.
            self.connect();
        }
        self.send([Request::List]);
        let Some(list) = self.last_list() else { return };
        for listed in list {
            self.cancel(listed.key, CancelScope::Always);
        }
        self.send([Request::Ack { up_to: u64::MAX }, Request::Drain]);
        while let Some(report) = self.next() {
            if let Report::Events(events) = report
                && let Some(last) = events.last()
            {
                // It may be gone with the answer to an earlier one.
                let _ = self.client().send(&[Request::Ack { up_to: last.number }]);
            }
        }
    }
}

impl Executor {
    fn last_list(&mut self) -> Option<Vec<ListedAttempt>> {
        loop {
            if let Report::Attempts(attempts) = self.next()? {
                return Some(attempts);
            }
        }
    }
}
