//! Who may speak on the values socket, and that nobody who does holds anything up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use odin_executor::protocol::{AttemptKey, CancelScope};
use odin_model::attempt::Ending;

use crate::executor::{Executor, own_uid, owner_of};

/// `daemon`, on every Linux.
const OTHER: u32 = 1;

const WELCOME: &str = "{\"ok\":true}\n";

/// A run that tells its token and stays until it is cancelled.
fn staying(executor: &mut Executor) -> (AttemptKey, String) {
    let launch = executor.shell("echo $ODIN_RUN_TOKEN >token; exec sleep 1000");
    let key = executor.arm(launch);
    executor.wait_started(key);
    let token = executor.wait_for_file("token");
    (key, token)
}

fn hello(token: &str) -> String {
    format!("{{\"hello\":1,\"token\":\"{token}\"}}\n")
}

fn connect(executor: &Executor) -> UnixStream {
    UnixStream::connect(executor.dir.values_socket()).unwrap()
}

/// A line from the socket; empty when it is closed.
fn line_of(socket: &UnixStream) -> String {
    let mut line = String::new();
    // A connection that was closed while something was sent reads as broken, which is as good as closed.
    let _ = BufReader::new(socket).read_line(&mut line);
    line
}

fn code_of(line: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(line).expect(line);
    value["code"].as_str().expect(line).to_owned()
}

/// What the first bytes of a new connection are answered with.
fn answer(executor: &Executor, bytes: &[u8]) -> String {
    let mut socket = connect(executor);
    // It may be closed before all of this has arrived.
    let _ = socket.write_all(bytes);
    line_of(&socket)
}

/// Lets a connection in.
fn let_in(executor: &Executor, token: &str) -> UnixStream {
    let mut socket = connect(executor);
    socket.write_all(hello(token).as_bytes()).unwrap();
    assert_eq!(line_of(&socket), WELCOME);
    socket
}

fn cancel(executor: &mut Executor, key: AttemptKey) {
    executor.cancel(key, CancelScope::Always);
    let ending = executor.wait_finished(key).ending;
    assert!(matches!(ending, Ending::Cancelled { .. }), "{ending:?}");
}

#[test]
fn a_run_says_hello_with_its_token_and_is_let_in_until_it_ends() {
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor);
    let mut socket = let_in(&executor, &token);
    cancel(&mut executor, key);
    let mut rest = String::new();
    socket.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    let refused = answer(&executor, hello(&token).as_bytes());
    assert_eq!(code_of(&refused), "values/not-permitted");
}

#[test]
fn a_job_itself_is_let_in_and_what_it_says_is_acknowledged() {
    let mut executor = Executor::start();
    let code = "import json, os, socket\n\
         s = socket.socket(socket.AF_UNIX)\n\
         s.connect(os.environ['ODIN_SOCKET'])\n\
         f = s.makefile('rw')\n\
         f.write(json.dumps({'hello': 1, 'token': os.environ['ODIN_RUN_TOKEN']}) + '\\n'); f.flush()\n\
         print(f.readline(), end='')\n\
         f.write('{\"seq\":1,\"kind\":\"watch\",\"name\":\"rows\",\"value\":7}\\n'); f.flush()\n\
         print(f.readline(), end='')\n";
    let argv = ["python3", "-c", code].map(str::to_owned).to_vec();
    let launch = executor.launch(odin_executor::protocol::LaunchProgram::Argv(argv));
    assert_eq!(
        executor.stdout_of(launch),
        format!("{WELCOME}{{\"ack\":1}}\n")
    );
}

#[test]
fn anything_but_a_hello_with_the_right_token_is_refused_by_a_code() {
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor);
    let of_none = if token.starts_with('0') { "1" } else { "0" }.to_owned() + &token[1..];
    let long = |length: usize| {
        let start = format!("{{\"hello\":1,\"token\":\"{token}\"");
        format!("{start}{}}}\n", " ".repeat(length - start.len() - 1))
    };
    for (said, code) in [
        (hello(&of_none).into_bytes(), "values/not-permitted"),
        (hello("").into_bytes(), "values/not-permitted"),
        (hello(&token[1..]).into_bytes(), "values/not-permitted"),
        (
            hello(&token).replace('1', "2").into_bytes(),
            "values/hello-version",
        ),
        (b"{\"kind\":\"watch\"}\n".to_vec(), "values/hello-invalid"),
        (b"\n".to_vec(), "values/hello-invalid"),
        (
            b"\x16\x03\x01\x00\xff\xfe\n".to_vec(),
            "values/hello-invalid",
        ),
        (vec![b'\0'; 1 << 20], "values/line-too-long"),
        (long((64 << 10) + 1).into_bytes(), "values/line-too-long"),
        // Nothing, for longer than it takes to say it.
        (b"{\"hel".to_vec(), "values/hello-late"),
        (vec![], "values/hello-late"),
    ] {
        let line = answer(&executor, &said);
        assert_eq!(code_of(&line), code, "{:?}", said.get(..60));
    }
    assert_eq!(answer(&executor, long(64 << 10).as_bytes()), WELCOME);
    let mut half = connect(&executor);
    half.write_all(b"{\"hello\":1").unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    assert_eq!(code_of(&line_of(&half)), "values/hello-invalid");
    cancel(&mut executor, key);
}

#[test]
fn a_run_has_64_connections_at_most_and_may_have_another_when_one_is_closed() {
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor);
    let mut sockets: Vec<_> = (0..64).map(|_| let_in(&executor, &token)).collect();
    let refused = answer(&executor, hello(&token).as_bytes());
    assert_eq!(code_of(&refused), "values/too-many-connections");
    // Its last answer comes when its place is free, or just before that.
    let mut leaving = sockets.pop().unwrap();
    leaving.write_all(b"x").unwrap();
    leaving.shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    leaving.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "{\"ack\":1}\n");
    let_in(&executor, &token);
    cancel(&mut executor, key);
}

#[test]
fn another_users_token_lets_nobody_in() {
    if own_uid() != 0 {
        return;
    }
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor);
    executor.own_version_as(OTHER);
    let code = "import os, socket, sys\n\
         for token in sys.argv[1], os.environ['ODIN_RUN_TOKEN']:\n\
         \x20s = socket.socket(socket.AF_UNIX)\n\
         \x20s.connect(os.environ['ODIN_SOCKET'])\n\
         \x20s.sendall(b'{\"hello\":1,\"token\":\"' + token.encode() + b'\"}\\n')\n\
         \x20print(s.recv(4096).decode(), end='', flush=True)\n\
         open('own', 'w').write(os.environ['ODIN_RUN_TOKEN'] + '\\n')\n\
         import time; time.sleep(1000)\n";
    let argv = ["python3", "-c", code, &token].map(str::to_owned).to_vec();
    let mut launch = executor.launch(odin_executor::protocol::LaunchProgram::Argv(argv));
    launch.owner = owner_of(OTHER);
    let other = executor.arm(launch);
    executor.wait_started(other);
    // Not even root's with the other's.
    let others = executor.wait_for_file("own");
    let refused = answer(&executor, hello(&others).as_bytes());
    assert_eq!(code_of(&refused), "values/not-permitted");
    executor.cancel(other, CancelScope::Always);
    let result = executor.wait_finished(other);
    let printed = crate::executor::inline(&result, odin_model::output::Stream::Stdout);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(code_of(lines[0]), "values/not-permitted");
    assert_eq!(lines[1], WELCOME.trim());
    cancel(&mut executor, key);
}

#[test]
fn crowds_that_say_nothing_or_nonsense_hold_nothing_up_and_cost_no_memory() {
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor);
    let resident = |executor: &Executor| {
        let status = format!("/proc/{}/status", executor.pid());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap()
    };
    let before = resident(&executor);
    let mut crowd = Vec::new();
    let noise = vec![b'x'; 60_000];
    for index in 0..1500 {
        // What was sent off meanwhile is of no interest, and what could not be sent neither.
        let mut socket = connect(&executor);
        socket.set_nonblocking(true).unwrap();
        let _ = socket.write(if index % 2 == 0 { &noise } else { b"" });
        crowd.push(socket);
        if index % 100 == 0 {
            // Those who say hello are let in, jobs start and end, and nobody reads what the crowd is told.
            let_in(&executor, &token);
            assert_eq!(executor.ending_of("exit 7"), Ending::Exited { code: 7 });
        }
    }
    let grown = resident(&executor).saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB");
    cancel(&mut executor, key);
}

#[test]
fn tokens_are_in_no_file_of_the_executor() {
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor);
    answer(&executor, hello(&token).as_bytes());
    cancel(&mut executor, key);
    for entry in std::fs::read_dir(executor.dir.executor()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let bits: Vec<u8> = (0..16)
            .map(|at| u8::from_str_radix(&token[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        assert!(!bytes.windows(32).any(|window| window == token.as_bytes()));
        assert!(!bytes.windows(16).any(|window| window == bits));
    }
}
