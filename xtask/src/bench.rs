//! Benchmarks, faults and simulation: programs of the workspace, built the way they must be built.

use crate::repository::Repository;
use crate::step::{Failure, cargo, run};

/// The quick benches of single crates, then the end-to-end figures beside this machine's raw ones.
pub(crate) fn bench(repository: &Repository, arguments: &[String]) -> Result<(), Failure> {
    run(cargo(
        repository,
        &["build", "--release", "--locked", "--package", "odin"],
    ))?;
    for bench in crate_benches(repository) {
        let mut command = cargo(
            repository,
            &[
                "bench",
                "--locked",
                "--package",
                &bench.package,
                "--bench",
                &bench.name,
            ],
        );
        if bench.harness == Harness::Criterion {
            // Enough to see a factor, short enough to be run before a commit. The figures go beside each other: none
            // is judged by a clock in a test.
            command.args(["--", "--warm-up-time", "0.5", "--measurement-time", "1"]);
            command.args(["--sample-size", "10", "--noplot"]);
        }
        run(command)?;
    }
    end_to_end(repository, arguments)
}

/// The figures that need a whole server: they belong to odin-torture, which starts it, measures the raw figures in
/// the same run, and prints both.
fn end_to_end(repository: &Repository, arguments: &[String]) -> Result<(), Failure> {
    run_release(repository, "odin-torture", "bench", arguments)
}

/// Real servers under faults, with a checker that trusts only evidence.
pub(crate) fn torture(repository: &Repository, arguments: &[String]) -> Result<(), Failure> {
    run(cargo(
        repository,
        &["build", "--release", "--locked", "--package", "odin"],
    ))?;
    run_release(repository, "odin-torture", "torture", arguments)
}

/// The simulated cluster over seeds.
pub(crate) fn simulate(repository: &Repository, arguments: &[String]) -> Result<(), Failure> {
    run_release(repository, "odin-simulator", "simulate", arguments)
}

fn run_release(
    repository: &Repository,
    package: &'static str,
    subcommand: &str,
    arguments: &[String],
) -> Result<(), Failure> {
    if !repository.has_program(package) {
        return Err(Failure::NoProgram { package });
    }
    let mut command = cargo(
        repository,
        &[
            "run",
            "--release",
            "--locked",
            "--package",
            package,
            "--",
            subcommand,
        ],
    );
    command.args(arguments);
    run(command)
}

/// Who reads a bench's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Harness {
    Criterion,
    Own,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CrateBench {
    package: String,
    name: String,
    harness: Harness,
}

/// The files under `benches/` of all crates.
fn crate_benches(repository: &Repository) -> Vec<CrateBench> {
    let mut found = Vec::new();
    let Ok(members) = std::fs::read_dir(repository.root.join("crates")) else {
        return found;
    };
    for member in members.flatten() {
        let Ok(benches) = std::fs::read_dir(member.path().join("benches")) else {
            continue; // Most crates have none.
        };
        for bench in benches.flatten() {
            let path = bench.path();
            if path.extension().is_none_or(|end| end != "rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let harness = if source.contains("criterion") {
                Harness::Criterion
            } else {
                Harness::Own
            };
            found.push(CrateBench {
                package: member.file_name().to_string_lossy().into_owned(),
                name: path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                harness,
            });
        }
    }
    found.sort();
    found
}
