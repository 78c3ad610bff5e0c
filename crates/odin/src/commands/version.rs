//! `odin version`.

use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;

/// The version of this binary.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

/// Prints the version of this binary.
pub(crate) fn run(context: &Context) -> Result<(), CliError> {
    if context.json() {
        return context.print_json(&Version { version: VERSION });
    }
    context.print(&format!("odin {VERSION}\n"))
}
