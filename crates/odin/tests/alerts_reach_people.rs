//! Alerts from a job's failing run to a receiver and back to a person who answers: over restarts, and while the
//! receiver is down.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "a receiver is a thread of the test"
)]

mod faults;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use faults::{Place, wait_for};
use serde_json::Value;

/// A web server that refuses the first requests and takes the others; what each had as id and body.
struct Receiver {
    port: u16,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Receiver {
    fn new(refused: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read_request(&mut stream);
                let mut seen = kept.lock().unwrap();
                let status = match seen.len() < refused {
                    true => "503 Later",
                    false => "204 Taken",
                };
                seen.push(request);
                drop(seen);
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                // A server that was killed takes no answer.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, seen }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    fn seen(&self) -> Vec<(String, Value)> {
        self.seen.lock().unwrap().clone()
    }

    fn wait_for(&self, count: usize) -> Vec<(String, Value)> {
        wait_for("messages", || {
            let seen = self.seen();
            (seen.len() >= count).then_some(seen)
        })
    }
}

fn read_request(stream: &mut impl Read) -> (String, Value) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let header = |name: &str| {
                let lines = head.lines().filter_map(|line| line.split_once(": "));
                let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
                found.next().map(|(_, value)| value.to_owned())
            };
            let length: usize = header("content-length").unwrap().parse().unwrap();
            if body.len() >= length {
                let body = serde_json::from_str(body).unwrap();
                return (header("webhook-id").unwrap(), body);
            }
        }
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "a request ended early: {text}");
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn set_channel(place: &Place, receiver: &Receiver) {
    let url = receiver.url();
    place.server.json([
        "notify",
        "channel",
        "set",
        "ops",
        "--webhook",
        &url,
        "--gather",
        "100ms",
    ]);
}

const TELLS: &str = "  notify: {on: [failure, recovered], to: [ops]}\n";

fn what(body: &Value) -> Vec<String> {
    let alerts = body["data"]["alerts"].as_array().unwrap().iter();
    alerts
        .map(|it| format!("{} {}", it["event"], it["kind"]).replace('"', ""))
        .collect()
}

/// The alerts of jobs: the disk of the machine that tests may well be nearly full.
fn of_jobs(place: &Place) -> Vec<Value> {
    let mut alerts = place.server.json(["alerts"])["alerts"].take();
    let alerts = alerts.as_array_mut().unwrap();
    alerts.retain(|alert| alert["kind"] != "disk_nearly_full");
    std::mem::take(alerts)
}

#[test]
fn a_failure_and_the_recovery_are_told_once_although_the_receiver_was_down() {
    let receiver = Receiver::new(2);
    let place = Place::new();
    set_channel(&place, &receiver);
    place.deploy("nightly", "never", TELLS, "test -e $HERE/well\n");
    let run = place.run("nightly");
    place.ended("nightly", &run);
    let seen = receiver.wait_for(3);
    assert!(seen.iter().all(|request| *request == seen[0]), "{seen:?}");
    assert_eq!(what(&seen[0].1), ["opened failure"]);

    let alerts = of_jobs(&place);
    let id = alerts[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(alerts[0]["run"], run.as_str());
    place
        .server
        .json(["alerts", "ack", &id, "--reason", "known"]);
    std::fs::write(place.path("well"), "").unwrap();
    let run = place.run("nightly");
    place.ended("nightly", &run);
    let seen = receiver.wait_for(4);
    assert_eq!(what(&seen[3].1), ["resolved failure"]);
    assert_ne!(seen[3].0, seen[0].0);
    assert_eq!(of_jobs(&place), Vec::<Value>::new());
}

#[test]
fn what_comes_due_while_nothing_is_applied_is_told() {
    let receiver = Receiver::new(0);
    let place = Place::new();
    set_channel(&place, &receiver);
    let settings =
        "  expect: {max_duration: 2s}\n  notify: {on: [too_slow, never_finished], to: [ops]}\n";
    let code = "until [ -e $HERE/go ]; do sleep 0.1; done\n";
    place.deploy("slow", "never", settings, code);
    let run = place.run("slow");
    // Nothing happens from the start of the process on: each is told when its time has passed, and so is the message.
    let seen = receiver.wait_for(2);
    assert_eq!(what(&seen[0].1), ["opened too_slow"]);
    assert_eq!(what(&seen[1].1), ["opened never_finished"]);
    std::fs::write(place.path("go"), "").unwrap();
    place.ended("slow", &run);
}

#[test]
fn a_server_that_is_killed_around_a_sending_tells_it_under_one_id() {
    for point in ["server-notify-before", "server-notify-after"] {
        let receiver = Receiver::new(0);
        let mut place = Place::new();
        set_channel(&place, &receiver);
        place.server.kill();
        place.server.set_environment(&[("ODIN_FAULT", point)]);
        place.server.restart();
        place.deploy("nightly", "never", TELLS, "exit 3\n");
        place.run("nightly");
        let pid = place.server.pid();
        faults::wait_until_gone(pid);
        let before = receiver.seen().len();
        assert_eq!(before, usize::from(point.ends_with("after")), "{point}");
        place.server.kill();
        place.server.set_environment(&[]);
        place.server.restart();
        let seen = receiver.wait_for(before + 1);
        assert!(
            seen.iter().all(|request| *request == seen[0]),
            "{point}: {seen:?}"
        );
        assert_eq!(what(&seen[0].1), ["opened failure"], "{point}");
        place
            .server
            .wait_for("the message to be settled", |server| {
                let list = server.json(["notify", "deliveries", "ops"]);
                (list["deliveries"][0]["state"] == "sent").then_some(())
            });
        assert_eq!(receiver.seen().len(), before + 1, "{point}");
    }
}

#[test]
fn a_command_is_run_as_the_jobs_owner_with_the_message_beside_it() {
    let place = Place::new();
    let told = place.path("told");
    let line = format!(
        "cat message.txt > {0}.part; mv {0}.part {0}",
        told.display()
    );
    place.server.json([
        "notify",
        "channel",
        "set",
        "ops",
        "--command",
        &line,
        "--gather",
        "100ms",
    ]);
    place.deploy("nightly", "never", TELLS, "exit 3\n");
    place.run("nightly");
    let text = wait_for("what the command writes", || {
        std::fs::read_to_string(&told).ok()
    });
    assert!(text.contains("`nightly` failed: exit code 3"), "{text}");
}

#[test]
fn a_channel_that_is_not_there_is_refused_with_the_nearest_and_a_try_says_what_failed() {
    let place = Place::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    place
        .server
        .json(["notify", "channel", "set", "ops", "--webhook", &url]);
    let file = place.write_job("nightly", "never", "  notify: {to: [opps]}\n", "true\n");
    let refused = place.server.odin(["deploy", "-f", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("Did you mean `ops`?"), "{said}");
    let tried = place.server.odin(["notify", "test", "ops"]);
    assert_eq!(tried.status.code(), Some(1));
    let said = String::from_utf8_lossy(&tried.stdout);
    assert!(said.contains("✗ cannot connect to 127.0.0.1:"), "{said}");
}
