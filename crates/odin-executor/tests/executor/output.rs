//! Nothing that a job prints is lost below the cap, and nothing above it costs more than the cap.

use odin_executor::output::{self, Page};
use odin_executor::protocol::{AttemptKey, PeekedOutput, Report, Request};
use odin_model::attempt::{AttemptResult, Ending};
use odin_model::output::{OutputKept, Stream};

use crate::executor::{Executor, inline};

fn in_file(executor: &Executor, key: AttemptKey) -> Vec<u8> {
    let (mut bytes, mut from) = (Vec::new(), 0);
    loop {
        let Page { chunks, next, more } = output::read(&executor.dir, key, from, 1 << 20).unwrap();
        bytes.extend(chunks.into_iter().flat_map(|chunk| chunk.bytes));
        from = next;
        if !more {
            return bytes;
        }
    }
}

fn run(executor: &mut Executor, line: &str) -> (AttemptKey, AttemptResult) {
    let launch = executor.shell(line);
    let key = launch.key;
    (key, executor.run(launch))
}

fn resident_bytes(pid: u32) -> usize {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * rustix::param::page_size()
}

#[test]
fn small_output_is_in_the_result_with_its_stream() {
    let mut executor = Executor::start();
    let (key, result) = run(
        &mut executor,
        "printf out; printf err >&2; printf 'no newline'",
    );
    assert_eq!(inline(&result, Stream::Stdout), "outno newline");
    assert_eq!(inline(&result, Stream::Stderr), "err");
    assert_eq!(
        (result.output.stdout_bytes, result.output.stderr_bytes),
        (13, 3)
    );
    assert!(!executor.dir.output_file(key).exists());
}

#[test]
fn binary_output_arrives_byte_for_byte() {
    let mut executor = Executor::start();
    let (key, result) = run(&mut executor, "head -c 300000 /dev/urandom | tee copy");
    let printed = std::fs::read(executor.directory().join("copy")).unwrap();
    assert_eq!(in_file(&executor, key), printed);
    let OutputKept::Segments { tail } = result.output.kept else {
        panic!("inline")
    };
    let tail: Vec<u8> = tail.into_iter().flat_map(|chunk| chunk.bytes).collect();
    assert_eq!(tail, printed[printed.len() - 4096..]);
}

#[test]
fn a_million_lines_are_kept_in_little_memory() {
    let mut executor = Executor::start();
    let (key, result) = run(&mut executor, "seq 1000000");
    assert_eq!(
        (result.output.stdout_bytes, result.output.dropped_bytes),
        (6_888_896, 0)
    );
    let text = String::from_utf8(in_file(&executor, key)).unwrap();
    assert!(
        text.lines()
            .zip(1..)
            .all(|(line, number)| line.parse() == Ok(number))
    );
    assert!(text.ends_with("\n1000000\n"));
    assert!(resident_bytes(executor.pid()) < 20 << 20);
}

#[test]
fn output_beyond_the_cap_is_counted_and_the_end_is_still_there() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("head -c 1000000000 /dev/zero; echo the end");
    launch.output_bytes_max = 100_000;
    let key = launch.key;
    let result = executor.run(launch);
    assert_eq!(result.ending, Ending::Exited { code: 0 });
    assert_eq!(
        (result.output.stdout_bytes, result.output.dropped_bytes),
        (1_000_000_008, 999_900_008)
    );
    let kept = in_file(&executor, key);
    let mark = "\n[odin: output beyond 100000 bytes is not kept]\n";
    assert_eq!(
        (kept.len(), &kept[100_000..]),
        (100_000 + mark.len(), mark.as_bytes())
    );
    let OutputKept::Segments { tail } = result.output.kept else {
        panic!("inline")
    };
    assert!(tail.last().unwrap().bytes.ends_with(b"the end\n"));
    assert!(resident_bytes(executor.pid()) < 20 << 20);
}

#[test]
fn a_noisy_job_does_not_hold_up_the_others() {
    let mut executor = Executor::start();
    let noisy = executor.shell("exec yes");
    let noisy = executor.arm(noisy);
    executor.wait_started(noisy);
    for _ in 0..5 {
        assert_eq!(executor.ending_of("echo quick"), Ending::Exited { code: 0 });
    }
}

#[test]
fn a_running_jobs_output_can_be_seen() {
    let mut executor = Executor::start();
    let launch = executor
        .shell("echo so far; echo > there; while [ ! -e go ]; do sleep 0.01; done; seq 1000");
    let key = executor.arm(launch);
    executor.wait_started(key);
    executor.wait_for_file("there");
    let mut seen = PeekedOutput::NotRunning;
    while seen == PeekedOutput::NotRunning || seen == PeekedOutput::Inline(vec![]) {
        executor.send([Request::Peek { key }]);
        seen = executor.until(|report| match report {
            Report::Output { output, .. } => Some(output.clone()),
            _ => None,
        });
    }
    let PeekedOutput::Inline(chunks) = seen else {
        panic!("{seen:?}")
    };
    assert_eq!(chunks[0].bytes, b"so far\n");
    std::fs::write(executor.directory().join("go"), "").unwrap();
    executor.wait_finished(key);
    assert!(in_file(&executor, key).starts_with(b"so far\n1\n2\n"));
}
