//! `odin server`: runs a node.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use odin_node::{Broken, Server, ServerOptions, StartError};
use odin_wire::Exit;
use rustix::process::DumpableBehavior;
use tokio::signal::unix::{SignalKind, signal};

use super::executor::arm_fault;
use crate::arguments::{LogFormat, LogLevel, RAFT_DEFAULT, ServerArgs};
use crate::error::CliError;
use crate::own_codes;
use crate::server_choice;
use crate::terminal;

/// Runs a node until it is told to end.
pub(crate) fn run(args: ServerArgs) -> Result<(), CliError> {
    arm_fault()?;
    if args.join.is_some() {
        return Err(CliError::refused(
            "cli/not-supported-yet",
            "joining a cluster is not supported yet: `--join` cannot be given",
        ));
    }
    args.zones.choose()?;
    parse_listen(&args.raft)?;
    if let Some(name) = args.name.as_deref().filter(|name| !is_node_name(name)) {
        return Err(
            CliError::refused("server/name", format!("{name:?} cannot be a node's name"))
                .with_help("Use up to 63 letters, digits, `-`, `_` and `.`."),
        );
    }
    let options = ServerOptions {
        data_dir: args.data_dir.map_or_else(own_data_dir, Ok)?,
        name: args.name,
        http: parse_listen(&args.http)?,
        slots: args.slots,
        history_bytes: args.history_bytes,
        metrics_open: args.metrics_open,
        history_period: args.history_period,
        keep_ledger: args.keep_ledger,
        program: own_program()?,
    };
    begin_logging(args.log_format, args.log_level)?;
    if args.raft != RAFT_DEFAULT {
        tracing::warn!(
            raft = args.raft,
            "nothing listens there yet: nodes cannot join so far"
        );
    }
    let runtime = runtime()?;
    runtime.block_on(async {
        // Before anything starts: a signal that comes meanwhile ends the server as soon as it is up.
        let shutdown = told_to_end()?;
        let server = Server::start(options)
            .await
            .map_err(|error| not_started(&error))?;
        let ready = server.ready();
        let line = format!(
            "ready http={} raft=none socket={}\n",
            ready.http,
            ready.socket.display()
        );
        let mut stdout = std::io::stdout();
        stdout
            .write_all(line.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(|error| CliError::output(&error))?;
        server
            .run(shutdown)
            .await
            .map_err(|broken| stopped(&broken))
    })
}

/// The data directory of whoever starts a server without naming one.
pub(super) fn own_data_dir() -> Result<PathBuf, CliError> {
    let is_root = rustix::process::geteuid().is_root();
    server_choice::data_dir(&|name| std::env::var_os(name), is_root).ok_or_else(|| {
        CliError::refused(
            "server/no-data-dir",
            "neither ODIN_DATA_DIR nor HOME says where the data should be",
        )
        .with_help("Name a directory with --data-dir.")
    })
}

/// The runtime of a server: two threads are enough for what is not in SQLite or the executor.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    // Secrets pass through this memory: no core dump has them, and no other process of this user reads them, as a job
    // of a server that is not root is one. Core dump limits stay as they are: jobs get theirs from here.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    // Files of the server are its user's alone, whatever the shell says.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    odin_node::heaps::keep_few();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| {
            CliError::new(
                Exit::Failed,
                "server/runtime",
                format!("cannot start threads: {error}"),
            )
        })
}

/// This program's file, which is the executor too.
pub(crate) fn own_program() -> Result<PathBuf, CliError> {
    std::env::current_exe().map_err(|error| {
        CliError::new(
            Exit::Failed,
            "server/program",
            format!("cannot tell where this program is: {error}"),
        )
    })
}

/// Resolves at SIGTERM or SIGINT.
pub(crate) fn told_to_end() -> Result<impl Future<Output = ()>, CliError> {
    let listen = |kind| {
        signal(kind).map_err(|error| {
            CliError::new(
                Exit::Failed,
                "server/signals",
                format!("cannot listen for signals: {error}"),
            )
        })
    };
    let (mut terminate, mut interrupt) = (
        listen(SignalKind::terminate())?,
        listen(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// A server that did not start, for the person who started it.
pub(crate) fn not_started(error: &StartError) -> CliError {
    let exit = own_codes::exit_of(error.code()).unwrap_or(Exit::Failed);
    CliError::new(exit, error.code(), error.to_string()).with_help(error.help())
}

/// A server that stopped by itself, for the person who started it.
pub(crate) fn stopped(broken: &Broken) -> CliError {
    CliError::new(Exit::Failed, broken.code(), broken.to_string()).with_help(broken.help())
}

/// What `ODIN_LOG` may hold.
const LOG_VARIABLE: &str = "ODIN_LOG";
/// The consensus library is terse below this.
const QUIET: &str = "openraft=warn";

/// To stderr: from `level` up, or as `ODIN_LOG` filters.
fn begin_logging(form: LogFormat, level: Option<LogLevel>) -> Result<(), CliError> {
    let filter = match (level, std::env::var(LOG_VARIABLE)) {
        (Some(level), _) => format!("{},{QUIET}", level.word()),
        (None, Ok(filter)) if !filter.trim().is_empty() => filter,
        (None, _) => format!("info,{QUIET}"),
    };
    let filter = filter
        .parse::<tracing_subscriber::EnvFilter>()
        .map_err(|error| {
            CliError::refused(
                "server/bad-log-filter",
                format!("{LOG_VARIABLE} is no filter: {error}"),
            )
            .with_help("Write a level, such as `warn` or `debug`, or `info,odin_node=debug`.")
        })?;
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match form {
        // Files and journals are read by programs too.
        LogFormat::Text => logging.with_ansi(terminal::stderr_has_colour()).init(),
        LogFormat::Json => logging.json().with_ansi(false).init(),
    }
    Ok(())
}

/// `:PORT` is 127.0.0.1:PORT.
fn parse_listen(text: &str) -> Result<SocketAddr, CliError> {
    let parsed = match text.strip_prefix(':') {
        Some(port) => port
            .parse()
            .ok()
            .map(|port: u16| (Ipv4Addr::LOCALHOST, port).into()),
        None => text.strip_prefix("localhost:").map_or_else(
            || text.parse().ok(),
            |port| {
                port.parse()
                    .ok()
                    .map(|port: u16| (Ipv4Addr::LOCALHOST, port).into())
            },
        ),
    };
    parsed.ok_or_else(|| {
        CliError::refused(
            "server/bad-address",
            format!("`{text}` is not an address to listen on"),
        )
        .with_help("Write :PORT for this machine alone, such as :3939, or ADDRESS:PORT.")
    })
}

fn is_node_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_loopbacks() {
        for (text, expected) in [
            (":3939", "127.0.0.1:3939"),
            (":0", "127.0.0.1:0"),
            ("localhost:80", "127.0.0.1:80"),
            ("[::1]:3939", "[::1]:3939"),
            ("0.0.0.0:3939", "0.0.0.0:3939"),
        ] {
            assert_eq!(parse_listen(text).unwrap().to_string(), expected);
        }
        for text in ["", ":", "3939", ":99999", "host.example:80", "127.0.0.1"] {
            assert!(parse_listen(text).is_err(), "{text}");
        }
    }
}
