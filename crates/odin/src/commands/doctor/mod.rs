//! `odin doctor`: what this machine and its server can do, and what to mend.
//!
//! Facts are gathered first, as plain data; what they mean is decided by functions of them.

mod check;
mod data_dir;
mod disk;
mod executors;
mod history;
mod machine;
mod server;

use std::path::PathBuf;

use odin_wire::Exit;
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::server_choice;
use check::{Check, State};

#[derive(Serialize)]
struct Findings<'a> {
    checks: &'a [Check],
}

/// Looks at the machine and at the server, if there is one, and prints what was found: exit code 1 for a problem.
pub(crate) async fn run(context: &Context) -> Result<Exit, CliError> {
    let (server, server_checks) = server::look(context).await?;
    let data_dir = server.as_ref().map(|server| server.data_dir.clone());
    let place = data_dir.or_else(own_data_dir);
    let facts = machine::Machine::look(place.clone(), server.map(|it| it.uid));
    let mut checks = machine::checks(&facts);
    // What does not exist yet has nothing to keep.
    let existing = place.filter(|place| place.is_dir());
    if let Some(place) = existing {
        checks.extend(disk::look(&place));
        checks.extend(history::look(&place));
    }
    checks.extend(server_checks);
    if context.json() {
        context.print_json(&Findings { checks: &checks })?;
    } else {
        context.print(&check::drawn(&checks))?;
    }
    let is_ill = checks.iter().any(|check| check.state == State::Problem);
    Ok(if is_ill { Exit::Failed } else { Exit::Done })
}

/// Where a server that this user starts would keep its data.
fn own_data_dir() -> Option<PathBuf> {
    let is_root = rustix::process::geteuid().is_root();
    server_choice::data_dir(&|name| std::env::var_os(name), is_root)
}
