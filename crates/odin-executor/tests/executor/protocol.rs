//! Whoever does not speak the protocol is told, or closed on, and harms nobody.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use expect_test::expect;

use jiff::Timestamp;
use odin_executor::frame::{self, FrameBuffer};
use odin_executor::protocol::{
    AfterLease, AttemptKey, CancelScope, JournalHealth, ListedAttempt, ListedState, NumberedEvent,
    PROTOCOL, PeekedOutput, RefusalReason, Report, Request, Welcome,
};
use odin_model::attempt::{AttemptEvent, AttemptEventKind, AttemptResult, Ending};
use odin_model::output::OutputSummary;
use odin_model::{AttemptNumber, Boottime, RunId, Usage};

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

/// These must read the same in every protocol: see the module `protocol`. A change here makes executors that run now
/// unable to end their runs under a newer server.
#[test]
fn what_every_protocol_says_alike_has_the_bytes_it_always_had() {
    let key = AttemptKey {
        run: RunId::from_bits(7),
        attempt: AttemptNumber::FIRST,
    };
    let requests = [
        Request::Hello { protocol: 2 },
        Request::Lease {
            until: Boottime(Duration::from_secs(3)),
            then: AfterLease::RunsEnd,
        },
        Request::Cancel {
            key,
            reason: "r".into(),
            scope: CancelScope::Always,
        },
        Request::Ack { up_to: 5 },
        Request::Peek { key },
        Request::List,
        Request::Drain,
    ];
    let event = |number, kind| NumberedEvent {
        number,
        event: AttemptEvent {
            run: key.run,
            attempt: key.attempt,
            kind,
        },
    };
    let result = AttemptResult {
        ending: Ending::Exited { code: 3 },
        started_at: Some(Timestamp::UNIX_EPOCH),
        finished_at: Timestamp::UNIX_EPOCH,
        usage: Usage::default(),
        output: OutputSummary::default(),
    };
    let reports = [
        Report::Welcome(Welcome {
            executor: 1,
            pid: 2,
            boot_id: "b".into(),
            protocol: 2,
            journal: JournalHealth::Writable,
            build: "1".into(),
            is_draining: false,
        }),
        Report::Incompatible { protocol: 2 },
        Report::Events(vec![
            event(
                1,
                AttemptEventKind::Started {
                    at: Timestamp::UNIX_EPOCH,
                    pid: 9,
                },
            ),
            event(2, AttemptEventKind::Finished(Box::new(result))),
        ]),
        Report::Refused {
            key,
            reason: RefusalReason::AlreadyOver,
        },
        Report::Output {
            key,
            output: PeekedOutput::NotRunning,
        },
        Report::Attempts(vec![ListedAttempt {
            key,
            state: ListedState::Running,
        }]),
        Report::Draining { attempts: 3 },
    ];
    let hex =
        |bytes: Vec<u8>| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let requests = requests.iter().map(|it| hex(frame_of(it)));
    let reports = reports.iter().map(|it| {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, it).unwrap();
        hex(bytes)
    });
    let all: Vec<String> = requests.chain(reports).collect();
    expect![[r#"
        03000000020002
        050000000203030001
        0700000002040701017201
        03000000020505
        0400000002060701
        020000000207
        020000000208
        0b0000000200010201620200013100
        03000000020102
        1c00000002020201070100000902070101000301000000000000000000000000
        050000000204070101
        050000000205070102
        06000000020601070103
        03000000020703"#]]
    .assert_eq(&all.join("\n"));
}
