//! `odin __unpack`: unpacks a bundle from standard input into the working directory, as the job's owner.

use odin_wire::Exit;

use crate::arguments::UnpackArgs;

/// Runs the unpacker, which tells the executor how it went.
pub(crate) fn run(args: &UnpackArgs) -> Exit {
    let code = odin_executor::unpack::main(&args.hash);
    if code == std::process::ExitCode::SUCCESS {
        Exit::Done
    } else {
        Exit::Failed
    }
}
