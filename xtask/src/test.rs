//! All tests, after the gate.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::repository::Repository;
use crate::step::{Failure, cargo, run, shown};
use crate::{tools, verify};

/// The tools that the tests need, the gate, then every test: of crates, of the built program, of the examples in the
/// documentation of the code, and of the SDKs.
pub(crate) fn test(repository: &Repository) -> Result<(), Failure> {
    let started = Instant::now();
    let missing = tools::missing(repository);
    if !missing.is_empty() {
        return Err(Failure::MissingTools(missing));
    }
    verify::verify(repository)?;
    // Tests of the command line run the built program, also those of crates that cargo does not know need it.
    run(cargo(
        repository,
        &["build", "--locked", "--package", "odin"],
    ))?;
    let tally = run_tests(repository)?;
    sdks(repository)?;
    println!(
        "\nverify: all rules hold\ntests: {} passed, {} failed, {} ignored, in {} s",
        tally.passed,
        tally.failed,
        tally.ignored,
        started.elapsed().as_secs()
    );
    Ok(())
}

/// The contract of the SDKs against each of them, installed from its built package, and their own tests.
pub(crate) fn sdks(repository: &Repository) -> Result<(), Failure> {
    let mut command = Command::new("python3");
    command
        .arg("sdks/contract/run.py")
        .current_dir(&repository.root)
        .env("PATH", tools::path(repository));
    run(command)
}

/// Counts over all test programs.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds a closing line of a test program: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in rest.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(count), Some(what)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

fn run_tests(repository: &Repository) -> Result<Tally, Failure> {
    // Every test program runs even after one failed: a person wants the whole list.
    let mut command = cargo(
        repository,
        &["test", "--workspace", "--locked", "--no-fail-fast"],
    );
    let shown = shown(&command);
    println!("» {shown}");
    let not_started = |error| Failure::NotStarted {
        command: shown.clone(),
        error,
    };
    let mut child = command
        .env("PATH", tools::path(repository))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(not_started)?;
    let stdout = child.stdout.take().expect("it was asked to be piped");
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(not_started)?;
        // Tests may print any bytes.
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.add(&line);
    }
    let status = child.wait().map_err(not_started)?;
    let Tally {
        passed,
        failed,
        ignored,
    } = tally;
    if !status.success() || failed > 0 {
        return Err(Failure::Tests {
            summary: format!(
                "{passed} tests passed, {failed} failed; `{shown}` ended with {status}"
            ),
        });
    }
    if ignored > 0 {
        return Err(Failure::Tests {
            summary: format!(
                "{ignored} tests are ignored; a test that does not run proves nothing"
            ),
        });
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_test_programs_are_added_up() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            tally.add(line);
        }
        let expected = Tally {
            passed: 7,
            failed: 2,
            ignored: 1,
        };
        assert_eq!(tally, expected);
    }
}
