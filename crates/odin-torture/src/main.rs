//! Real servers under faults, with a checker that trusts only evidence; and the figures of a whole server.
//!
//! `odin-torture torture [--minutes N] [--seed S]` kills the server again and again under jobs that are due every
//! second, then compares the ledger with the schedules and with what the jobs themselves wrote.
//! `odin-torture soak [--minutes N]` runs a mix of jobs and fails when memory, descriptors, threads or files grow.
//! `odin-torture bench [--quick]` prints the figures of the design's section 13 beside this machine's raw ones.
//!
//! All take `--odin PATH`, the program to use: by default the `odin` beside this one.

#![allow(clippy::print_stdout, reason = "its figures are its output")]

mod arguments;
mod bench;
mod draw;
mod evidence;
mod outcome;
mod soak;
mod torture;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            println!("{message}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.expect("the system has threads");
    let outcome = runtime.block_on(async {
        match arguments.command {
            arguments::Command::Torture => torture::run(&arguments).await,
            arguments::Command::Soak => soak::run(&arguments).await,
            arguments::Command::Bench => Box::pin(bench::run(&arguments)).await,
            arguments::Command::ReportValues(count) => bench::values::report(count),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}
