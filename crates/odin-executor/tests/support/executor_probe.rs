//! The executor as a process of its own, for the tests; and its benchmark: `executor-probe bench [COUNT]`.

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
use odin_executor::protocol::{AttemptKey, Launch, LaunchProgram, Report, Request};
use odin_executor::{Client, DataDir, ExecutorOptions, ExecutorProgram, FromExecutor, raw};
use odin_model::attempt::AttemptEventKind;
use odin_model::{AttemptNumber, Boottime, Clock, JobId, Owner, RunId, VersionNumber};

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
        Some("__unpack") => odin_executor::unpack::main(&args[2]),
        Some("bench") => {
            bench(
                args.get(2)
                    .map_or(2000, |count| count.parse().expect("a count")),
            );
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: executor-probe bench [COUNT]");
            ExitCode::from(2)
        }
    }
}

/// `/bin/true`, `count` times: raw, then through an executor, all armed for one instant.
fn bench(count: usize) {
    let per_second = |elapsed: Duration| count as f64 / elapsed.as_secs_f64();
    let mut best: f64 = 0.0;
    for in_flight in [1, 2, 4] {
        let rate = per_second(raw::spawn_and_wait(&SystemClock, count, in_flight).expect("raw"));
        println!("raw, {in_flight} in flight: {rate:.0}/s");
        best = best.max(rate);
    }
    let temp = tempfile_dir();
    let dir = DataDir::new(temp.clone());
    let job = JobId::from_bits(1);
    std::fs::create_dir_all(dir.version(job, VersionNumber::FIRST)).expect("a directory");
    let program = ExecutorProgram {
        path: std::env::current_exe().expect("own path"),
        args: vec!["__executor".into(), temp.clone().into()],
    };
    let (sender, reports) = channel();
    let client = Client::connect_or_spawn(&program, &dir, move |from| _ = sender.send(from))
        .expect("an executor");
    let pid = client.welcome().pid;
    let settle = || {
        client.send(&[Request::List]).expect("a list");
        wait_for(&reports, |report| matches!(report, Report::Attempts(_)));
        resident_kib(pid)
    };
    println!("resident, idle: {} KiB", settle());
    let launch = |index: usize, at: Boottime| {
        Request::Arm(Box::new(Launch {
            key: AttemptKey {
                run: RunId::from_bits(index as u64),
                attempt: AttemptNumber::FIRST,
            },
            job,
            job_name: "bench".into(),
            version: VersionNumber::FIRST,
            owner: Owner {
                user: own_user(),
                uid: rustix::process::getuid().as_raw(),
            },
            due_at: SystemClock.wall(),
            not_before: at,
            program: LaunchProgram::Argv(vec!["/bin/true".into()]),
            env: vec![],
            timeout: None,
            kill_grace: Duration::from_secs(10),
            output_bytes_max: 1 << 20,
            node: "bench".into(),
        }))
    };
    let until = SystemClock.boottime().plus(Duration::from_secs(3600));
    client.send(&[Request::Lease { until }]).expect("a lease");
    for round in 0..3 {
        let at = SystemClock
            .boottime()
            .plus(Duration::from_millis(500 + count as u64 / 20));
        let requests: Vec<_> = (0..count)
            .map(|index| launch(round * count + index, at))
            .collect();
        client.send(&requests).expect("launches");
        println!("resident, {count} armed: {} KiB", settle());
        let (mut started, mut finished, mut last) = (Vec::new(), 0, 0);
        let wall_at_due = {
            let (wall, boot) = (SystemClock.wall(), SystemClock.boottime());
            wall + at.since(boot)
        };
        while finished < count {
            let Ok(FromExecutor::Report(Report::Events(events))) = reports.recv() else {
                continue;
            };
            for event in events {
                last = event.number;
                match event.event.kind {
                    AttemptEventKind::Started { at, .. } => {
                        started.push(at.duration_since(wall_at_due));
                    }
                    AttemptEventKind::Finished(_) => finished += 1,
                }
            }
            client
                .send(&[Request::Ack { up_to: last }])
                .expect("an ack");
        }
        let rate = per_second(SystemClock.boottime().since(at));
        started.sort();
        println!(
            "executor: {rate:.0}/s, {:.0} % of raw; first start {:?} after due, last {:?}; resident {} KiB",
            100.0 * rate / best,
            started[0],
            started[count - 1],
            resident_kib(pid)
        );
    }
    client.send(&[Request::Drain]).expect("drain");
    while !matches!(reports.recv(), Ok(FromExecutor::Closed { .. }) | Err(_)) {}
    std::fs::remove_dir_all(temp).expect("removed");
}

fn wait_for(reports: &Receiver<FromExecutor>, wanted: impl Fn(&Report) -> bool) {
    while !matches!(reports.recv().expect("connected"), FromExecutor::Report(report) if wanted(&report))
    {
    }
}

fn own_user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "root".into())
}

fn tempfile_dir() -> PathBuf {
    let path = std::env::temp_dir().join(format!("odin-executor-bench-{}", std::process::id()));
    std::fs::create_dir(&path).expect("a directory");
    path
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("alive");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a line");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number")
}
