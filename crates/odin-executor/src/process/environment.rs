//! What a job sees in its environment.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::path::Path;

use odin_model::SecretName;
use zeroize::Zeroize;

use super::DEFAULT_PATH;
use super::identity::Account;
use super::program::{NullByte, c_string};
use crate::protocol::Launch;
use crate::trace::RunTrace;
use crate::values::RunToken;

/// What is drawn for each attempt.
#[derive(Clone)]
pub(crate) struct Drawn {
    pub(crate) token: RunToken,
}

impl Drawn {
    /// From the system's random bits. The error is for people.
    pub(crate) fn draw() -> Result<Self, String> {
        let mut bytes = [0; 16];
        // SAFETY: the buffer's length is given. Requests up to 256 bytes are answered whole.
        let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        if count != 16 {
            return Err(format!(
                "the system gave no random bits for the run's token: {}",
                io::Error::last_os_error()
            ));
        }
        Ok(Self {
            token: RunToken(bytes),
        })
    }
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
    secrets: &[(&SecretName, &[u8])],
    cancel_reason: Option<&str>,
) -> Result<Environment, NullByte> {
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
    let trace = RunTrace::of(launch.job, launch.key.run, launch.due_at);
    let span = trace.attempt(launch.key.attempt);
    set(
        "TRACEPARENT",
        format!("00-{}-{}-01", hex(&trace.trace), hex(&span)),
    );
    if let Some(reason) = cancel_reason {
        variables.insert("ODIN_CANCEL_REASON", reason.replace('\0', ""));
    }
    for (name, _) in secrets {
        variables.remove(name.as_str());
    }
    let mut all = variables
        .into_iter()
        .map(|(name, value)| c_string(format!("{name}={value}")))
        .collect::<Result<Vec<_>, _>>()?;
    let clear = all.len();
    for (name, value) in secrets {
        all.push(secret(name, value)?);
    }
    Ok(Environment { all, clear })
}

/// A secret's variable. No error tells its value, and no copy of it stays behind.
fn secret(name: &SecretName, value: &[u8]) -> Result<CString, NullByte> {
    if value.contains(&0) {
        return Err(NullByte(format!("the secret {name}")));
    }
    let name = name.as_str().as_bytes();
    // With room for the byte at its end: growing would leave a copy.
    let mut entry = Vec::with_capacity(name.len() + value.len() + 2);
    entry.extend_from_slice(name);
    entry.push(b'=');
    entry.extend_from_slice(value);
    Ok(CString::new(entry).expect("no null byte was found"))
}

/// What a program gets. Secrets in it are overwritten when it is dropped.
pub(crate) struct Environment {
    all: Vec<CString>,
    /// How many of them, the first, are no secrets.
    clear: usize,
}

impl Environment {
    pub(crate) fn all(&self) -> &[CString] {
        &self.all
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.all.drain(self.clear..).for_each(|mut it| it.zeroize());
    }
}
