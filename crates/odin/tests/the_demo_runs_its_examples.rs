//! `odin demo`: real jobs in a temporary directory, proof that they did their work, and nothing left behind.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use odin_testbed::sealed;
use rustix::process::{Pid, Signal, kill_process};

const ODIN: &str = env!("CARGO_BIN_EXE_odin");
const EXAMPLES: [&str; 4] = [
    "prune-stale-files",
    "migrate-database",
    "refresh-token",
    "scrape-timetable",
];

/// What is below the directory that the demo was told to use for temporary files.
fn left_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The processes whose command line names the directory.
fn processes_of(directory: &Path) -> usize {
    let wanted = directory.as_os_str().as_encoded_bytes();
    let lines = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = lines.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| line.windows(wanted.len()).any(|window| window == wanted))
        .count()
}

#[test]
fn every_example_does_its_work_and_nothing_is_left() {
    let temporary = tempfile::tempdir().unwrap();
    let output = sealed(Path::new(ODIN))
        .args(["demo", "--for", "14s"])
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for example in EXAMPLES {
        let proven = said
            .lines()
            .any(|line| line.contains(example) && line.ends_with("it did its work"));
        assert!(proven, "{example}: {said}");
    }
    assert_eq!(left_in(temporary.path()), Vec::<String>::new());
    assert_eq!(processes_of(temporary.path()), 0);
}

#[test]
fn an_interrupt_ends_it_and_nothing_is_left() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = sealed(Path::new(ODIN))
        .arg("demo")
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    // The first run that it tells of.
    let told = lines.by_ref().map(Result::unwrap);
    assert!({ told }.any(|line| line.contains("refresh-token") && line.contains(" in ")));
    let pid = Pid::from_raw(demo.id().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let last = lines.map(Result::unwrap).last().unwrap();
    assert_eq!(last, "The demo is over; its server and files are gone.");
    assert!(demo.wait().unwrap().success());
    assert_eq!(left_in(temporary.path()), Vec::<String>::new());
    assert_eq!(processes_of(temporary.path()), 0);
}
