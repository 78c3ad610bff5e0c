//! What jobs report is in their attempt's file, whole and in order, before it is acknowledged.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use odin_executor::protocol::{AttemptKey, CancelScope, LaunchProgram, LaunchSecret};
use odin_executor::values::{self, Kept, LINE_BYTES_MAX};
use odin_model::attempt::Ending;
use odin_model::{SecretDelivery, SecretName, SecretValue};

use crate::executor::Executor;

/// A run that stays until it is cancelled, and the token of it.
fn staying(executor: &mut Executor, values_bytes_max: u64) -> (AttemptKey, String) {
    let mut launch = executor.shell("echo $ODIN_RUN_TOKEN >token; exec sleep 1000");
    launch.values_bytes_max = values_bytes_max;
    let key = executor.arm(launch);
    executor.wait_started(key);
    let token = executor.wait_for_file("token");
    (key, token)
}

/// A connection that was let in.
struct Guest {
    socket: BufReader<UnixStream>,
}

impl Guest {
    fn enter(executor: &Executor, token: &str) -> Self {
        let socket = UnixStream::connect(executor.dir.values_socket()).unwrap();
        let mut guest = Self {
            socket: BufReader::new(socket),
        };
        guest.say(format!("{{\"hello\":1,\"token\":\"{token}\"}}\n").as_bytes());
        assert_eq!(guest.line(), "{\"ok\":true}\n");
        guest
    }

    fn say(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.socket.read_line(&mut line).unwrap();
        line
    }

    /// Waits until that many lines are acknowledged. Acknowledgements only ever grow.
    fn wait_acked(&mut self, lines: u64) {
        let mut before = 0;
        while before < lines {
            let line = self.line();
            let value: serde_json::Value = serde_json::from_str(&line).expect(&line);
            let acked = value["ack"].as_u64().expect(&line);
            assert!(acked > before && acked <= lines, "{before} {line}");
            before = acked;
        }
    }
}

fn kept(executor: &Executor, key: AttemptKey) -> Vec<Kept> {
    let (mut kept, mut from) = (Vec::new(), 0);
    while let Some(page) = values::read(&executor.dir, key, from, 1 << 16).unwrap() {
        from = page.next;
        kept.extend(page.lines.into_iter().map(|line| line.kept));
        if !page.more {
            break;
        }
    }
    kept
}

fn lines_of(kept: &[Kept]) -> Vec<String> {
    let text = |kept: &Kept| match kept {
        Kept::Line(line) => String::from_utf8(line.clone()).unwrap(),
        other => panic!("{other:?}"),
    };
    kept.iter().map(text).collect()
}

/// How many lines were not kept and their bytes, as each mark says.
fn marks(kept: &[Kept]) -> Vec<(u64, u64)> {
    let mark = |kept: &Kept| match kept {
        Kept::Dropped { lines, bytes } => Some((*lines, *bytes)),
        Kept::Line(_) | Kept::CutLine { .. } => None,
    };
    kept.iter().filter_map(mark).collect()
}

fn cancel(executor: &mut Executor, key: AttemptKey) {
    executor.cancel(key, CancelScope::Always);
    let ending = executor.wait_finished(key).ending;
    assert!(matches!(ending, Ending::Cancelled { .. }), "{ending:?}");
}

#[test]
fn what_is_acknowledged_is_there_when_the_executor_is_killed() {
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor, 1 << 20);
    let mut guest = Guest::enter(&executor, &token);
    for number in 1..=50 {
        guest.say(format!("line {number}\n").as_bytes());
    }
    guest.wait_acked(50);
    guest.say(b"one more, whose answer nobody waits for\nand half a l");
    executor.kill();
    let lines = lines_of(&kept(&executor, key));
    let expected: Vec<String> = (1..=50).map(|number| format!("line {number}")).collect();
    assert_eq!(lines[..50], expected);
    executor.connect();
    executor.wait_finished(key);
}

#[test]
fn a_job_that_says_much_and_ends_at_once_has_all_of_it_kept_before_it_is_over() {
    let mut executor = Executor::start();
    // It reads no answer and closes nothing, and a process that it leaves behind says the last word.
    let code = "import os, socket\n\
         s = socket.socket(socket.AF_UNIX)\n\
         s.connect(os.environ['ODIN_SOCKET'])\n\
         s.sendall(b'{\"hello\":1,\"token\":\"' + os.environ['ODIN_RUN_TOKEN'].encode() + b'\"}\\n')\n\
         for n in range(20000): s.sendall(b'{\"seq\":%d}\\n' % (n + 1))\n\
         if os.fork() == 0:\n\
         \x20   import time\n\
         \x20   time.sleep(0.2)\n\
         \x20   s.sendall(b'the last word, without an end')\n\
         os._exit(0)\n";
    let argv = ["python3", "-c", code].map(str::to_owned).to_vec();
    let launch = executor.launch(LaunchProgram::Argv(argv));
    let key = launch.key;
    assert_eq!(executor.run(launch).ending, Ending::Exited { code: 0 });
    let lines = lines_of(&kept(&executor, key));
    let mut expected: Vec<String> = (1..=20_000).map(|n| format!("{{\"seq\":{n}}}")).collect();
    expected.push("the last word, without an end".to_owned());
    assert_eq!(lines, expected);
}

#[test]
fn sixty_four_connections_are_each_in_order_and_each_acknowledged() {
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor, 1 << 20);
    let mut guests: Vec<_> = (0..64).map(|_| Guest::enter(&executor, &token)).collect();
    for round in 0..20 {
        for (number, guest) in guests.iter_mut().enumerate() {
            guest.say(format!("{number} {round}\n").as_bytes());
        }
    }
    for guest in &mut guests {
        guest.wait_acked(20);
    }
    let lines = lines_of(&kept(&executor, key));
    assert_eq!(lines.len(), 64 * 20);
    for number in 0..64 {
        let prefix = format!("{number} ");
        let own: Vec<_> = lines
            .iter()
            .filter_map(|line| line.strip_prefix(&prefix))
            .collect();
        let expected: Vec<String> = (0..20).map(|round| round.to_string()).collect();
        assert_eq!(own, expected);
    }
    cancel(&mut executor, key);
}

#[test]
fn a_flood_is_kept_up_to_the_bound_and_counted_beyond_it() {
    let mut executor = Executor::start();
    let bound = 300_000;
    let (key, token) = staying(&mut executor, bound);
    let mut guest = Guest::enter(&executor, &token);
    let line = format!("{}\n", "x".repeat(99));
    let mut writer = guest.socket.get_ref().try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        for _ in 0..100 {
            writer.write_all(line.repeat(1000).as_bytes()).unwrap();
        }
    });
    guest.wait_acked(100_000);
    flood.join().unwrap();
    // While it goes on, the mark is there; what came after it is told at the end.
    let shown = kept(&executor, key);
    assert_eq!(marks(&shown).len(), 1, "{:?}", marks(&shown));
    cancel(&mut executor, key);
    let all = kept(&executor, key);
    let marks = marks(&all);
    let lines = all.len() - marks.len();
    // The last one counts all of them.
    let (dropped, bytes) = marks[1..][0];
    assert_eq!(marks.len(), 2, "{marks:?}");
    assert_eq!(lines as u64 + dropped, 100_000);
    assert_eq!(bytes, dropped * 99);
    let size = std::fs::metadata(executor.dir.values_file(key))
        .unwrap()
        .len();
    assert!(size < bound + 200 && size > bound - 400, "{size}");
}

#[test]
fn a_result_is_kept_when_reports_have_used_up_their_room() {
    let mut executor = Executor::start();
    let bound = 20_000;
    let (key, token) = staying(&mut executor, bound);
    let mut guest = Guest::enter(&executor, &token);
    let watch = format!("{{\"kind\":\"watch\",\"name\":\"{}\"}}\n", "n".repeat(60));
    let result = |number: u32| {
        let text = "r".repeat(200);
        format!("{{\"kind\":\"result\",\"name\":\"{number} {text}\",\"status\":500}}")
    };
    for _ in 0..1000 {
        guest.say(watch.as_bytes());
    }
    guest.say(format!("{}\n", result(0)).as_bytes());
    guest.wait_acked(1001);
    // It shows at once, behind the mark.
    let shown = kept(&executor, key);
    assert_eq!(shown.last(), Some(&Kept::Line(result(0).into())));
    assert_eq!(marks(&shown).len(), 1);
    // Results have a bound too, and the latest one counts.
    let mut dropped = 1000 - (shown.len() as u64 - 2);
    for number in 1..=2000 {
        guest.say(format!("{}\n", result(number)).as_bytes());
        guest.say(watch.as_bytes());
    }
    guest.wait_acked(5001);
    dropped += 2000;
    cancel(&mut executor, key);
    let all = kept(&executor, key);
    assert_eq!(all.last(), Some(&Kept::Line(result(2000).into())));
    let is_result =
        |kept: &&Kept| matches!(kept, Kept::Line(line) if line.starts_with(b"{\"kind\":\"result"));
    let results = all.iter().filter(is_result).count() as u64;
    assert!((200..400).contains(&results), "{results}");
    dropped += 2001 - results;
    let marks = marks(&all);
    assert_eq!(marks.len(), 2, "{marks:?}");
    assert_eq!(marks[1].0, dropped);
    let size = std::fs::metadata(executor.dir.values_file(key))
        .unwrap()
        .len();
    assert!(size < bound + (64 << 10) + 500, "{size}");
}

#[test]
fn long_lines_are_cut_and_unfinished_ones_are_lines() {
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor, 10 << 20);
    let mut guest = Guest::enter(&executor, &token);
    guest.say(b"\r\n\n");
    guest.say(&vec![b'a'; LINE_BYTES_MAX]);
    guest.say(b"\n");
    guest.say(&vec![b'b'; 1 << 20]);
    guest.say(b"\nhalf");
    guest.socket.get_ref().shutdown(Shutdown::Write).unwrap();
    let mut rest = String::new();
    guest.socket.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("{\"ack\":5}\n"), "{rest}");
    let expected = [
        Kept::Line(b"\r".to_vec()),
        Kept::Line(vec![b'a'; LINE_BYTES_MAX]),
        Kept::CutLine {
            start: vec![b'b'; LINE_BYTES_MAX],
            bytes: 1 << 20,
        },
        Kept::Line(b"half".to_vec()),
    ];
    assert_eq!(kept(&executor, key), expected);
    cancel(&mut executor, key);
}

#[test]
fn who_reads_no_answers_gets_the_latest_when_it_does() {
    let mut executor = Executor::start();
    let (key, token) = staying(&mut executor, 10 << 20);
    let mut guest = Guest::enter(&executor, &token);
    let mut other = Guest::enter(&executor, &token);
    // Each line of the other one's is a round of the disk: more answers than a socket holds.
    for round in 1..=600 {
        guest.say(b"x\n");
        other.say(b"y\n");
        while !other.line().contains(&format!(":{round}}}")) {}
    }
    guest.wait_acked(600);
    cancel(&mut executor, key);
}

#[test]
fn secrets_are_not_in_the_file() {
    let mut executor = Executor::start();
    let mut launch = executor.shell("echo $ODIN_RUN_TOKEN >token; exec sleep 1000");
    launch.secrets = vec![LaunchSecret {
        name: SecretName::parse("KEY").unwrap(),
        value: SecretValue::new(b"correct horse \"battery\"".to_vec()).unwrap(),
        delivery: SecretDelivery::Env,
    }];
    let key = executor.arm(launch);
    executor.wait_started(key);
    let token = executor.wait_for_file("token");
    let mut guest = Guest::enter(&executor, &token);
    guest.say(b"{\"value\":\"the correct horse \\\"battery\\\" staple\"}\n{\"value\":\"correct horse\"}\n");
    // Cut by who spoke.
    guest.say("{\"name\":\"a correct horse \\\"bat…\"}\n".as_bytes());
    guest.wait_acked(3);
    assert_eq!(
        lines_of(&kept(&executor, key)),
        [
            "{\"value\":\"the *** staple\"}",
            "{\"value\":\"correct horse\"}",
            "{\"name\":\"a ***…\"}",
        ]
    );
    cancel(&mut executor, key);
}
