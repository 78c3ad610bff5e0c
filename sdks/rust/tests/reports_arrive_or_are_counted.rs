//! The crate against an engine on a real socket: one that is late, gone, deaf, or says no.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use odin_sdk::{Odin, QUEUE_REPORTS_MAX, Why};

/// Far more than anything here takes: a test that fails does not hang.
const LONG: Duration = Duration::from_secs(60);

/// A socket in a folder of its own, which goes with it.
struct Engine {
    folder: PathBuf,
    listener: UnixListener,
}

impl Engine {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("odin-sdk-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let listener = UnixListener::bind(folder.join("socket")).unwrap();
        Self { folder, listener }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// The next connection, after its hello.
    fn accept(&self) -> Guest {
        let (stream, _) = self.listener.accept().unwrap();
        let mut guest = Guest {
            lines: BufReader::new(stream),
        };
        assert_eq!(guest.line(), "{\"hello\":1,\"token\":\"a \\\"token\\\"\"}");
        guest.say("{\"ok\":true}");
        guest
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Guest {
    lines: BufReader<UnixStream>,
}

impl Guest {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next report's number and name; nothing at the end.
    fn report(&mut self) -> Option<(u64, String)> {
        let line = self.line();
        let seq = line.strip_prefix("{\"seq\":")?.split(',').next()?;
        let name = line.split("\"name\":\"").nth(1)?.split('"').next()?;
        Some((seq.parse().unwrap(), name.to_owned()))
    }

    fn say(&mut self, line: &str) {
        self.lines
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }
}

fn odin(engine: &Engine) -> Odin {
    Odin::at(&engine.socket(), "a \"token\"")
}

#[test]
fn a_flush_waits_for_the_acknowledgement_and_no_longer() {
    let engine = Engine::new();
    let odin = odin(&engine);
    odin.watch("a", 1);
    odin.watch("b", 2);
    let mut guest = engine.accept();
    assert_eq!(guest.report(), Some((1, "a".to_owned())));
    assert_eq!(guest.report(), Some((2, "b".to_owned())));
    let delivery = odin.flush(Duration::ZERO);
    assert_eq!(
        (delivery.undelivered, delivery.why),
        (2, Some(Why::NotAcknowledged))
    );
    guest.say("{\"ack\":2}");
    assert!(odin.flush(LONG).is_complete());
    odin.watch("c", 3);
    assert_eq!(guest.report(), Some((3, "c".to_owned())));
    guest.say("{\"ack\":3}");
}

#[test]
fn who_waits_without_end_waits_until_all_is_acknowledged() {
    let engine = Engine::new();
    let odin = odin(&engine);
    odin.watch("a", 1);
    let waiting = std::thread::spawn(move || odin.flush(Duration::MAX));
    let mut guest = engine.accept();
    assert_eq!(guest.report(), Some((1, "a".to_owned())));
    guest.say("{\"ack\":1}");
    assert!(waiting.join().unwrap().is_complete());
}

#[test]
fn what_is_not_acknowledged_is_sent_again_on_the_next_connection() {
    let engine = Engine::new();
    let odin = odin(&engine);
    for name in ["a", "b", "c"] {
        odin.watch(name, true);
    }
    let mut guest = engine.accept();
    for _ in 0..3 {
        guest.report().unwrap();
    }
    guest.say("{\"ack\":1}");
    drop(guest);
    let mut guest = engine.accept();
    assert_eq!(guest.report(), Some((1, "b".to_owned())));
    assert_eq!(guest.report(), Some((2, "c".to_owned())));
    guest.say("{\"ack\":2}");
    assert!(odin.flush(LONG).is_complete());
}

#[test]
fn a_deaf_engine_holds_nobody_up_and_what_is_too_much_is_counted_and_reported() {
    let engine = Engine::new();
    let odin = odin(&engine);
    let long = "x".repeat(400);
    let more = 500;
    // More than a socket takes, and more than may wait.
    for _ in 0..QUEUE_REPORTS_MAX + more {
        odin.watch("a", &long);
    }
    let delivery = odin.flush(Duration::ZERO);
    assert_eq!(delivery.undelivered, (QUEUE_REPORTS_MAX + more) as u64);
    let mut guest = engine.accept();
    for expected in 1..=QUEUE_REPORTS_MAX {
        assert_eq!(guest.report(), Some((expected as u64, "a".to_owned())));
    }
    guest.say(&format!("{{\"ack\":{QUEUE_REPORTS_MAX}}}"));
    let line = guest.line();
    assert!(
        line.contains("\"name\":\"odin.reports_dropped\",\"value\":500}"),
        "{line}"
    );
    guest.say(&format!("{{\"ack\":{}}}", QUEUE_REPORTS_MAX + 1));
    let delivery = odin.flush(LONG);
    assert_eq!(
        (delivery.undelivered, delivery.why),
        (500, Some(Why::QueueFull))
    );
}

#[test]
fn what_a_caller_could_not_write_is_written_when_there_is_room() {
    let engine = Engine::new();
    let odin = odin(&engine);
    odin.watch("first", 0);
    let mut guest = engine.accept();
    guest.report().unwrap();
    let long = "x".repeat(4000);
    let mut sent = 1;
    // Each one alone, so that its caller writes it, until the socket has no room for a whole one.
    for _ in 0..200 {
        odin.watch("a", &long);
        sent += 1;
        let _ = odin.flush(Duration::from_millis(2));
    }
    for expected in 2..=sent {
        assert_eq!(guest.report().map(|it| it.0), Some(expected));
    }
    guest.say(&format!("{{\"ack\":{sent}}}"));
    assert!(odin.flush(LONG).is_complete());
}

#[test]
fn a_refusal_for_good_ends_the_waiting() {
    let engine = Engine::new();
    let odin = odin(&engine);
    odin.watch("a", 1);
    let mut guest = engine.accept();
    guest.say("{\"error\":\"no such token\",\"code\":\"values/not-permitted\"}");
    drop(guest);
    let delivery = odin.flush(LONG);
    assert_eq!(
        delivery.to_string(),
        "1 report was not delivered: no such token (values/not-permitted)"
    );
    odin.watch("b", 1);
    assert_eq!(odin.flush(LONG).undelivered, 2);
}

#[test]
fn a_refusal_for_now_is_asked_again() {
    let engine = Engine::new();
    let odin = odin(&engine);
    odin.watch("a", 1);
    let mut guest = engine.accept();
    guest.say("{\"error\":\"there are too many\",\"code\":\"values/too-many-connections\"}");
    drop(guest);
    let mut guest = engine.accept();
    assert_eq!(guest.report(), Some((1, "a".to_owned())));
    guest.say("{\"ack\":1}");
    assert!(odin.flush(LONG).is_complete());
}

#[test]
fn a_thousand_threads_report_and_each_number_comes_once() {
    let engine = Engine::new();
    let odin = odin(&engine);
    let threads: Vec<_> = (0..1000)
        .map(|thread| {
            let odin = odin.clone();
            std::thread::spawn(move || {
                for value in 0..5 {
                    odin.watch(&format!("{thread}"), value);
                }
            })
        })
        .collect();
    let mut guest = engine.accept();
    for expected in 1..=5000 {
        assert_eq!(guest.report().unwrap().0, expected);
    }
    guest.say("{\"ack\":5000}");
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(odin.flush(LONG).is_complete());
}

#[test]
fn a_socket_whose_path_is_too_long_for_an_address_is_reached() {
    let mut engine = Engine::new();
    let deep = engine.folder.join("d".repeat(120));
    std::fs::create_dir(&deep).unwrap();
    let inside = std::fs::File::open(&deep).unwrap();
    let near = format!(
        "/proc/self/fd/{}/socket",
        std::os::fd::AsRawFd::as_raw_fd(&inside)
    );
    engine.listener = UnixListener::bind(near).unwrap();
    let odin = Odin::at(&deep.join("socket"), "a \"token\"");
    odin.watch("a", 1);
    let mut guest = engine.accept();
    assert_eq!(guest.report(), Some((1, "a".to_owned())));
    guest.say("{\"ack\":1}");
    assert!(odin.flush(LONG).is_complete());
}

#[test]
fn an_engine_that_comes_later_gets_what_was_reported_before() {
    let mut engine = Engine::new();
    std::fs::remove_file(engine.socket()).unwrap();
    let odin = odin(&engine);
    odin.watch("a", 1);
    assert_eq!(odin.flush(Duration::from_millis(1)).undelivered, 1);
    engine.listener = UnixListener::bind(engine.socket()).unwrap();
    let mut guest = engine.accept();
    assert_eq!(guest.report(), Some((1, "a".to_owned())));
    guest.say("{\"ack\":1}");
    assert!(odin.flush(LONG).is_complete());
}
