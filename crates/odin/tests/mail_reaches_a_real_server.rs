//! Mail to a server that is not Odin's: aiosmtpd, which `.ci/run` puts into `target/receivers`, and Python's parser of
//! mail. Whom the machine trusts is what `SSL_CERT_FILE` names, as an operator may set it.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "the mail server is a process, whose lines are read as they come"
)]

mod faults;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use faults::{ODIN, Place, wait_for};
use odin_testbed::Server;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse";

/// A mail server that ends with the test.
struct MailServer {
    process: Child,
    port: u64,
    seen: Arc<Mutex<Vec<Value>>>,
    reading: Option<JoinHandle<()>>,
}

impl MailServer {
    fn new(arguments: &[&str]) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = here.join("../../target/receivers/bin/python3");
        let process = Command::new(&python)
            .args(["-W", "ignore"])
            .arg(here.join("tests/mail_server/server.py"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn();
        let mut process = process.unwrap_or_else(|error| {
            panic!("{}: {error}; `.ci/run` makes it", python.display());
        });
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let mut lines = stdout.lines().map(|line| -> Value {
            let line = line.expect("the mail server is read");
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
        });
        let port = lines.next().expect("the mail server starts")["port"]
            .as_u64()
            .unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let reading = std::thread::spawn(move || {
            for line in lines {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            process,
            port,
            seen,
            reading: Some(reading),
        }
    }

    /// Ends it: all that it has said is read after that.
    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reading) = self.reading.take() {
            reading.join().unwrap();
        }
    }

    /// One that shows this certificate, and wants a login.
    fn with_tls(tls: &str, certificate: &str, more: &[&str]) -> Self {
        let file = |ending| path_text(&certificates().join(format!("{certificate}.{ending}")));
        let (certificate, key) = (file("pem"), file("key"));
        let mut arguments = vec!["--tls", tls, "--certificate", &certificate, "--key", &key];
        arguments.extend(["--user", "odin", "--password", PASSWORD]);
        arguments.extend(more);
        Self::new(&arguments)
    }

    /// What it said of this, each time.
    fn said(&self, what: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        let said = seen.iter().filter_map(|it| it.get(what)).cloned();
        said.collect()
    }

    /// All that came before TLS did.
    fn said_in_clear(&self) -> String {
        let clear = self.said("clear");
        clear.iter().map(|it| it.as_str().unwrap()).collect()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // A reader that broke has failed its test already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn certificates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../odin-outbound/tests/certificates")
}

fn path_text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A server that trusts the authority of the tests and nobody else, and has the password.
fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let trusted = path_text(&certificates().join("trusted.pem"));
    // Those of the machine's own are in a directory, which is looked into as well.
    let nobody = directory.path().join("nobody");
    std::fs::create_dir(&nobody).unwrap();
    let nobody = path_text(&nobody);
    let environment = [("SSL_CERT_FILE", &*trusted), ("SSL_CERT_DIR", &*nobody)];
    let server = Server::try_start_in(Path::new(ODIN), &data, &[], &environment).unwrap();
    let place = Place { server, directory };
    set_password(&place, PASSWORD);
    place
}

fn set_password(place: &Place, password: &str) {
    let mut command = place.server.command();
    command.args(["secret", "set", "SMTP_PASSWORD"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(password.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// Makes `ops` a channel to that server. A `*` in the address is the server's port.
fn set_channel(place: &Place, server: &MailServer, address: &str, to: &[&str]) {
    let address = address.replace('*', &server.port.to_string());
    let mut arguments = vec!["notify", "channel", "set", "ops", "--smtp", &address];
    arguments.extend(["--from", "Odin 🚀 \"the\" one <odin@example.org>"]);
    arguments.extend(["--gather", "100ms"]);
    for &to in to {
        arguments.extend(["--email", to]);
    }
    if address.contains('@') {
        arguments.extend(["--secret", "SMTP_PASSWORD"]);
    }
    place.server.json(arguments);
}

/// Tries the channel; whether the message was taken, and what was said.
fn try_channel(place: &Place) -> (bool, String) {
    let tried = place.server.odin(["notify", "test", "ops"]);
    let said = String::from_utf8(tried.stdout).unwrap();
    let taken = tried.status.code() == Some(0);
    assert!(taken || tried.status.code() == Some(1), "{said}");
    (taken, said)
}

fn sent(place: &Place) -> Value {
    place
        .server
        .wait_for("the message to be settled", |server| {
            let list = server.json(["notify", "deliveries", "ops"]);
            let delivery = list["deliveries"][0].clone();
            (delivery["state"] == "sent").then_some(delivery)
        })
}

const TELLS: &str = "  notify: {on: [failure], to: [ops]}\n";

fn alerts_in(mail: &Value) -> u64 {
    let text = mail["text"].as_str().unwrap();
    text.matches("odin alerts ack").count() as u64
}

/// What a job may be called, and what a program may call what it reports: it would be lines of SMTP and headers.
const JOB: &str = "nächtlich \"🚀\" <x@example.org>, %s \\0 =?utf-8?q?=41?=";
const VALUE: &str = "price\r\n.\r\nRSET\r\nBcc: evil@example.org\r\n\r\n..end\u{1b}[2J\0";

#[test]
fn hostile_names_and_long_lines_are_read_by_others_as_they_were_meant() {
    let place = place();
    let server = MailServer::new(&[]);
    let address = "smtp+plain://127.0.0.1:*";
    let to = ["ops@example.org", "Öps 🚀 <you@example.org>"];
    set_channel(&place, &server, address, &to);
    let code = format!(
        "{ODIN} watch \"$(printf 'price\\r\\n.\\r\\nRSET\\r\\nBcc: evil@example.org\\r\\n\\r\\n..end\\x1b[2J')\" 2000\n\
         {ODIN} result \"$(printf '🚀%.0s' {{1..900}})end\" 500\n"
    );
    let value = VALUE.trim_end_matches('\0');
    let file = json!({"job": {
        "name": JOB, "language": "bash", "file": "hostile.sh", "schedule": "never",
        "expect": {"values": {value: {"max": 1}}},
        "notify": {"on": ["failure"], "to": ["ops"], "failures": 1},
    }});
    std::fs::write(place.path("hostile.sh"), code).unwrap();
    // JSON is YAML.
    std::fs::write(place.path("hostile.yml"), file.to_string()).unwrap();
    let file = path_text(&place.path("hostile.yml"));
    place.server.json(["deploy", "-f", &file]);
    let run = place.run(JOB);
    assert_eq!(place.ended(JOB, &run)["outcome"], "failed");

    // They may be one mail or two.
    let mails = wait_for("two alerts", || {
        let mails = server.said("mail");
        let told: u64 = mails.iter().map(alerts_in).sum();
        (told == 2).then_some(mails)
    });
    let mut text = String::new();
    for mail in &mails {
        assert_eq!(mail["defects"], json!([]), "{mail}");
        assert_eq!(mail["bare_line_ends"], false, "{mail}");
        assert!(mail["longest_line"].as_u64().unwrap() <= 998, "{mail}");
        assert_eq!(mail["to"], json!(["ops@example.org", "you@example.org"]));
        assert_eq!(mail["ascii"], true);
        assert_eq!(mail["from"], "odin@example.org");
        let addresses = json!({
            "from": [["Odin 🚀 the one", "odin@example.org"]],
            "to": [["", "ops@example.org"], ["Öps 🚀", "you@example.org"]],
        });
        assert_eq!(mail["addresses"], addresses);
        let headers = mail["headers"].as_object().unwrap();
        let mut names: Vec<&str> = headers.keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected = [
            "auto-submitted",
            "content-transfer-encoding",
            "content-type",
            "date",
            "from",
            "message-id",
            "mime-version",
            "subject",
            "to",
        ];
        assert_eq!(names, expected, "{mail}");
        assert_eq!(mail["header_count"], expected.len());
        let id = headers["message-id"].as_str().unwrap();
        assert!(
            id.starts_with("<odin_") && id.ends_with("@master-node>"),
            "{id}"
        );
        let subject = headers["subject"].as_str().unwrap();
        // It would be read as what it stands for.
        let job = JOB.replace("=?", "= ?");
        assert!(
            subject.starts_with("[odin] ") && subject.contains(&job),
            "{subject}"
        );
        text.push_str(mail["text"].as_str().unwrap());
    }
    for words in [
        "reported 2000 as `price . RSET Bcc: evil@example.org ..end[2J`, which should be at most 1",
        // A result's words are cut where they are kept.
        &format!("failed: {}", "🚀".repeat(40)),
        "… (status 500); exit code 1",
        &format!("  job {JOB} ("),
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn tls_and_logins_are_made_as_the_channel_says_or_nothing_is_said_in_clear() {
    let place = place();
    let unknown = "nobody whom this machine trusts has signed its certificate";
    for (tls, scheme) in [("starttls", "smtp"), ("implicit", "smtps")] {
        let by_name = format!("{scheme}://odin@localhost:*");
        for (certificate, more, expected) in [
            ("good", &[][..], Ok("PLAIN")),
            ("good", &["--login-by", "LOGIN"][..], Ok("LOGIN")),
            ("unknown", &[], Err(unknown)),
            ("alone", &[], Err(unknown)),
            ("authority", &[], Err("its certificate is an authority's")),
            ("expired", &[], Err("its certificate expired at 2020-01-01")),
            ("early", &[], Err("its certificate is not valid yet")),
            (
                "other",
                &[],
                Err("its certificate is for hooks.example.org, not for localhost"),
            ),
        ] {
            let mut server = MailServer::with_tls(tls, certificate, more);
            set_channel(&place, &server, &by_name, &["ops@example.org"]);
            let (taken, said) = try_channel(&place);
            server.end();
            let case = format!("{tls} {certificate} {more:?}: {said}");
            let logins: Vec<Value> = server.said("login");
            match expected {
                Ok(mechanism) => {
                    assert!(taken && said.contains("logged in as odin"), "{case}");
                    assert_eq!(logins, [json!(mechanism)], "{case}");
                    let mails = server.said("mail");
                    assert_eq!(mails.len(), 1);
                    assert_eq!(mails[0]["encrypted"], true);
                    assert_eq!(mails[0]["user"], "odin");
                }
                Err(words) => {
                    assert!(!taken && said.contains(words), "{case}");
                    assert!(logins.is_empty(), "{case}");
                    assert!(server.said("mail").is_empty(), "{case}");
                }
            }
            let clear = match tls {
                "starttls" => "EHLO master-node\r\nSTARTTLS\r\n",
                _ => "",
            };
            assert_eq!(server.said_in_clear(), clear, "{case}");
        }
    }
}

/// How the server is started, its address and whom mail is for; whether it takes it, and what is said.
type Case<'a> = (&'a [&'a str], &'a str, &'a [&'a str], bool, &'a str);

#[test]
fn what_a_server_does_not_take_is_told_with_the_next_step() {
    let place = place();
    let two = ["ops@example.org", "gone@example.org"];
    let login = ["--user", "odin", "--password", "another one"];
    let unknown = ["--unknown", "gone@example.org"];
    let foreign = ["ops@example.org", "Öps <öps@exämple.org>"];
    let cases: [Case<'_>; 8] = [
        (
            &login,
            "smtp+plain://odin@127.0.0.1:*",
            &two,
            false,
            "it does not take odin's login: check the user in the channel's address, and the secret `SMTP_PASSWORD`",
        ),
        (
            &login,
            "smtp+plain://127.0.0.1:*",
            &two,
            false,
            "it wants a login: name a user in the channel's address",
        ),
        (
            &[],
            "smtp://127.0.0.1:*",
            &two,
            false,
            "STARTTLS is not supported by 127.0.0.1:",
        ),
        (
            &[],
            "smtps://localhost:*",
            &two,
            false,
            "it does not speak TLS there; check the port",
        ),
        (
            &unknown,
            "smtp+plain://127.0.0.1:*",
            &two,
            true,
            "✓ but did not take it for gone@example.org: 127.0.0.1:",
        ),
        (
            &unknown,
            "smtp+plain://127.0.0.1:*",
            &["gone@example.org"],
            false,
            "nobody here has that name",
        ),
        (
            &["--ascii"],
            "smtp+plain://127.0.0.1:*",
            &foreign,
            false,
            "takes addresses in ASCII only (it has no SMTPUTF8)",
        ),
        (
            &[],
            "smtp+plain://127.0.0.1:*",
            &foreign,
            true,
            "The channel ops works",
        ),
    ];
    for (arguments, address, to, expected, words) in cases {
        let mut server = MailServer::new(arguments);
        set_channel(&place, &server, address, to);
        let (taken, said) = try_channel(&place);
        server.end();
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert_eq!(taken, expected, "{said}");
        assert!(!said.contains(PASSWORD), "{said}");
        let mails = server.said("mail");
        assert_eq!(mails.len(), usize::from(expected), "{said}");
        let taken: &[&str] = match expected {
            true if arguments.is_empty() => &["ops@example.org", "öps@exämple.org"],
            true => &["ops@example.org"],
            false => &[],
        };
        for mail in mails {
            assert_eq!(mail["to"], json!(taken));
        }
    }
}

#[test]
fn a_server_that_puts_mail_off_is_asked_again_and_has_it_once() {
    let place = place();
    let mut server = MailServer::new(&["--later", "2"]);
    let to = ["ops@example.org", "you@example.org"];
    set_channel(&place, &server, "smtp+plain://127.0.0.1:*", &to);
    place.deploy("nightly", "never", TELLS, "exit 3\n");
    place.run("nightly");
    let delivery = sent(&place);
    server.end();
    assert_eq!(server.said("later"), to.map(|it| json!(it)));
    let mails = server.said("mail");
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0]["to"], json!(to));
    assert_eq!(delivery["attempts"], 2, "{delivery}");
}

#[test]
fn a_recipient_who_is_put_off_gets_it_later_and_the_others_now_each_once_over_a_kill() {
    let mut place = place();
    let slow = "you@example.org";
    let greylisting = place.path("greylisting");
    std::fs::write(&greylisting, "").unwrap();
    let greylist = ["--greylist", slow, &path_text(&greylisting)];
    let unknown = ["--unknown", "gone@example.org"];
    let mut server = MailServer::new(&[&greylist[..], &unknown[..]].concat());
    let to = [
        "ops@example.org",
        slow,
        "Öps 🚀 <two@example.org>",
        "gone@example.org",
    ];
    set_channel(&place, &server, "smtp+plain://127.0.0.1:*", &to);
    let tried = |place: &Place, number: usize| {
        let list = place.server.json(["notify", "deliveries", "ops"]);
        let delivery = &list["deliveries"].as_array().unwrap()[number];
        (delivery["state"].clone(), delivery["last"].to_string())
    };
    // The second alert does not wait for the recipient of the first.
    for (count, job) in ["nightly", "hourly"].into_iter().enumerate() {
        place.deploy(job, "never", TELLS, "exit 3\n");
        place.run(job);
        wait_for("mail to those who take it", || {
            (server.said("mail").len() > count).then_some(())
        });
        let last = wait_for("a recipient who is put off", || {
            let (state, last) = tried(&place, 0);
            (state == "retrying").then_some(last)
        });
        for words in [
            "taken for ops@example.org, two@example.org; put off for you@example.org: 127.0.0.1:",
            "greylisted",
        ] {
            assert!(last.contains(words), "{last}");
        }
    }
    place.server.kill();
    std::fs::remove_file(&greylisting).unwrap();
    place.server.restart();
    let settled = wait_for("both messages to be settled", || {
        let both = [tried(&place, 0), tried(&place, 1)];
        both.iter()
            .all(|(state, _)| state == "sent")
            .then_some(both)
    });
    for (_, last) in settled {
        assert!(
            last.contains("but did not take it for gone@example.org: 127.0.0.1:"),
            "{last}"
        );
    }
    server.end();
    assert!(server.said("later").iter().all(|it| it == slow));
    let mails = server.said("mail");
    let told: Vec<_> = mails
        .iter()
        .map(|mail| {
            let words = mail["text"].as_str().unwrap();
            let of = if words.contains("nightly") {
                "nightly"
            } else {
                "hourly"
            };
            (of, mail["to"].clone())
        })
        .collect();
    let now = json!(["ops@example.org", "two@example.org"]);
    assert_eq!(told[..2], [("nightly", now.clone()), ("hourly", now)]);
    let mut later = told[2..].to_vec();
    later.sort_by_key(|(of, _)| *of);
    let alone = json!([slow]);
    assert_eq!(later, [("hourly", alone.clone()), ("nightly", alone)]);
    // It is the same mail.
    for mail in &mails[2..] {
        assert!(
            mails[..2].iter().any(|it| it["raw"] == mail["raw"]),
            "{mail}"
        );
    }
}

#[test]
fn a_server_that_dies_after_the_message_gets_it_again_as_the_same_mail() {
    let place = place();
    let mut server = MailServer::new(&["--mute", "2"]);
    let address = "smtp+plain://127.0.0.1:*";
    set_channel(&place, &server, address, &["ops@example.org"]);
    let (taken, said) = try_channel(&place);
    assert!(!taken && said.contains("may have taken it"), "{said}");
    place.deploy("nightly", "never", TELLS, "exit 3\n");
    place.run("nightly");
    sent(&place);
    server.end();
    let mails = server.said("mail");
    assert_eq!(mails.len(), 3, "the trial, and the alert twice: {mails:?}");
    assert_eq!(mails[1]["raw"], mails[2]["raw"]);
    assert_ne!(
        mails[0]["headers"]["message-id"],
        mails[1]["headers"]["message-id"]
    );
}
