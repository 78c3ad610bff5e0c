//! What the process was started with.

use std::path::PathBuf;

/// Where Odin listens, and the token of the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) socket: PathBuf,
    pub(crate) token: String,
}

/// The door, when this process is inside Odin: when the socket is there, whatever else is set.
pub(crate) fn door() -> Option<Door> {
    let socket = PathBuf::from(std::env::var_os("ODIN_SOCKET")?);
    let token = std::env::var("ODIN_RUN_TOKEN").unwrap_or_default();
    socket.exists().then_some(Door { socket, token })
}

/// Whether `ODIN_MOCK` asks for what would be reported to be said on stderr.
pub(crate) fn asks_for_mock() -> bool {
    std::env::var_os("ODIN_MOCK").is_some_and(|value| !value.is_empty() && value != "0")
}

/// The trace and the span that this process is part of, by `TRACEPARENT` (W3C Trace Context).
pub(crate) fn trace_parent() -> Option<(String, String)> {
    parse_trace_parent(&std::env::var("TRACEPARENT").ok()?)
}

fn parse_trace_parent(text: &str) -> Option<(String, String)> {
    let mut parts = text.split('-');
    let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |id: &str, length| {
        id.len() == length
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
            && id.bytes().any(|byte| byte != b'0')
    };
    (is_id(trace, 32) && is_id(span, 16)).then(|| (trace.to_owned(), span.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_parent_is_read_or_is_none() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let good = format!("00-{trace}-{span}-01");
        assert_eq!(parse_trace_parent(&good), Some((trace.into(), span.into())));
        for bad in [
            "",
            "00-1-2-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert_eq!(parse_trace_parent(bad), None, "{bad}");
        }
    }
}
