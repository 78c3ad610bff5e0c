//! `odin __executor`: the parent of all job processes of a node.

use std::sync::Arc;

use odin_executor::{ExecutorOptions, fault};
use odin_node::clock::SystemClock;
use odin_wire::Exit;

use crate::arguments::ExecutorArgs;
use crate::error::CliError;

/// Reads which fault point this process is to die at, if it is a test's.
pub(crate) fn arm_fault() -> Result<(), CliError> {
    fault::arm_from_environment().map_err(|error| {
        CliError::refused("cli/not-a-fault", error.to_string())
            .with_help(format!("Unset {}: it is for tests.", fault::VARIABLE))
    })
}

/// Runs the executor until it has nothing to do and nobody to serve.
pub(crate) fn run(args: &ExecutorArgs) -> Result<(), CliError> {
    arm_fault()?;
    let mut options = ExecutorOptions::new(args.data_dir.clone());
    options.generation = args.generation;
    match odin_executor::run(&options, Arc::new(SystemClock)) {
        Ok(_) => Ok(()),
        Err(error) => Err(CliError::new(
            Exit::Failed,
            "executor/failed",
            error.to_string(),
        )),
    }
}
