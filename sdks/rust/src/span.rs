//! Spans: named lengths of time that nest.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::report::{Kind, Report};
use crate::value::{self, Value};
use crate::{clock, environment, json};

/// An error's text in a span, at most; what is longer is cut.
const ERROR_BYTES_MAX: usize = 1 << 10;

thread_local! {
    /// The ids of this thread's open spans, innermost last.
    static OPEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A named length of time, from [`Odin::span`](crate::Odin::span) until its drop, which reports it.
///
/// A span that begins while another one of the same thread is open is its child. The outermost ones are children of the run
/// (by `TRACEPARENT`).
#[must_use = "a span lasts until its drop"]
pub struct Span {
    client: Arc<Client>,
    name: String,
    id: String,
    parent: Option<String>,
    began_at: Duration,
    began: Instant,
    error: Option<String>,
}

impl Span {
    pub(crate) fn begin(client: Arc<Client>, name: &str) -> Self {
        let id = new_id();
        let parent = OPEN.with_borrow_mut(|open| {
            let parent = open.last().cloned();
            open.push(id.clone());
            parent
        });
        Self {
            client,
            name: name.to_owned(),
            parent: parent.or_else(|| trace().1.clone()),
            id,
            began_at: clock::now(),
            began: clock::monotonic(),
            error: None,
        }
    }

    /// Marks what the span is about as failed, with the reason.
    pub fn fail(&mut self, reason: &str) {
        self.error = Some(value::begin(reason, ERROR_BYTES_MAX).to_owned());
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        // A span may be ended on another thread, or before its children.
        OPEN.with_borrow_mut(|open| open.retain(|id| *id != self.id));
        if self.error.is_none() && std::thread::panicking() {
            self.fail("panicked");
        }
        let mut json = Vec::with_capacity(256);
        let text = |json: &mut Vec<u8>, key: &str, text: Option<&str>| {
            value::display(json, &format_args!(",\"{key}\":"));
            match text {
                Some(text) => json::write_text(json, text),
                None => json.extend_from_slice(b"null"),
            }
        };
        text(&mut json, "id", Some(&self.id));
        text(&mut json, "parent", self.parent.as_deref());
        text(&mut json, "trace", Some(&trace().0));
        json.extend_from_slice(b",\"start\":\"");
        clock::write_instant(&mut json, self.began_at);
        let seconds = clock::monotonic().duration_since(self.began).as_secs_f64();
        value::display(&mut json, &format_args!("\",\"seconds\":{seconds:?}"));
        text(&mut json, "error", self.error.as_deref());
        json[0] = b'{';
        json.push(b'}');
        let value = Value::json(String::from_utf8_lossy(&json));
        self.client
            .send(&Report::new(Kind::Span, &self.name, &value));
    }
}

/// The trace of this process, and the span in it that the process is.
fn trace() -> &'static (String, Option<String>) {
    static TRACE: OnceLock<(String, Option<String>)> = OnceLock::new();
    TRACE.get_or_init(|| match environment::trace_parent() {
        Some((trace, span)) => (trace, Some(span)),
        None => (new_id() + &new_id(), None),
    })
}

/// 16 hexadecimal digits that nobody else has: the standard library's hash keys are random, and different each time.
fn new_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(0_u8).max(1))
}
