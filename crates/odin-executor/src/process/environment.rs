//! What a job sees in its environment.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::Path;

use super::DEFAULT_PATH;
use super::identity::Account;
use super::program::{NullByte, c_string};
use crate::protocol::Launch;
use crate::values::RunToken;

/// What is drawn for each attempt.
#[derive(Clone)]
pub(crate) struct Drawn {
    pub(crate) token: RunToken,
    pub(crate) trace: [u8; 16],
    pub(crate) span: [u8; 8],
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The environment: the owner's own, a `PATH`, the job file's, and what Odin says of the run, which wins.
/// `cancel_reason` is for the command that runs before a run is ended.
/// One entry per name, so that no program reads another value than its parent did.
pub(crate) fn environment(
    launch: &Launch,
    account: &Account,
    values_socket: &Path,
    drawn: &Drawn,
    cancel_reason: Option<&str>,
) -> Result<Vec<CString>, NullByte> {
    let mut variables: BTreeMap<&str, String> = BTreeMap::new();
    let mut set = |name, value: String| _ = variables.insert(name, value);
    set("HOME", account.home.clone());
    set("USER", account.user.clone());
    set("LOGNAME", account.user.clone());
    set(
        "SHELL",
        if account.shell.is_empty() {
            "/bin/sh".to_owned()
        } else {
            account.shell.clone()
        },
    );
    set("PATH", DEFAULT_PATH.to_owned());
    for (name, value) in &launch.env {
        set(name, value.clone());
    }
    set("ODIN_SOCKET", values_socket.to_string_lossy().into_owned());
    set("ODIN_RUN_TOKEN", drawn.token.text());
    set("ODIN_RUN_ID", launch.key.run.to_string());
    set("ODIN_JOB_ID", launch.job.to_string());
    set("ODIN_JOB_NAME", launch.job_name.clone());
    set("ODIN_DUE_AT", launch.due_at.to_string());
    set("ODIN_ATTEMPT", launch.key.attempt.to_string());
    set("ODIN_NODE", launch.node.clone());
    set("ODIN_EXEC_ENV", "True".to_owned());
    set(
        "TRACEPARENT",
        format!("00-{}-{}-01", hex(&drawn.trace), hex(&drawn.span)),
    );
    if let Some(reason) = cancel_reason {
        variables.insert("ODIN_CANCEL_REASON", reason.replace('\0', ""));
    }
    variables
        .into_iter()
        .map(|(name, value)| c_string(format!("{name}={value}")))
        .collect()
}
