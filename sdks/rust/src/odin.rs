//! What programs call.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::client::Client;
use crate::delivery::Delivery;
use crate::environment::Door;
use crate::json;
use crate::report::{Kind, Report};
use crate::span::Span;
use crate::status::{Outcome, Status};
use crate::value::{self, Value};

/// The name of progress that is given no other.
const PROGRESS: &str = "progress";

/// Reports what a program sees. Clones and further [`Odin`]s of a process share one connection, and any thread may use
/// them.
#[derive(Clone)]
pub struct Odin {
    client: Arc<Client>,
    config: String,
}

impl Odin {
    /// Odin for a program whose job file is `config`. The file is not read and need not be there: a run knows its job.
    #[must_use]
    pub fn setup(config: &str) -> Self {
        Self {
            client: Client::of_process(),
            config: config.to_owned(),
        }
    }

    /// Odin for a program of any job.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::setup("odin_job.yml")
    }

    /// Odin at a socket and with a token that are not those of the environment: for tools and tests.
    #[must_use]
    pub fn at(socket: &Path, token: &str) -> Self {
        let door = Door {
            socket: socket.to_owned(),
            token: token.to_owned(),
        };
        Self {
            client: Client::new(Some(door), false),
            config: String::new(),
        }
    }

    /// The name given to [`setup`](Self::setup).
    #[must_use]
    pub fn config(&self) -> &str {
        &self.config
    }

    /// Whether Odin runs this program: whether the socket that `ODIN_SOCKET` names was there at the beginning.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.client.is_inside()
    }

    /// Outside Odin, says on stderr what would be reported, as `ODIN_MOCK=1` does. Inside it changes nothing.
    pub fn mock(&self) {
        self.client.mock();
    }

    /// Reports a value under a name.
    pub fn watch<'a>(&self, name: &str, value: impl Into<Value<'a>>) {
        self.send(Kind::Watch, name, &value.into());
    }

    /// Reports whether something holds, and returns that.
    pub fn condition(&self, name: &str, holds: bool) -> bool {
        self.send(Kind::Condition, name, &holds.into());
        holds
    }

    /// Reports what came of the program and ends it: 0 and 2xx are success, 4xx a warning, anything else a failure. The
    /// exit code is 1 for a failure, else 0. Waits for the acknowledgement, [`END_WITHIN`](crate::END_WITHIN) at most.
    /// Destructors do not run.
    pub fn result<'a>(&self, message: &str, status: impl Into<Status<'a>>) -> ! {
        let outcome = self.finish(message, status).1;
        std::process::exit(outcome.exit_code())
    }

    /// Reports what came of the program as [`result`](Self::result) does, and leaves it to the caller to end it.
    pub fn finish<'a>(&self, message: &str, status: impl Into<Status<'a>>) -> (Delivery, Outcome) {
        let status = status.into();
        let (value, text) = (status.value(), status.text());
        let report = Report {
            status: Some(&text),
            ..Report::new(Kind::Result, message, &value)
        };
        self.client.send_result(&report, &status);
        (self.client.finish(), status.outcome())
    }

    /// Reports how far the program is. `total` is left out when nobody knows.
    pub fn progress(&self, done: u64, total: impl Into<Option<u64>>) {
        let total = total.into().map_or("null".to_owned(), |it| it.to_string());
        let value = Value::json(format!("{{\"done\":{done},\"total\":{total}}}"));
        self.send(Kind::Progress, PROGRESS, &value);
    }

    /// Reports a number with its unit, for example `"ms"` or `"bytes"`; an empty unit is none.
    pub fn metric<'a>(&self, name: &str, value: impl Into<Value<'a>>, unit: &str) {
        let value = value.into();
        self.client.send(&Report {
            unit: (!unit.is_empty()).then_some(unit),
            ..Report::new(Kind::Metric, name, &value)
        });
    }

    /// Reports a file that the program made: where it is and how many bytes it has. The file stays where it is. One that
    /// cannot be looked at is reported with the error.
    pub fn artifact(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut json = b"{\"path\":".to_vec();
        json::write_text(&mut json, &whole.to_string_lossy());
        match std::fs::metadata(path) {
            Ok(file) => value::display(&mut json, &format_args!(",\"bytes\":{}}}", file.len())),
            Err(error) => {
                json.extend_from_slice(b",\"error\":");
                json::write_text(&mut json, &error.to_string());
                json.push(b'}');
            }
        }
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy();
        self.send(
            Kind::Artifact,
            &name,
            &Value::json(String::from_utf8_lossy(&json)),
        );
    }

    /// Begins a span; see [`Span`].
    pub fn span(&self, name: &str) -> Span {
        Span::begin(Arc::clone(&self.client), name)
    }

    /// Waits until everything reported so far is acknowledged, `within` at most.
    pub fn flush(&self, within: Duration) -> Delivery {
        self.client.flush(within)
    }

    fn send(&self, kind: Kind, name: &str, value: &Value<'_>) {
        self.client.send(&Report::new(kind, name, value));
    }
}
