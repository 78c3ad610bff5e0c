//! The program is replaced while a job runs: the job goes on, its end is told, and new runs do not wait for it.
#![allow(clippy::unwrap_used)]

mod faults;

use std::path::Path;

use faults::{ODIN, Place, wait_for};
use odin_testbed::Server;

const WAITS: &str = "echo $$ > $HERE/pid; echo first
until [ -e $HERE/go ]; do sleep 0.02; done
echo second; exit 7\n";

/// This program with another version of the same length in it, for want of an older one.
fn older_program() -> Vec<u8> {
    let own = env!("CARGO_PKG_VERSION").as_bytes();
    let older = vec![b'0'; own.len()];
    let mut program = std::fs::read(ODIN).unwrap();
    let mut from = 0;
    while let Some(place) = program[from..].windows(own.len()).position(|it| it == own) {
        program[from + place..][..own.len()].copy_from_slice(&older);
        from += place + own.len();
    }
    assert!(from > 0, "the program has its version in it");
    program
}

fn install(program: &Path, bytes: &[u8]) {
    // What runs keeps the file that it was started from.
    let _ = std::fs::remove_file(program);
    std::fs::write(program, bytes).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(program, mode).unwrap();
}

#[test]
fn a_job_goes_on_in_its_executor_and_new_runs_start_in_the_next_one() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("odin");
    install(&program, &older_program());
    let server = Server::start(&program, &directory.path().join("data"));
    let mut place = Place { server, directory };
    place.deploy("waits", "never", "", WAITS);
    place.deploy("quick", "never", "", "exit 3\n");
    let run = place.run("waits");
    let pid = place.wait_for_evidence("pid");
    let older = place.executor();

    place.server.terminate();
    install(&program, &std::fs::read(ODIN).unwrap());
    place.server.restart();

    let quick = place.run("quick");
    assert_eq!(place.ended("quick", &quick)["exit_code"], 3);
    let executors = place.server.executors();
    assert!(
        executors.len() == 2 && executors.contains(&older),
        "{executors:?}"
    );
    assert_eq!(place.one_run("waits", &run)["state"], "running");
    assert!(faults::lives(pid.trim().parse().unwrap()));

    std::fs::write(place.path("go"), "").unwrap();
    let ended = place.ended("waits", &run);
    assert_eq!(ended["exit_code"], 7, "{ended}");
    assert_eq!(ended["attempt"], 1, "{ended}");
    assert_eq!(place.output(&run), b"first\nsecond\n");
    wait_for("the older executor to go", || {
        let executors = place.server.executors();
        (executors.len() == 1 && !executors.contains(&older)).then_some(())
    });
    let again = place.run("quick");
    assert_eq!(place.ended("quick", &again)["exit_code"], 3);
}
