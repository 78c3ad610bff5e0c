//! The connection to Odin: what callers write themselves, and the threads that do the rest.
//!
//! Two locks. `output` is held by who writes to the socket, `state` by who looks at the queue; who holds both took
//! `output` first. A caller waits for `output` only while Odin reads.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::clock;
use crate::delivery::{Delivery, Why};
use crate::environment::Door;
use crate::json;
use crate::queue::{Queue, Room};

/// How long the end of a program waits for acknowledgements, at most.
pub const END_WITHIN: Duration = Duration::from_secs(5);

/// How long one call may be held up by an Odin that does not read, at most. The calls after it are not, until it reads.
pub const WRITE_WAITS: Duration = Duration::from_millis(10);

/// So many reports in a row, and one more each [`TOGETHER_WITHIN`], are sent by their callers, so that a program that
/// crashes has said what it saw.
const ONE_BY_ONE: u32 = 8;
/// Those beyond are sent together by a thread, this much later at most.
const TOGETHER_WITHIN: Duration = Duration::from_millis(1);
/// Bytes of lines taken from the queue for one write.
const WRITE_BYTES: usize = 64 << 10;
/// A line from Odin, at most. A longer one ends the connection.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// Between attempts to connect: twice as long each time, up to the second.
const CONNECT_AGAIN: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// A socket's name in the kernel, at most.
const SOCKET_NAME_BYTES_MAX: usize = 107;

const NEVER_POISONED: &str = "no code that holds this lock panics";

pub(crate) struct Link {
    door: Door,
    output: Mutex<Output>,
    state: Mutex<State>,
    /// For the writing thread: there is something to do.
    work: Condvar,
    /// For those that flush: something was acknowledged, or never will be.
    settled: Condvar,
}

#[derive(Default)]
struct Output {
    stream: Option<UnixStream>,
    /// Counts connections.
    connection: u64,
    /// Lines that are being written, and how much of them was.
    lines: Vec<u8>,
    written: usize,
    /// The last write found no room: callers leave writing to the thread.
    is_stalled: bool,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// When callers that send one each [`TOGETHER_WITHIN`] would have sent what callers have.
    due: Option<Instant>,
    is_started: bool,
    is_connected: bool,
    /// Lines were taken from the queue and not written, because the socket was full.
    is_stalled: bool,
    is_closing: bool,
    /// The writing thread waits for `work`.
    is_idle: bool,
    flushing: u32,
    /// Odin will never take anything of this process.
    refused: Option<Why>,
    /// What the last connection was refused with, when another may be let in.
    refused_for_now: Option<Why>,
}

impl State {
    /// Whether a caller is to send what there is.
    fn is_for_caller(&mut self, now: Instant) -> bool {
        let due = self.due.map_or(now, |due| due.max(now));
        let is_for_caller = due - now <= TOGETHER_WITHIN * (ONE_BY_ONE - 1);
        if is_for_caller {
            self.due = Some(due + TOGETHER_WITHIN);
        }
        is_for_caller
    }
}

/// What a write came to.
enum Written {
    All,
    /// The socket is full.
    Stalled,
    /// There is no connection, or it is breaking: the reading thread finds out.
    Nowhere,
}

impl Link {
    pub(crate) fn new(door: Door) -> Arc<Self> {
        Arc::new(Self {
            door,
            output: Mutex::default(),
            state: Mutex::default(),
            work: Condvar::new(),
            settled: Condvar::new(),
        })
    }

    /// Takes a report on its way. Never waits, but for [`WRITE_WAITS`] once when Odin stops reading.
    pub(crate) fn send(self: &Arc<Self>, rest_of_line: Box<[u8]>, room: Room) {
        let mut state = self.state();
        if state.refused.is_some() {
            state.queue.drop_one();
            return;
        }
        if !state.queue.push(rest_of_line, room) {
            return;
        }
        if !state.is_started {
            self.start(&mut state);
        }
        let is_idle = state.is_idle;
        let is_read = state.is_connected && !state.is_stalled;
        let is_for_caller = is_read && state.is_for_caller(clock::monotonic());
        drop(state);
        if is_for_caller {
            let mut output = self.output.lock().expect(NEVER_POISONED);
            if !output.is_stalled {
                if let Written::Stalled = self.write(&mut output) {
                    self.work.notify_one();
                }
                return;
            }
        }
        if is_idle {
            self.work.notify_one();
        }
    }

    /// Waits until everything is acknowledged, or nothing more will be, or the time is over.
    pub(crate) fn flush(&self, within: Duration) -> Delivery {
        // None is a time that no clock will show.
        let until = clock::monotonic().checked_add(within);
        let mut state = self.state();
        state.flushing += 1;
        self.work.notify_one();
        while !state.queue.is_empty() && state.refused.is_none() {
            let left = until.map(|until| until.saturating_duration_since(clock::monotonic()));
            state = match left {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    let waited = self.settled.wait_timeout(state, left);
                    waited.expect(NEVER_POISONED).0
                }
                None => self.settled.wait(state).expect(NEVER_POISONED),
            };
        }
        state.flushing -= 1;
        let undelivered = state.queue.undelivered();
        let why = || match &state.refused {
            Some(why) => why.clone(),
            None if state.queue.only_dropped() => Why::QueueFull,
            None => state
                .refused_for_now
                .clone()
                .unwrap_or(Why::NotAcknowledged),
        };
        Delivery {
            undelivered,
            why: (undelivered > 0).then(why),
        }
    }

    /// Ends the threads.
    pub(crate) fn close(&self) {
        self.state().is_closing = true;
        self.work.notify_one();
        let output = self.output.lock().expect(NEVER_POISONED);
        if let Some(stream) = &output.stream {
            // The other end may have closed it already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    fn start(self: &Arc<Self>, state: &mut State) {
        state.is_started = true;
        let link = Arc::clone(self);
        if let Err(error) = spawn("odin-reports", move || link.work()) {
            state.refused = Some(no_thread(&error));
        }
    }

    /// The writing thread: connects, and writes what callers leave to it.
    fn work(self: Arc<Self>) {
        let mut connect_after = CONNECT_AGAIN.0;
        loop {
            let mut state = self.state();
            while !state.is_closing
                && (state.refused.is_some()
                    || state.queue.is_empty()
                    || (state.is_connected && !state.is_stalled && !state.queue.has_unsent()))
            {
                state.is_idle = true;
                state = self.work.wait(state).expect(NEVER_POISONED);
                state.is_idle = false;
            }
            if state.is_closing {
                return;
            }
            if state.is_connected {
                connect_after = CONNECT_AGAIN.0;
                if state.flushing == 0 {
                    drop(self.pause(state, TOGETHER_WITHIN));
                } else {
                    drop(state);
                }
                let mut output = self.output.lock().expect(NEVER_POISONED);
                if let Written::Nowhere = self.write(&mut output) {
                    drop(output);
                    // Until the reading thread has found out.
                    drop(self.pause(self.state(), TOGETHER_WITHIN));
                }
                continue;
            }
            drop(state);
            if self.connect().is_err() {
                drop(self.pause(self.state(), connect_after));
                connect_after = CONNECT_AGAIN.1.min(connect_after * 2);
            } else if self.state().refused_for_now.is_some() {
                // Being let in is not being heard: without this, a refusal would be asked for again at once.
                drop(self.pause(self.state(), connect_after));
                connect_after = CONNECT_AGAIN.1.min(connect_after * 2);
            }
        }
    }

    fn pause<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        length: Duration,
    ) -> MutexGuard<'a, State> {
        let waited = self.work.wait_timeout(state, length);
        waited.expect(NEVER_POISONED).0
    }

    fn connect(self: &Arc<Self>) -> io::Result<()> {
        let stream = connect(&self.door.socket)?;
        stream.set_write_timeout(Some(WRITE_WAITS))?;
        let reading = stream.try_clone()?;
        let mut output = self.output.lock().expect(NEVER_POISONED);
        output.connection += 1;
        output.lines.clear();
        output.written = 0;
        output.is_stalled = false;
        output.lines.extend_from_slice(b"{\"hello\":1,\"token\":");
        json::write_text(&mut output.lines, &self.door.token);
        output.lines.extend_from_slice(b"}\n");
        let (link, connection) = (Arc::clone(self), output.connection);
        spawn("odin-answers", move || link.read(reading, connection))?;
        output.stream = Some(stream);
        let mut state = self.state();
        state.is_connected = true;
        state.is_stalled = false;
        state.queue.begin_again();
        drop(state);
        self.write(&mut output);
        Ok(())
    }

    /// Writes until nothing is left or there is no room.
    fn write(&self, output: &mut Output) -> Written {
        loop {
            if output.written == output.lines.len() {
                output.written = 0;
                output.lines.clear();
                self.state()
                    .queue
                    .take_lines(&mut output.lines, WRITE_BYTES);
                if output.lines.is_empty() {
                    if std::mem::take(&mut output.is_stalled) {
                        self.state().is_stalled = false;
                    }
                    return Written::All;
                }
            }
            let Some(mut stream) = output.stream.as_ref() else {
                return Written::Nowhere;
            };
            match stream.write(&output.lines[output.written..]) {
                Ok(0) => return Written::Nowhere,
                Ok(count) => output.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    output.is_stalled = true;
                    self.state().is_stalled = true;
                    return Written::Stalled;
                }
                Err(_) => {
                    output.is_stalled = true;
                    return Written::Nowhere;
                }
            }
        }
    }

    /// A connection's reading thread: takes what Odin answers until the connection ends.
    fn read(&self, stream: UnixStream, connection: u64) {
        let mut lines = BufReader::new(stream);
        let mut line = Vec::new();
        let mut refused = None;
        loop {
            line.clear();
            match lines
                .by_ref()
                .take(ANSWER_BYTES_MAX)
                .read_until(b'\n', &mut line)
            {
                Ok(_) if line.ends_with(b"\n") => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(_) | Err(_) => break,
            }
            let line = String::from_utf8_lossy(&line);
            if let Some(seq) = acknowledged(&line) {
                let mut state = self.state();
                state.refused_for_now = None;
                state.queue.acknowledge(seq);
                state.queue.report_dropped(clock::now());
                let has_news = state.queue.has_unsent() && state.is_idle;
                let is_settled = state.queue.is_empty();
                drop(state);
                if is_settled {
                    self.settled.notify_all();
                }
                if has_news {
                    self.work.notify_one();
                }
            } else if let Some(why) = refusal(&line) {
                refused = Some(why);
            }
        }
        self.end_connection(connection, refused);
    }

    fn end_connection(&self, connection: u64, refused: Option<Why>) {
        let mut output = self.output.lock().expect(NEVER_POISONED);
        if output.connection != connection {
            return;
        }
        output.stream = None;
        let mut state = self.state();
        drop(output);
        state.is_connected = false;
        state.queue.begin_again();
        match refused {
            Some(why) if is_for_good(&why) => state.refused = Some(why),
            Some(why) => state.refused_for_now = Some(why),
            None => {}
        }
        drop(state);
        self.settled.notify_all();
        self.work.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NEVER_POISONED)
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.stack_size(256 << 10).spawn(body).map(drop)
}

fn no_thread(error: &io::Error) -> Why {
    Why::Refused {
        error: format!("the system gives this program no thread: {error}"),
        code: "sdk/no-thread".to_owned(),
    }
}

/// Connects to a socket, also one whose path is longer than the kernel's addresses: by its folder.
fn connect(socket: &Path) -> io::Result<UnixStream> {
    /// Needs no right to list the folder.
    const O_PATH: i32 = 0o10_000_000;
    if socket.as_os_str().len() <= SOCKET_NAME_BYTES_MAX {
        return UnixStream::connect(socket);
    }
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return UnixStream::connect(socket);
    };
    let folder = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(O_PATH)
        .open(folder)?;
    let near = format!("/proc/self/fd/{}", folder.as_raw_fd());
    UnixStream::connect(Path::new(&near).join(name))
}

/// Of `{"ack":n}`.
fn acknowledged(line: &str) -> Option<u64> {
    let rest = member(line, "ack")?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
    rest[..digits].parse().ok()
}

/// Of `{"error":…,"code":…}`.
fn refusal(line: &str) -> Option<Why> {
    Some(Why::Refused {
        error: text_member(line, "error")?,
        code: text_member(line, "code")?,
    })
}

/// A member's text, up to what is escaped in it: Odin's own texts escape nothing.
fn text_member(line: &str, key: &str) -> Option<String> {
    let rest = member(line, key)?.strip_prefix('"')?;
    let end = rest.find(['"', '\\'])?;
    Some(rest[..end].to_owned())
}

/// What follows a member's colon in an object that has no other ones in it.
fn member<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = line
        .trim()
        .strip_prefix('{')?
        .split_once(&format!("\"{key}\""))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

/// Whether asking again is of no use.
fn is_for_good(why: &Why) -> bool {
    let Why::Refused { code, .. } = why else {
        return false;
    };
    !matches!(
        code.as_str(),
        "values/too-many-connections" | "values/hello-late"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_and_without_spaces() {
        for (line, expected) in [
            ("{\"ack\":7}\n", Some(7)),
            (" { \"ack\" : 7 }", Some(7)),
            ("{\"ok\":true}", None),
            ("{\"ack\":-1}", None),
            ("{\"ack\":99999999999999999999}", None),
            ("[\"ack\",7]", None),
        ] {
            assert_eq!(acknowledged(line), expected, "{line}");
        }
        for line in [
            "{\"error\":\"no\",\"code\":\"values/x\"}",
            "{ \"code\": \"values/x\", \"error\": \"no\" }",
        ] {
            let why = Why::Refused {
                error: "no".to_owned(),
                code: "values/x".to_owned(),
            };
            assert_eq!(refusal(line), Some(why), "{line}");
        }
        assert_eq!(refusal("{\"later\":true}"), None);
    }
}
