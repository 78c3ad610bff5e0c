//! The executor as a process of its own, for the tests; and its benchmarks: `executor-probe bench [COUNT]` of processes,
//! `executor-probe unpack [COUNT]` of versions.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for developers"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use jiff::Timestamp;
use odin_executor::protocol::{
    AfterLease, AttemptKey, Launch, LaunchProgram, Prepare, Report, Request,
};
use odin_executor::{Client, DataDir, ExecutorOptions, ExecutorProgram, FromExecutor, raw};
use odin_model::attempt::AttemptEventKind;
use odin_model::{
    AttemptNumber, Boottime, BundleHash, Children, Clock, JobId, Limits, Owner, RunId, Timeouts,
    VersionNumber,
};

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn boottime(&self) -> Boottime {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Boottime(Duration::new(
            u64::try_from(now.tv_sec).expect("positive"),
            u32::try_from(now.tv_nsec).expect("below a second"),
        ))
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("__executor") => {
            let mut options = ExecutorOptions::new(PathBuf::from(&args[2]));
            let after = |name: &str| {
                let place = args.iter().position(|arg| arg == name)?;
                args.get(place + 1)
            };
            if let Some(generation) = after("--generation") {
                options.generation = generation.parse().expect("a number");
            }
            if let Some(protocol) = after("--protocol") {
                options.protocol = protocol.parse().expect("a number");
            }
            if let Some(build) = after("--build") {
                options.build.clone_from(build);
            }
            if let Some(seconds) = args.get(3) {
                options.idle_exit = Duration::from_secs(seconds.parse().expect("seconds"));
            }
            match odin_executor::run(&options, Arc::new(SystemClock)) {
                Ok(reason) => {
                    eprintln!("the executor ended: {reason:?}");
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    eprintln!("{}: {error}", error.code());
                    ExitCode::FAILURE
                }
            }
        }
        Some("__unpack") => odin_executor::unpack::main(),
        Some("bench") => {
            bench(
                args.get(2)
                    .map_or(2000, |count| count.parse().expect("a count")),
            );
            ExitCode::SUCCESS
        }
        Some("unpack") => {
            let count = args.get(2).map_or(1000, |it| it.parse().expect("a count"));
            let mut bench = Bench::start();
            bench.unpack(count);
            bench.end();
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: executor-probe bench|unpack [COUNT]");
            ExitCode::from(2)
        }
    }
}

/// `/bin/true`, raw and through an executor: many at one instant, one after the other, and spread over time.
fn bench(count: usize) {
    let mut best: f64 = 0.0;
    for in_flight in [1, 2, 4] {
        let rate = rate(
            count,
            raw::spawn_and_wait(&SystemClock, count, in_flight).expect("raw"),
        );
        println!("raw, {in_flight} in flight: {rate:.0}/s");
        best = best.max(rate);
    }
    let mut bench = Bench::start();
    println!("resident, idle: {} KiB", bench.resident_kib());
    for _ in 0..3 {
        bench.many_at_once(count, best);
    }
    bench.one_after_the_other(count / 10);
    bench.spread(500);
    bench.end();
}

fn rate(count: usize, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

struct Bench {
    directory: PathBuf,
    client: Client,
    reports: Receiver<FromExecutor>,
    next_run: u64,
}

impl Bench {
    fn start() -> Self {
        let name = format!("odin-executor-bench-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let dir = DataDir::new(directory.clone());
        std::fs::create_dir_all(dir.version(JobId::from_bits(1), VersionNumber::FIRST))
            .expect("a directory");
        let program = ExecutorProgram {
            path: std::env::current_exe().expect("own path"),
            args: vec!["__executor".into(), directory.clone().into()],
        };
        let (sender, reports) = channel();
        let client = Client::connect_or_spawn(&program, &dir, move |from| _ = sender.send(from));
        let client = client.expect("an executor");
        let until = SystemClock.boottime().plus(Duration::from_secs(3600));
        client
            .send(&[Request::Lease {
                until,
                then: AfterLease::RunsGoOn,
            }])
            .expect("a lease");
        Self {
            directory,
            client,
            reports,
            next_run: 1,
        }
    }

    fn launch(&mut self, not_before: Boottime) -> Request {
        self.next_run += 1;
        Request::Arm(Box::new(Launch {
            key: AttemptKey {
                run: RunId::from_bits(self.next_run),
                attempt: AttemptNumber::FIRST,
            },
            job: JobId::from_bits(1),
            job_name: "bench".into(),
            version: VersionNumber::FIRST,
            owner: Owner {
                user: std::env::var("USER").unwrap_or_else(|_| "root".into()),
                uid: rustix::process::getuid().as_raw(),
            },
            due_at: SystemClock.wall(),
            ready_at: not_before,
            not_before,
            program: LaunchProgram::Argv(vec!["/bin/true".into()]),
            secrets: Vec::new(),
            env: vec![],
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            children: Children::default(),
            on_cancel: None,
            unleased: None,
            kill_grace: Duration::from_secs(10),
            output_bytes_max: 1 << 20,
            values_bytes_max: 10 << 20,
            node: "bench".into(),
        }))
    }

    /// Takes events, acknowledged, until `count` runs are over; when each started, in the order of the reports.
    fn finish(&self, count: usize) -> Vec<Timestamp> {
        let (mut started, mut finished) = (Vec::new(), 0);
        while finished < count {
            let Ok(FromExecutor::Report(Report::Events(events))) = self.reports.recv() else {
                continue;
            };
            let last = events.last().map_or(0, |event| event.number);
            for event in events {
                match event.event.kind {
                    AttemptEventKind::Started { at, .. } => started.push(at),
                    AttemptEventKind::Finished(_) => finished += 1,
                }
            }
            self.client
                .send(&[Request::Ack { up_to: last }])
                .expect("an ack");
        }
        started
    }

    fn many_at_once(&mut self, count: usize, best: f64) {
        let lead = Duration::from_millis(500 + u64::try_from(count).expect("small") / 20);
        let at = SystemClock.boottime().plus(lead);
        let due = SystemClock.wall() + lead;
        let launches: Vec<_> = (0..count).map(|_| self.launch(at)).collect();
        self.client.send(&launches).expect("launches");
        let armed = self.resident_kib();
        let started = self.finish(count);
        let rate = rate(count, SystemClock.boottime().since(at));
        let late = |at: Option<&Timestamp>| at.map(|at| at.duration_since(due).as_millis_f64());
        println!(
            "{count} at one instant: {rate:.0}/s, {:.0} % of raw; starts {:.2?} to {:.2?} ms after due; \
             resident {armed} KiB armed, {} KiB after",
            100.0 * rate / best,
            late(started.iter().min()).unwrap_or_default(),
            late(started.iter().max()).unwrap_or_default(),
            self.resident_kib()
        );
    }

    fn one_after_the_other(&mut self, count: usize) {
        let before = SystemClock.boottime();
        for _ in 0..count {
            let launch = self.launch(SystemClock.boottime());
            self.client.send(&[launch]).expect("a launch");
            self.finish(1);
        }
        let each =
            SystemClock.boottime().since(before) / u32::try_from(count.max(1)).expect("small");
        println!("one after the other, from the request to the result: {each:.2?} each");
    }

    /// Beside it, what a thread that only sleeps until the same instants gets: the machine's own part.
    fn spread(&mut self, count: u64) {
        let (boot, wall) = (SystemClock.boottime(), SystemClock.wall());
        let offset = |index: u64| Duration::from_millis(200 + 10 * index);
        let launches: Vec<_> = (0..count)
            .map(|index| self.launch(boot.plus(offset(index))))
            .collect();
        self.client.send(&launches).expect("launches");
        let sleeper = std::thread::spawn(move || {
            let wakes = (0..count).map(|index| {
                let at = boot.plus(offset(index)).0;
                let at = rustix::time::Timespec::try_from(at).expect("an instant");
                let clock = rustix::thread::ClockId::Boottime;
                rustix::thread::clock_nanosleep_absolute(clock, &at).expect("slept");
                SystemClock.wall().duration_since(wall + offset(index))
            });
            wakes.map(|late| late.as_millis_f64()).collect()
        });
        let started = self.finish(launches.len());
        let late = started
            .iter()
            .zip(0..)
            .map(|(at, index)| at.duration_since(wall + offset(index)));
        let late = late.map(|late| late.as_millis_f64()).collect();
        for (who, late) in [
            ("one every 10 ms", late),
            (
                "a thread that sleeps, meanwhile",
                sleeper.join().expect("slept"),
            ),
        ] {
            println!("{who}: {} ms after due", quantiles(late));
        }
    }

    /// New versions, each of a job of its own with a program of two lines, as many asked for at once as a server asks.
    fn unpack(&mut self, count: usize) {
        let content = b"#!/bin/sh\ntrue\n";
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        let appended = builder.append_data(&mut header, "main.sh", &content[..]);
        appended.expect("a tar in memory");
        let tar = builder.into_inner().expect("a tar in memory");
        let hash = BundleHash(<sha2::Sha256 as sha2::Digest>::digest(&tar).into());
        let bundle = self.directory.join("bundle");
        let packed = zstd::encode_all(&tar[..], 1).expect("packed in memory");
        std::fs::write(&bundle, packed).expect("a bundle");
        let owner = Owner {
            user: std::env::var("USER").unwrap_or_else(|_| "root".into()),
            uid: rustix::process::getuid().as_raw(),
        };
        let mut requests = (0..count).map(|job| {
            Request::Prepare(Prepare {
                job: JobId::from_bits(1000 + job as u64),
                version: VersionNumber::FIRST,
                bundle: bundle.clone(),
                hash,
                owner: owner.clone(),
            })
        });
        let before = SystemClock.boottime();
        let first: Vec<_> = requests.by_ref().take(32).collect();
        self.client.send(&first).expect("requests");
        for _ in 0..count {
            wait_for(&self.reports, |report| match report {
                Report::Prepared { failure, .. } => {
                    assert_eq!(*failure, None);
                    true
                }
                _ => false,
            });
            let next: Vec<_> = requests.by_ref().take(1).collect();
            self.client.send(&next).expect("a request");
        }
        let rate = rate(count, SystemClock.boottime().since(before));
        println!("{count} new versions unpacked: {rate:.0}/s");
    }

    fn end(self) {
        self.client.send(&[Request::Drain]).expect("drain");
        while !matches!(
            self.reports.recv(),
            Ok(FromExecutor::Closed { .. }) | Err(_)
        ) {}
        std::fs::remove_dir_all(self.directory).expect("removed");
    }

    fn resident_kib(&self) -> u64 {
        self.client.send(&[Request::List]).expect("a list");
        wait_for(&self.reports, |report| {
            matches!(report, Report::Attempts(_))
        });
        let status = format!("/proc/{}/status", self.client.welcome().pid);
        let status = std::fs::read_to_string(status).expect("alive");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("a line");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .expect("a number")
    }
}

fn quantiles(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |percent: usize| values[(values.len() - 1) * percent / 100];
    format!("p50 {:.3}, p99 {:.3}, max {:.3}", at(50), at(99), at(100))
}

fn wait_for(reports: &Receiver<FromExecutor>, wanted: impl Fn(&Report) -> bool) {
    while !matches!(reports.recv().expect("connected"), FromExecutor::Report(report) if wanted(&report))
    {
    }
}
