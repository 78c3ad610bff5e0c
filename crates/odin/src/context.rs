//! What every command has at hand: where to print, whom to ask, what time it is.

use std::io::{self, Write};

use jiff::Timestamp;
use odin_client::{Client, IdempotencyKey};
use odin_model::Clock as _;
use odin_node::clock::SystemClock;
use serde::Serialize;

use crate::arguments::Everywhere;
use crate::error::CliError;
use crate::server_choice;
use crate::terminal;

/// What every command has at hand.
#[derive(Debug)]
pub(crate) struct Context {
    everywhere: Everywhere,
}

impl Context {
    pub(crate) fn new(everywhere: Everywhere) -> Self {
        Self { everywhere }
    }

    /// Whether to print JSON.
    pub(crate) fn json(&self) -> bool {
        self.everywhere.json
    }

    /// The server that was named, or that runs on this machine.
    pub(crate) async fn client(&self) -> Result<Client, CliError> {
        let is_root = rustix::process::geteuid().is_root();
        let environment = |name: &str| std::env::var_os(name);
        let (target, token) = server_choice::choose(&self.everywhere, &environment, is_root)?;
        Ok(Client::find(&target, token).await?)
    }

    /// Whether flags or the environment name a server, so that one is expected to be there.
    pub(crate) fn names_server(&self) -> bool {
        let named = std::env::var_os("ODIN_SERVER").is_some_and(|value| !value.is_empty());
        named || self.everywhere.port.is_some() || self.everywhere.server.is_some()
    }

    /// This machine's wall clock. Decides nothing: it is what people are shown times against.
    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.wall()
    }

    /// A new key for a creation.
    pub(crate) fn key(&self) -> Result<IdempotencyKey, CliError> {
        let mut bits = [0; 16];
        draw(&mut bits)?;
        Ok(IdempotencyKey::from_bits(bits))
    }

    /// Prints text as it is.
    pub(crate) fn print(&self, text: &str) -> Result<(), CliError> {
        write_stdout(text.as_bytes())
    }

    /// Prints one line of text in which names may be anything.
    pub(crate) fn print_line(&self, text: &str) -> Result<(), CliError> {
        write_stdout(format!("{}\n", terminal::visible(text)).as_bytes())
    }

    /// Prints a value as JSON.
    pub(crate) fn print_json(&self, value: &impl Serialize) -> Result<(), CliError> {
        let mut text = serde_json::to_string_pretty(value).expect("what is printed is plain data");
        text.push('\n');
        write_stdout(text.as_bytes())
    }
}

/// Writes and flushes: a command that ends has printed everything, or says that it could not.
pub(crate) fn write_stdout(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| CliError::output(&error))
}

/// Random bits of the system.
#[expect(
    clippy::disallowed_methods,
    reason = "this is where the command line draws"
)]
pub(crate) fn draw(bits: &mut [u8]) -> Result<(), CliError> {
    getrandom::fill(bits).map_err(|error| {
        let message = format!("the system gives no random numbers: {error}");
        CliError::new(odin_wire::Exit::Failed, "cli/no-randomness", message)
    })
}
