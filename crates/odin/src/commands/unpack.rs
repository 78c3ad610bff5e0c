//! `odin __unpack`: unpacks the bundles that the executor sends, as their owner.

use odin_wire::Exit;

/// Runs the unpacker, which tells the executor how it went.
pub(crate) fn run() -> Exit {
    let code = odin_executor::unpack::main();
    if code == std::process::ExitCode::SUCCESS {
        Exit::Done
    } else {
        Exit::Failed
    }
}
