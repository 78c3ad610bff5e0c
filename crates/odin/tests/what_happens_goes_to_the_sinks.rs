//! Values and the ends of runs reach a sink in the order of the log, each once, over refusals, outages and a server that is
//! killed.
#![allow(clippy::unwrap_used)]

mod faults;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};

use faults::Place;
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// The records in a file: everything but metrics, which come by the clock.
fn lines(path: &Path) -> Vec<Value> {
    let all = all_lines(path).into_iter();
    all.filter(|line| line["record"] != "metric").collect()
}

fn all_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn status(place: &Place, name: &str) -> Value {
    place.server.json(["sink", "status", name])
}

/// Waits until nothing is left to send.
fn settled(place: &Place, name: &str, sent: u64) -> Value {
    place.server.wait_for("a sink that is up to date", |_| {
        let seen = status(place, name);
        (seen["behind"] == 0 && seen["sent"] == sent && seen["state"] == "ok").then_some(seen)
    })
}

#[test]
fn a_file_gets_each_record_once_over_an_outage_and_a_kill() {
    let mut place = Place::new();
    let code = format!(
        "echo \"$TRACEPARENT\" > $HERE/trace\n\
         {ODIN} watch price -- 101.5\n\
         {ODIN} condition 'is, \"odd\"' true\n\
         {ODIN} result done 0\n"
    );
    place.deploy("fetch", "never", "", &code);
    let before = place.run("fetch");
    place.ended("fetch", &before);

    // The folder is not there yet: the receiver is down.
    let path = place.path("records/odin.jsonl");
    let shown = path.to_str().unwrap().to_owned();
    place
        .server
        .json(["sink", "set", "archive", "--file", &shown]);
    let first = place.run("fetch");
    place.ended("fetch", &first);
    let failing = place.server.wait_for("a sink that fails", |_| {
        let seen = status(&place, "archive");
        (seen["state"] == "failing" && !seen["error"].is_null()).then_some(seen)
    });
    let error = failing["error"].as_str().unwrap();
    assert!(
        error.contains(&shown) && error.contains("cannot be written"),
        "{error}"
    );
    assert_ne!(failing["behind"], 0);

    place.server.kill();
    place.server.restart();
    let second = place.run("fetch");
    place.ended("fetch", &second);
    std::fs::create_dir(place.path("records")).unwrap();
    let up_to_date = settled(&place, "archive", 8);
    assert_eq!(up_to_date["state"], "ok", "{up_to_date}");
    assert_eq!(
        (&up_to_date["skipped"], &up_to_date["dropped"]),
        (&0.into(), &0.into())
    );

    let told: Vec<(String, String)> = lines(&path)
        .iter()
        .map(|line| {
            let what = line["name"].as_str().or(line["outcome"].as_str()).unwrap();
            (line["run"].as_str().unwrap().to_owned(), what.to_owned())
        })
        .collect();
    let of = |run: &String| {
        ["price", "is, \"odd\"", "done", "succeeded"]
            .map(|what| (run.clone(), what.to_owned()))
            .to_vec()
    };
    assert_eq!(
        told,
        [of(&first), of(&second)].concat(),
        "not what was before the sink"
    );
    // The ids that the job saw are those that are sent.
    let trace = place.evidence("trace");
    let last = lines(&path).pop().unwrap();
    let ids: Vec<&str> = trace.trim().split('-').collect();
    assert_eq!(last["trace"], ids[1]);
    assert_eq!(last["attempts"][0]["span"], ids[2]);

    let tried = place.server.json(["sink", "test", "archive"]);
    assert_eq!(tried["taken"], true);
    place.server.json(["sink", "remove", "archive"]);
    let list = place.server.json(["sink", "list"]);
    assert_eq!(list["sinks"].as_array().unwrap().len(), 0);
}

#[test]
fn what_a_job_no_longer_keeps_stays_until_a_sink_that_was_down_has_it() {
    let place = Place::with_arguments(&["--history-period", "1s"]);
    let code = format!("{ODIN} watch price -- 1\n");
    let keep = |runs| format!("  keep: {{runs: {runs}}}\n");
    let run = |job: &str, times| {
        for _ in 0..times {
            let run = place.run(job);
            place.ended(job, &run);
        }
    };
    let wait_for_kept = |job: &str, count| {
        place
            .server
            .wait_for("what is no longer kept to go", |server| {
                let list = server.json(["runs", "-i", job]);
                (list["runs"].as_array().unwrap().len() == count).then_some(())
            });
    };
    place.deploy("older", "never", "", &code);
    run("older", 3);
    let path = place.path("records/odin.jsonl");
    let file = path.to_str().unwrap();
    place
        .server
        .json(["sink", "set", "archive", "--file", file]);
    place.deploy("fetch", "never", &keep(2), &code);
    run("fetch", 5);
    // When this has gone, the other job was looked at too.
    place.deploy("older", "never", &keep(1), &code);
    wait_for_kept("older", 1);
    wait_for_kept("fetch", 5);

    std::fs::create_dir(place.path("records")).unwrap();
    let seen = settled(&place, "archive", 10);
    assert_eq!((&seen["skipped"], &seen["dropped"]), (&0.into(), &0.into()));
    wait_for_kept("fetch", 2);
}

#[test]
fn a_receiver_that_never_answers_holds_up_no_run_and_no_other_sink() {
    let place = Place::new();
    place.deploy("fetch", "never", "", "true\n");
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", receiver.local_addr().unwrap());
    let (reached, is_reached) = mpsc::channel();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in receiver.incoming() {
            held.push(stream);
            let _ = reached.send(());
        }
    });
    place.server.json([
        "sink",
        "set",
        "slow",
        "--otlp",
        &address,
        "--metrics-every",
        "off",
    ]);
    let path = place.path("odin.jsonl");
    let file = path.to_str().unwrap();
    place
        .server
        .json(["sink", "set", "archive", "--file", file]);

    let mut runs = vec![place.run("fetch")];
    place.ended("fetch", &runs[0]);
    is_reached.recv().unwrap();
    // From here on the slow one is in the middle of its first batch.
    for _ in 0..20 {
        let run = place.run("fetch");
        place.ended("fetch", &run);
        runs.push(run);
    }
    settled(&place, "archive", 21);
    let told: Vec<String> = lines(&path)
        .iter()
        .map(|line| line["run"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told, runs);
    let slow = status(&place, "slow");
    assert_eq!((&slow["sent"], &slow["behind"]), (&0.into(), &21.into()));
    assert_eq!((&slow["skipped"], &slow["dropped"]), (&0.into(), &0.into()));
}

/// A receiver that notes the token of each request.
#[derive(Default)]
struct Door {
    /// It says 503 and repeats the token.
    is_down: bool,
    tokens: Vec<String>,
}

fn open_door() -> (String, Arc<Mutex<Door>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let door = Arc::new(Mutex::new(Door::default()));
    let shared = Arc::clone(&door);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let door = Arc::clone(&shared);
            std::thread::spawn(move || {
                let mut stream = BufReader::new(stream.unwrap());
                while serve(&mut stream, &door).is_some() {}
            });
        }
    });
    (url, door)
}

/// One request. `None`: the connection is over.
fn serve(stream: &mut BufReader<TcpStream>, door: &Mutex<Door>) -> Option<()> {
    let (mut length, mut token) = (0, String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.split_once(':') {
            Some(("content-length", value)) => length = value.trim().parse().unwrap(),
            Some(("authorization", value)) => token = value.trim().to_owned(),
            _ if line == "\r\n" => break,
            _ => {}
        }
    }
    stream.read_exact(&mut vec![0; length]).ok()?;
    let mut door = door.lock().unwrap();
    door.tokens.push(token.clone());
    let answer = match door.is_down {
        false => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        true => {
            let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: ";
            let said = format!("down for {token}");
            format!("{head}{}\r\n\r\n{said}", said.len())
        }
    };
    stream.get_mut().write_all(answer.as_bytes()).ok()
}

fn set_secret(place: &Place, value: &str) {
    let path = place.path("value");
    std::fs::write(&path, value).unwrap();
    let file = path.to_str().unwrap();
    let done = place
        .server
        .odin(["secret", "set", "TOKEN", "--from-file", file]);
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn a_sink_sends_with_the_secret_that_is_there_now_and_shows_it_to_nobody() {
    let place = Place::new();
    place.deploy("fetch", "never", "", "true\n");
    let run = || {
        let run = place.run("fetch");
        place.ended("fetch", &run);
    };
    let (url, door) = open_door();
    let used = || door.lock().unwrap().tokens.clone();
    set_secret(&place, "tok-first-123");
    let set = "sink set db --org o --bucket b --secret TOKEN --metrics-every 5s --influxdb-v2";
    let set: Vec<&str> = set.split(' ').chain([url.as_str()]).collect();
    place.server.json(set);
    run();
    settled(&place, "db", 1);
    assert!(used().iter().all(|it| it == "Token tok-first-123"));

    // Removed by force: it waits.
    let removed = place.server.odin(["secret", "rm", "TOKEN", "--force"]);
    assert!(removed.status.success(), "{removed:?}");
    run();
    place.server.wait_for("a sink without its secret", |_| {
        let seen = status(&place, "db");
        let is_said = |key: &str| {
            let error = seen[key].as_str();
            error.is_some_and(|error| error.contains("has no secret `TOKEN` any more"))
        };
        (is_said("error") && is_said("metrics_error")).then_some(())
    });
    let before = used().len();
    set_secret(&place, "tok-second-123");
    settled(&place, "db", 2);
    // Another value counts from the next record on, though nothing failed.
    set_secret(&place, "tok-third-123");
    run();
    settled(&place, "db", 3);
    place.server.wait_for("metrics with the third secret", |_| {
        let all = used();
        let third = all.iter().filter(|it| *it == "Token tok-third-123");
        (third.count() >= 2).then_some(())
    });
    let after = used().split_off(before);
    assert_eq!(after[0], "Token tok-second-123");
    assert!(!after.contains(&"Token tok-first-123".to_owned()));
    assert!(after.is_sorted(), "{after:?}");

    // A receiver that repeats what it was sent.
    door.lock().unwrap().is_down = true;
    run();
    let failing = place.server.wait_for("a sink that fails", |_| {
        let seen = status(&place, "db");
        (!seen["error"].is_null() && !seen["metrics_error"].is_null()).then_some(seen)
    });
    let tried = place.server.odin(["sink", "test", "db", "--json"]);
    let tried: Value = serde_json::from_slice(&tried.stdout).unwrap();
    for words in [
        &failing["error"],
        &failing["metrics_error"],
        &tried["error"],
    ] {
        let words = words.as_str().unwrap();
        assert!(
            words.contains("503 Service Unavailable: down for Token ***"),
            "{words}"
        );
    }
    door.lock().unwrap().is_down = false;
    settled(&place, "db", 4);
    let log = place.evidence("data.stderr");
    assert!(!log.contains("tok-third"), "{log}");
    let said = |words: &str| log.matches(words).count();
    assert_eq!(said("receiver takes nothing"), 2, "{log}");
    assert_eq!(said("receiver takes records again"), 2, "{log}");
}

#[test]
fn metrics_go_where_they_are_asked_for_and_say_why_they_do_not() {
    let place = Place::new();
    place.deploy("fetch", "never", "", "exit 3\n");
    let run = place.run("fetch");
    place.ended("fetch", &run);
    let path = place.path("records/metrics.jsonl");
    let file = path.to_str().unwrap();
    let set = [
        "sink", "set", "numbers", "--file", file, "--only", "metrics",
    ];
    let set = place
        .server
        .json([&set[..], &["--metrics-every", "5s"]].concat());
    assert_eq!(set["records"], serde_json::json!(["metrics"]));
    assert_eq!(set["metrics_every_seconds"], 5);
    // The folder is not there yet.
    let failing = place.server.wait_for("metrics that fail", |_| {
        let seen = status(&place, "numbers");
        (seen["state"] == "failing" && !seen["metrics_error"].is_null()).then_some(seen)
    });
    let error = failing["metrics_error"].as_str().unwrap();
    assert!(error.contains("cannot be written"), "{error}");
    assert_eq!(failing["error"], Value::Null);
    std::fs::create_dir(place.path("records")).unwrap();
    place.server.wait_for("metrics that are well", |_| {
        (status(&place, "numbers")["state"] == "ok").then_some(())
    });
    let metrics = all_lines(&path);
    let named = |name: &str| {
        let found = metrics.iter().find(|line| line["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {metrics:?}"))
    };
    assert_eq!(named("odin_jobs")["value"], 1);
    let finished = named("odin_runs_finished");
    assert_eq!(
        (&finished["labels"]["outcome"], &finished["value"]),
        (&"failed".into(), &1.into())
    );
    let duration = named("odin_run_duration_seconds");
    assert_eq!(
        (&duration["kind"], &duration["count"]),
        (&"histogram".into(), &1.into())
    );
    assert!(lines(&path).is_empty(), "no record that is not asked for");

    // What is asked for no more does not come, and a try says what the receiver says.
    let off = [
        "sink",
        "set",
        "numbers",
        "--file",
        file,
        "--metrics-every",
        "off",
    ];
    let off = place.server.json(off);
    assert_eq!(off["records"], serde_json::json!(["values", "runs"]));
    let tried = place.server.json(["sink", "test", "numbers"]);
    assert_eq!(tried["taken"], true);
    let last = all_lines(&path).pop().unwrap();
    assert_eq!(last["name"], "odin_sink_test");
}

#[test]
fn a_sink_that_is_down_shows_how_far_it_is_behind_until_it_has_caught_up() {
    let place = Place::new();
    let code = format!("{ODIN} watch price -- 1\n{ODIN} watch price -- 2\n");
    place.deploy("fetch", "never", "", &code);
    let path = place.path("records/odin.jsonl");
    let file = path.to_str().unwrap();
    let set = [
        "sink",
        "set",
        "archive",
        "--metrics-every",
        "5s",
        "--file",
        file,
    ];
    place.server.json(set);
    let of = |family: &str, more: &str| {
        let series = format!("odin_sink_{family}{{sink=\"archive\",kind=\"file\"{more}}}");
        place
            .metric(&series)
            .unwrap_or_else(|| panic!("there is no {series}"))
    };
    let behind = |record| of("behind_records", &format!(",record=\"{record}\""));
    let done = |result| of("records_total", &format!(",result=\"{result}\""));
    let up = || [of("up", ",part=\"feed\""), of("up", ",part=\"metrics\"")];
    let failures = |part| of("failed_attempts_total", &format!(",part=\"{part}\""));
    assert_eq!((behind("values"), behind("runs")), (0.0, 0.0));
    assert_eq!(of("behind_age_seconds", ""), 0.0);

    let first = place.run("fetch");
    place.ended("fetch", &first);
    place.server.wait_for("a sink that is one run behind", |_| {
        ((behind("values"), behind("runs")) == (2.0, 1.0)).then_some(())
    });
    place
        .server
        .wait_for("a sink that fails again and again", |_| {
            (failures("feed") >= 2.0 && failures("metrics") >= 2.0).then_some(())
        });
    let (age, failed) = (of("behind_age_seconds", ""), failures("feed"));
    assert!(age > 0.0);
    assert_eq!(up(), [0.0, 0.0]);
    let second = place.run("fetch");
    place.ended("fetch", &second);
    place
        .server
        .wait_for("a sink that is two runs behind", |_| {
            ((behind("values"), behind("runs")) == (4.0, 2.0)).then_some(())
        });
    assert!(of("behind_age_seconds", "") > age, "the oldest is the same");
    place.server.wait_for("one more failure", |_| {
        (failures("feed") > failed).then_some(())
    });
    assert_eq!(done("sent"), 0.0);
    let seen = status(&place, "archive");
    assert_eq!(
        (&seen["behind_values"], &seen["behind_runs"]),
        (&4.into(), &2.into())
    );
    let oldest: jiff::Timestamp = seen["behind_since"].as_str().unwrap().parse().unwrap();
    let over = place.one_run("fetch", &first)["finished_at"].clone();
    assert!(oldest <= over.as_str().unwrap().parse().unwrap(), "{seen}");
    for words in [vec!["sink", "list"], vec!["sink", "status", "archive"]] {
        let shown = place.server.odin(&words);
        let text = String::from_utf8(shown.stdout).unwrap();
        let expected = match words[1] {
            "list" => "OLDEST",
            _ => "with 4 values and 2 ends of runs, the oldest ",
        };
        assert!(text.contains(expected), "{text}");
    }

    std::fs::create_dir(place.path("records")).unwrap();
    let seen = settled(&place, "archive", 6);
    assert_eq!(seen["behind_since"], Value::Null);
    assert_eq!((behind("values"), behind("runs")), (0.0, 0.0));
    assert_eq!(of("behind_age_seconds", ""), 0.0);
    let all = ["sent", "skipped", "dropped"].map(done);
    assert_eq!(all, [6.0, 0.0, 0.0]);
    assert_eq!(up(), [1.0, 1.0]);
    assert!(failures("feed") > failed, "what failed has failed");

    // Metrics tell a sink of itself.
    place.server.wait_for("its own place in a sink", |_| {
        let own = |line: &Value| {
            line["name"] == "odin_sink_records" && line["labels"]["result"] == "sent"
        };
        let mut all = all_lines(&path).into_iter();
        all.any(|line| own(&line) && line["value"] == 6 && line["kind"] == "counter")
            .then_some(())
    });
}

#[test]
fn a_file_of_records_touches_no_other_and_its_group_reads_it() {
    let place = Place::new();
    place.deploy("fetch", "never", "", "true\n");
    // The server's own files, by whatever way.
    std::os::unix::fs::symlink(place.server.data_dir(), place.path("link")).unwrap();
    let state = place.server.data_dir().join("state.db");
    let others = [state, place.path("link/state.db"), place.path("link/new")];
    for file in others {
        let file = file.to_str().unwrap();
        let refused = place.server.odin(["sink", "set", "x", "--file", file]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{file}: {said}");
        assert!(
            said.contains("sink/bad-target") && said.contains("the server keeps its own files"),
            "{said}"
        );
    }
    // What comes to be there after the sink was set.
    let path = place.path("records/odin.jsonl");
    let file = path.to_str().unwrap();
    place.server.json(["sink", "set", "x", "--file", file]);
    let folder = place.path("later");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("odin.jsonl"), "a line without an end").unwrap();
    std::fs::rename(&folder, place.path("records")).unwrap();
    let run = place.run("fetch");
    place.ended("fetch", &run);
    place.server.wait_for("a sink that says what to do", |_| {
        let seen = status(&place, "x");
        let error = seen["error"].as_str()?;
        let next = "move it away, or name another file";
        error.contains(next).then_some(())
    });
    let theirs = std::fs::read_to_string(&path).unwrap();
    assert_eq!(theirs, "a line without an end");
    std::fs::remove_file(&path).unwrap();
    settled(&place, "x", 1);
    assert_eq!(lines(&path)[0]["run"], run.as_str());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[test]
fn what_cannot_be_a_sink_is_refused_with_the_reason() {
    let place = Place::new();
    for (arguments, exit, words) in [
        (
            "set x --postgres postgres://ann:pw@db/odin",
            2,
            "keep it in a secret",
        ),
        (
            "set x --otlp ftp://collector",
            2,
            "the address begins with http:// or https://",
        ),
        ("set x --otlp http://collector --secret NONE", 4, "NONE"),
        ("set x --file relative.jsonl", 2, "is not an absolute path"),
        (
            "set x --file /",
            2,
            "is a directory: name a file in it, such as /records.jsonl",
        ),
        (
            "set x --file /tmp",
            2,
            "/tmp is a directory, not a file: name a file in it, such as /tmp/records.jsonl",
        ),
        ("set x --file /dev/full", 2, "is a device, not a file"),
        (
            "set x --file /etc/hostname",
            2,
            "/etc/hostname holds something else than Odin's records",
        ),
        (
            "set x --otlp http://h:99999",
            2,
            "port 99999 is not one: a port is a number from 1 to 65535",
        ),
        (
            "set x --postgres postgres://ann@db:99999/odin",
            2,
            "write it as postgres://USER@HOST:PORT/DATABASE",
        ),
        (
            "set x --file /tmp/x --job ffffffffffff",
            2,
            "there is no job ffffffffffff: `odin list` shows the ids",
        ),
        (
            "set x --file /tmp/x --org ops",
            2,
            "--org goes with --influxdb-v2, not with --file: leave it out",
        ),
        (
            "set x --remote-write http://h/write --user ann",
            2,
            "--user needs --secret: that user's password",
        ),
        (
            "set x --file /tmp/x --secret PW",
            2,
            "a file asks for no secret: leave --secret out",
        ),
        (
            "set x --postgres postgres://ann@db/odin --keep 3",
            2,
            "--keep goes with --file, not with --postgres: leave it out",
        ),
        ("set AB --file /tmp/x", 2, "a sink's name"),
        (
            "set x --file /tmp/x --metrics-every 4s",
            2,
            "every 5 to 86400 s",
        ),
        (
            "set x --file /tmp/x --metrics-every 0.5s",
            2,
            "whole seconds",
        ),
        (
            "set x --file /tmp/x --only metrics --metrics-every off",
            2,
            "never go there",
        ),
        ("status none", 4, "there is no sink `none`"),
        ("set x", 2, "required"),
    ] {
        let given = arguments.split(' ');
        let done = place.server.odin(["sink"].into_iter().chain(given));
        let said = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(exit), "{arguments}: {said}");
        assert!(said.contains(words), "{arguments}: {said}");
    }
}
