//! Whoever does not speak the protocol is told, or closed on, and harms nobody.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use odin_executor::frame::{self, FrameBuffer};
use odin_executor::protocol::{PROTOCOL, Report, Request};
use odin_model::attempt::Ending;

use crate::executor::Executor;

fn answer_to(executor: &Executor, bytes: &[u8]) -> Vec<u8> {
    let mut socket = UnixStream::connect(executor.dir.control_socket()).unwrap();
    socket.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // Closed on with bytes unread, which reads as a reset.
    let _ = socket.read_to_end(&mut answer);
    answer
}

fn frame_of(request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::append(&mut bytes, request).unwrap();
    bytes
}

#[test]
fn a_server_of_another_protocol_is_told_which_one_this_is() {
    let mut executor = Executor::start();
    let answer = answer_to(
        &executor,
        &frame_of(&Request::Hello {
            protocol: PROTOCOL + 1,
        }),
    );
    let mut buffer = FrameBuffer::default();
    buffer.extend(&answer);
    let report: Option<Report> = buffer.take().unwrap();
    assert_eq!(report, Some(Report::Incompatible { protocol: PROTOCOL }));
    executor.connect();
}

#[test]
fn nonsense_is_closed_on_and_jobs_go_on() {
    let mut executor = Executor::start();
    let launch = executor.shell("while [ ! -e go ]; do sleep 0.01; done");
    let key = executor.arm(launch);
    executor.wait_started(key);
    let drain = frame_of(&Request::Drain);
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 64],
        &[0; 64],
        &drain,
    ] {
        assert_eq!(answer_to(&executor, bytes), b"");
    }
    executor.connect();
    std::fs::write(executor.directory().join("go"), "").unwrap();
    assert_eq!(
        executor.wait_finished(key).ending,
        Ending::Exited { code: 0 }
    );
}
