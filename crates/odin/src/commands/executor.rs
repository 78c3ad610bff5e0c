//! `odin __executor`: the parent of all job processes of a node.

use std::sync::Arc;

use odin_executor::ExecutorOptions;
use odin_node::clock::SystemClock;
use odin_wire::Exit;

use crate::arguments::ExecutorArgs;
use crate::error::CliError;

/// Runs the executor until it has nothing to do and nobody to serve.
pub(crate) fn run(args: &ExecutorArgs) -> Result<(), CliError> {
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
