//! The repository's own commands: verify, fix, test, bench.
#![cfg_attr(test, allow(clippy::unwrap_used))]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command for developers: it talks to a terminal, runs cargo and looks at the clock"
)]

mod bench;
mod finding;
mod layers;
mod manifest;
mod repository;
mod step;
mod test;
mod tidy;
mod tools;
mod verify;

use std::process::ExitCode;

use crate::repository::Repository;
use crate::step::Failure;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  verify            the gate: format, clippy, layers, tidy. Writes nothing.
  tidy              only the quick half of verify: layers and tidy, without a build.
  fix               formats, and applies what clippy can apply by itself.
  test              verify, then every test of the workspace, doc tests included, and of the SDKs.
  sdks              only the tests of the SDKs: each installed from its built package.
  bench             the benchmarks, beside this machine's raw figures.
  torture [ARGS]    real servers under faults (odin-torture), in release.
  simulate [ARGS]   the simulated cluster, e.g. `--seed 4412`.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match dispatch(&command, &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask {command}: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(command: &str, rest: &[String]) -> Result<(), Failure> {
    let repository = Repository::find()?;
    match command {
        "bench" => return bench::bench(&repository, rest),
        "torture" => return bench::torture(&repository, rest),
        "simulate" => return bench::simulate(&repository, rest),
        _ => {}
    }
    if let Some(extra) = rest.first() {
        return Err(Failure::Usage(format!(
            "`{command}` takes no argument `{extra}`\n\n{USAGE}"
        )));
    }
    match command {
        "verify" => verify::verify(&repository),
        "tidy" => verify::tidy(&repository),
        "fix" => verify::fix(&repository),
        "test" => test::test(&repository),
        "sdks" => test::sdks(&repository),
        "help" | "-h" | "--help" => {
            print!("{USAGE}");
            Ok(())
        }
        "" => Err(Failure::Usage(USAGE.to_owned())),
        unknown => Err(Failure::Usage(format!(
            "there is no command `{unknown}`\n\n{USAGE}"
        ))),
    }
}
