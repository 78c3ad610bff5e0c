//! `odin demo`: a server in a temporary directory, with example jobs.

use crate::arguments::DemoArgs;
use crate::commands::server;
use crate::demo;
use crate::error::CliError;

/// Runs the demonstration.
pub(crate) fn run(args: DemoArgs) -> Result<(), CliError> {
    let program = server::own_program()?;
    let runtime = server::runtime()?;
    runtime.block_on(async {
        let interrupted = server::told_to_end()?;
        demo::run(program, args.duration, interrupted).await
    })
}
