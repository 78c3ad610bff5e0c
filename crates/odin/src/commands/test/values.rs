//! The socket on which the job reports: as a run's, but that what it says is shown and not kept.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use odin_executor::values::LINE_BYTES_MAX;
use odin_model::value::Value;
use odin_model::{Clock as _, ValueKind};
use odin_node::clock::SystemClock;
use odin_wire::report_line;
use serde::Deserialize;

use super::report;

/// How many values are held for `--json`. Further ones are shown all the same.
const VALUES_MAX: usize = 10_000;

/// What the job has said.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The first [`VALUES_MAX`].
    pub(super) values: Vec<Value>,
    /// The latest result.
    pub(super) result: Option<Value>,
}

/// Serves the socket until the job is over.
pub(super) struct Listener {
    socket: UnixListener,
    path: PathBuf,
    token: String,
    heard: Arc<Mutex<Heard>>,
    accepting: JoinHandle<Vec<Guest>>,
}

struct Guest {
    stream: UnixStream,
    hearing: JoinHandle<()>,
}

impl Listener {
    pub(super) fn open(path: &Path, token: String) -> io::Result<Self> {
        let socket = UnixListener::bind(path)?;
        let heard = Arc::<Mutex<Heard>>::default();
        let accepting = {
            let (socket, token, heard) = (socket.try_clone()?, token.clone(), Arc::clone(&heard));
            Builder::new()
                .name("values".to_owned())
                .spawn(move || accept(&socket, &token, &heard))?
        };
        Ok(Self {
            socket,
            path: path.to_owned(),
            token,
            heard,
            accepting,
        })
    }

    /// What its guests must show.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Takes what the job has said up to now, and ends.
    pub(super) fn finish(self) -> io::Result<Heard> {
        // Whoever has connected by now is heard. The connection wakes the thread, which then finds no more.
        self.socket.set_nonblocking(true)?;
        drop(UnixStream::connect(&self.path));
        let guests = self.accepting.join().unwrap_or_default();
        for guest in guests {
            // What it has sent can still be read; a process that the job left behind is not waited for.
            let _ = guest.stream.shutdown(Shutdown::Read);
            let _ = guest.hearing.join();
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut heard))
    }
}

fn accept(socket: &UnixListener, token: &str, heard: &Arc<Mutex<Heard>>) -> Vec<Guest> {
    let mut guests = Vec::new();
    loop {
        let stream = match socket.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return guests,
        };
        guests.retain(|guest: &Guest| !guest.hearing.is_finished());
        // One that was accepted after the end was asked for has the listener's mode.
        let Ok(own) = stream
            .set_nonblocking(false)
            .and_then(|()| stream.try_clone())
        else {
            continue;
        };
        let (token, heard) = (token.to_owned(), Arc::clone(heard));
        let hearing = Builder::new().spawn(move || {
            // Its end, in whatever way, is the end of what it says.
            let _ = hear(&stream, &token, &heard);
        });
        // Without a thread nobody hears it, and it is closed: it may come again.
        guests.extend(hearing.ok().map(|hearing| Guest {
            stream: own,
            hearing,
        }));
    }
}

#[derive(Deserialize)]
struct Hello {
    hello: u64,
    token: String,
}

fn hear(stream: &UnixStream, token: &str, heard: &Mutex<Heard>) -> io::Result<()> {
    let mut lines = BufReader::new(stream);
    let mut answers = stream;
    let Some(Line { start, .. }) = next_line(&mut lines)? else {
        return Ok(());
    };
    let is_good = serde_json::from_slice::<Hello>(&start)
        .is_ok_and(|hello| hello.hello == 1 && hello.token == token);
    if !is_good {
        return answers.write_all(
            b"{\"error\":\"the first line is not the hello of this run\",\"code\":\"values/not-permitted\"}\n",
        );
    }
    answers.write_all(b"{\"ok\":true}\n")?;
    let mut count = 0u64;
    while let Some(line) = next_line(&mut lines)? {
        let now = SystemClock.wall();
        let value = match line.bytes {
            bytes if bytes > LINE_BYTES_MAX as u64 => {
                report_line::value_of_cut_line(&line.start, bytes, now)
            }
            _ => report_line::value_of_line(&line.start, now),
        };
        report::show(&value);
        take(heard, value);
        count += 1;
        // Who does not read its answers is heard all the same.
        let _ = answers.write_all(format!("{{\"ack\":{count}}}\n").as_bytes());
    }
    Ok(())
}

fn take(heard: &Mutex<Heard>, value: Value) {
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    if value.kind == ValueKind::Result {
        heard.result = Some(value.clone());
    }
    if heard.values.len() < VALUES_MAX {
        heard.values.push(value);
    }
}

/// A line without its end, or as much of it as one may be long.
struct Line {
    start: Vec<u8>,
    bytes: u64,
}

/// `None`: there is none any more. A line that nothing ended is one.
fn next_line(lines: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut start = Vec::new();
    let bound = LINE_BYTES_MAX as u64 + 1;
    let mut bytes = lines.by_ref().take(bound).read_until(b'\n', &mut start)? as u64;
    if bytes == 0 {
        return Ok(None);
    }
    if start.ends_with(b"\n") {
        start.pop();
        bytes -= 1;
    } else if bytes == bound {
        bytes += skip_line(lines)?;
    }
    start.truncate(LINE_BYTES_MAX);
    Ok(Some(Line { start, bytes }))
}

/// How many bytes the rest of a line has.
fn skip_line(lines: &mut impl BufRead) -> io::Result<u64> {
    let mut bytes = 0;
    loop {
        let some = lines.fill_buf()?;
        let end = some.iter().position(|&byte| byte == b'\n');
        let (length, used) = match end {
            Some(end) => (end, end + 1),
            None => (some.len(), some.len()),
        };
        lines.consume(used);
        bytes += length as u64;
        if end.is_some() || used == 0 {
            return Ok(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_beginning_and_the_length_of_the_whole() {
        let long = "x".repeat(LINE_BYTES_MAX);
        for (text, expected) in [
            ("", vec![]),
            ("a\n\nb", vec![("a", 1), ("", 0), ("b", 1)]),
            (
                &format!("{long}\na\n"),
                vec![(&long, LINE_BYTES_MAX), ("a", 1)],
            ),
            (
                &format!("{long}yz\na\n"),
                vec![(&long, LINE_BYTES_MAX + 2), ("a", 1)],
            ),
            (&format!("{long}y"), vec![(&long, LINE_BYTES_MAX + 1)]),
        ] {
            let mut rest = BufReader::with_capacity(7, text.as_bytes());
            let mut found = Vec::new();
            while let Some(line) = next_line(&mut rest).unwrap() {
                found.push((String::from_utf8(line.start).unwrap(), line.bytes));
            }
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(start, bytes): (&str, usize)| (start.to_owned(), bytes as u64))
                .collect();
            assert_eq!(found, expected);
        }
    }
}
