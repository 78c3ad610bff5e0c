//! Searches seeds for what must not be: `simulate [--seed FIRST] [--count N]`.
//!
//! A finding is printed with its seed; the same seed on the same commit draws the same faults again.

#![allow(clippy::print_stdout, reason = "what it finds is its output")]

use std::process::ExitCode;

use odin_simulator::search;

const USAGE: &str = "usage: odin-simulator simulate [--seed FIRST] [--count N]";

fn main() -> ExitCode {
    let Some((first, count)) = arguments(std::env::args().skip(1)) else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    let mut failed = 0;
    for seed in first..first.saturating_add(count) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        let runtime = runtime.expect("the system has threads");
        match runtime.block_on(search(directory.path(), seed)) {
            Ok(searched) => println!("seed {seed}: {searched:?}"),
            Err(found) => {
                failed += 1;
                println!(
                    "seed {seed}: {} findings, the first: {:?}",
                    found.len(),
                    found[0]
                );
            }
        }
    }
    println!("{} passed, {failed} failed", count - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The first seed and how many. `None`: something else was written.
fn arguments(mut given: impl Iterator<Item = String>) -> Option<(u64, u64)> {
    let (mut first, mut count) = (1, 10);
    if given.next()? != "simulate" {
        return None;
    }
    while let Some(flag) = given.next() {
        let number = given.next()?.parse().ok()?;
        match flag.as_str() {
            "--seed" => (first, count) = (number, 1),
            "--count" => count = number,
            _ => return None,
        }
    }
    Some((first, count))
}
