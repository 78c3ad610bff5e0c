//! Receivers that answer badly, over real connections: what is about a record costs that record, everything else is
//! tried again and loses nothing.
#![allow(clippy::unwrap_used)]

mod samples;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::read::GzDecoder;
use jiff::Timestamp;
use odin_model::sink::{Sink, SinkTarget};
use odin_model::{SecretValue, ValueData, ValueKind};
use odin_outbound::Bounds;
use odin_sinks::{Credential, Record, Sender, Unsent};
use samples::deliver;

/// What a receiver does with one request.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Takes,
    Busy,
    Unauthorised,
    /// 400 where the body has this text.
    Refuses(&'static str),
    /// 200 with a page for people.
    ShowsAPage,
    /// 503 and the token that it was sent, at a place where what is shown of an answer ends in the middle of it.
    Repeats,
    /// Reads the head, and resets.
    Resets,
    /// Says 204 and goes away.
    TakesAndCloses,
}

/// The lines that were taken, and the heads of all requests.
#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    heads: Vec<String>,
}

/// Answers as `script` says, the last for ever.
fn receiver(script: &'static [Answer]) -> (String, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shared = Arc::clone(&seen);
    std::thread::spawn(move || {
        let mut answers = script.iter().copied();
        let last = *script.last().unwrap();
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while serve(&mut stream, &mut answers, last, &shared).is_some() {}
        }
    });
    (url, seen)
}

/// One request. `None`: the connection is over.
fn serve(
    stream: &mut BufReader<TcpStream>,
    answers: &mut impl Iterator<Item = Answer>,
    last: Answer,
    seen: &Mutex<Seen>,
) -> Option<()> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let token = head
        .lines()
        .find_map(|it| it.strip_prefix("authorization: "));
    let token = token.unwrap_or_default().to_owned();
    seen.lock().unwrap().heads.push(head);
    let answer = answers.next().unwrap_or(last);
    if matches!(answer, Answer::Resets) {
        return None;
    }
    let mut packed = vec![0; length];
    stream.read_exact(&mut packed).ok()?;
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .read_to_string(&mut text)
        .unwrap();
    let say = |stream: &mut BufReader<TcpStream>, text: &str| {
        stream.get_mut().write_all(text.as_bytes()).ok()
    };
    match answer {
        Answer::Busy => {
            let head = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n";
            say(stream, &format!("{head}Content-Length: 4\r\n\r\nbusy"))
        }
        Answer::Unauthorised => say(
            stream,
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        ),
        Answer::ShowsAPage => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\n";
            say(stream, &format!("{head}Content-Length: 9\r\n\r\n<p>Hi</p>"))
        }
        Answer::Repeats => {
            let said = format!("{token} {}{token}", "x".repeat(500));
            let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: ";
            say(stream, &format!("{head}{}\r\n\r\n{said}", said.len()))
        }
        Answer::Refuses(poison) if text.contains(poison) => {
            let head = "HTTP/1.1 400 Bad Request\r\n";
            say(stream, &format!("{head}Content-Length: 6\r\n\r\npoison"))
        }
        _ => {
            let mut seen = seen.lock().unwrap();
            seen.lines.extend(text.lines().map(ToOwned::to_owned));
            drop(seen);
            say(stream, "HTTP/1.1 204 No Content\r\n\r\n")?;
            (!matches!(answer, Answer::TakesAndCloses)).then_some(())
        }
    }
}

fn sink(url: &str) -> Sink {
    samples::sink(SinkTarget::InfluxV2 {
        url: url.to_owned(),
        org: "a b".to_owned(),
        bucket: "odin".to_owned(),
    })
}

fn records(count: u32) -> Vec<Record> {
    let job = samples::job("nightly");
    let at = Timestamp::from_second(1_790_000_000).unwrap();
    (0..count)
        .map(|index| {
            let (name, data) = (format!("n{index:02}"), index.to_string());
            let data = ValueData::Number(data);
            samples::value(&job, (index, at), ValueKind::Watch, &name, data)
        })
        .collect()
}

fn names(seen: &Mutex<Seen>) -> Vec<String> {
    let seen = seen.lock().unwrap();
    let name = |line: &String| {
        let (_, rest) = line.split_once("name=").unwrap();
        rest.split_once(',').unwrap().0.to_owned()
    };
    seen.lines.iter().map(name).collect()
}

fn all_names(count: u32) -> Vec<String> {
    (0..count).map(|index| format!("n{index:02}")).collect()
}

fn credential() -> Credential {
    let value = SecretValue::new(TOKEN.as_bytes().to_vec()).unwrap();
    Credential::new(value, Arc::new(|text| text.replace(TOKEN, "***")))
}

const TOKEN: &str = "hunter2hunter2";

#[tokio::test]
async fn a_refused_record_costs_itself_and_is_named() {
    let (url, seen) = receiver(&[Answer::Refuses("name=n13,")]);
    let mut sender = Sender::new(&sink(&url), None, Bounds::default()).unwrap();
    let delivered = deliver(&mut sender, &records(40)).await.unwrap();
    assert_eq!((delivered.sent, delivered.skipped), (39, 1));
    let said = delivered.last_skipped.unwrap();
    assert!(
        said.contains("\"n13\"") && said.contains("poison"),
        "{said}"
    );
    let expected: Vec<_> = all_names(40).into_iter().filter(|it| it != "n13").collect();
    assert_eq!(names(&seen), expected, "the others, in their order");
}

#[tokio::test]
async fn a_busy_receiver_says_how_long_it_wants_to_be_left_alone() {
    let (url, seen) = receiver(&[Answer::Busy, Answer::Takes]);
    let mut sender = Sender::new(&sink(&url), None, Bounds::default()).unwrap();
    match deliver(&mut sender, &records(3)).await {
        Err(Unsent::NotNow { reason, after }) => {
            assert_eq!(after, Some(Duration::from_secs(7)));
            assert!(reason.contains("429 Too Many Requests: busy"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    deliver(&mut sender, &records(3)).await.unwrap();
    assert_eq!(names(&seen), all_names(3));
}

#[tokio::test]
async fn a_wrong_token_loses_nothing_and_is_in_no_words() {
    let (url, seen) = receiver(&[Answer::Unauthorised, Answer::Takes]);
    let mut sender = Sender::new(&sink(&url), Some(credential()), Bounds::default()).unwrap();
    let error = deliver(&mut sender, &records(2)).await.unwrap_err();
    assert!(matches!(error, Unsent::NotNow { .. }), "{error}");
    assert!(!error.to_string().contains("hunter2"));
    deliver(&mut sender, &records(2)).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.heads[0].contains("/api/v2/write?org=a%20b&bucket=odin&precision=ns"));
    let has_token = |head: &String| head.contains("authorization: Token hunter2hunter2");
    assert!(seen.heads.iter().all(has_token), "{:?}", seen.heads);
}

#[tokio::test]
async fn a_connection_that_breaks_is_made_again() {
    let (url, seen) = receiver(&[
        Answer::TakesAndCloses,
        Answer::Takes,
        Answer::Resets,
        Answer::Takes,
    ]);
    let mut sender = Sender::new(&sink(&url), None, Bounds::default()).unwrap();
    deliver(&mut sender, &records(1)).await.unwrap();
    // The receiver has closed the connection in the meantime: not even an error.
    deliver(&mut sender, &records(1)).await.unwrap();
    // One that is reset in the middle of an open one is tried once on a new connection.
    deliver(&mut sender, &records(1)).await.unwrap();
    assert_eq!(names(&seen), ["n00", "n00", "n00"]);
}

#[tokio::test]
async fn nobody_there_is_said_with_the_place() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut sender =
        Sender::new(&sink(&format!("http://{place}")), None, Bounds::default()).unwrap();
    let error = deliver(&mut sender, &records(1)).await.unwrap_err();
    let words = format!("cannot connect to {place}");
    assert!(error.to_string().starts_with(&words), "{error}");
}

/// Nothing was taken, and it is to come again; with which words.
async fn fails(answers: &'static [Answer]) -> String {
    let (url, seen) = receiver(answers);
    let mut sender = Sender::new(&sink(&url), Some(credential()), Bounds::default()).unwrap();
    let error = deliver(&mut sender, &records(100)).await.unwrap_err();
    assert!(matches!(error, Unsent::NotNow { .. }), "{error}");
    assert!(seen.lock().unwrap().lines.is_empty());
    error.to_string()
}

#[tokio::test]
async fn who_refuses_everything_is_no_receiver_and_costs_no_record() {
    let said = fails(&[Answer::Refuses("")]).await;
    assert!(said.contains("400 Bad Request: poison; "), "{said}");
    assert!(said.contains("look at the sink's address"), "{said}");
}

#[tokio::test]
async fn who_shows_a_web_page_is_no_receiver() {
    let said = fails(&[Answer::ShowsAPage]).await;
    assert!(said.contains("200 OK with a web page"), "{said}");
    assert!(said.contains("look at the sink's address"), "{said}");
}

#[tokio::test]
async fn a_batch_of_which_all_is_refused_is_passed_over_once_the_trial_is_taken() {
    let (url, seen) = receiver(&[Answer::Refuses("name=n")]);
    let mut sender = Sender::new(&sink(&url), None, Bounds::default()).unwrap();
    let delivered = deliver(&mut sender, &records(3)).await.unwrap();
    assert_eq!((delivered.sent, delivered.skipped), (0, 3));
    assert_eq!(names(&seen), ["odin_sink_test"]);
}

#[tokio::test]
async fn a_token_that_a_receiver_repeats_is_in_no_words() {
    let said = fails(&[Answer::Repeats]).await;
    assert!(
        said.contains("503 Service Unavailable: Token *** xxx"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}
