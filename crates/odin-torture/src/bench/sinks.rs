//! How many values a second get from the store to each kind of sink that is behind, beside the same bytes written, posted or
//! copied into the same table without Odin.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use odin_model::Clock;
use odin_model::sink::{SinkName, SinkTarget};
use odin_node::clock::SystemClock;
use odin_store::Reader;
use odin_testbed::{Commits, Database, Server};
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::bench::{Size, now, populate, values};
use crate::outcome::Outcome;

/// Where nobody listens: the sinks are set up before there is anything to send, and get a receiver one after the other.
const NOWHERE: &str = "http://127.0.0.1:9";
/// The same as a database.
const NO_DATABASE: &str = "postgres://odin@127.0.0.1:9/postgres";
/// The flags of the database's sink.
const POSTGRES: [&str; 3] = ["--secret", "PG_PASSWORD", "--postgres"];
/// Between two looks at how far a sink is.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// No measurement takes longer.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// How much is written between two syncs in the raw measurement: about what a batch to a file is.
const WRITTEN_AT_ONCE: usize = 1 << 20;

/// The kinds over HTTP, with the flags that make one.
const HTTP: [(&str, &[&str]); 3] = [
    (
        "influxdb",
        &["--org", "o", "--bucket", "b", "--influxdb-v2"],
    ),
    ("otlp", &["--otlp"]),
    ("prometheus", &["--remote-write"]),
];

pub(crate) async fn measure(arguments: &Arguments, size: Size) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = populate::template(&arguments.odin, directory.path())?;
    server.restart();
    let nowhere = directory.path().join("nowhere/values.jsonl");
    set(&server, "file", &["--file"], path_text(&nowhere)?);
    for (name, flags) in HTTP {
        set(&server, name, flags, NOWHERE);
    }
    let password = directory.path().join("password");
    fs::write(&password, "correct-horse")?;
    let secret = ["secret", "set", "PG_PASSWORD", "--from-file"];
    server.json(secret.into_iter().chain([path_text(&password)?]));
    set(&server, "postgres", &POSTGRES, NO_DATABASE);
    let reader = Reader::of_file(&server.data_dir().join("state.db"))?;
    let (_, count) = values::reported(&server, &reader, directory.path(), size.values).await?;

    let path = directory.path().join("values.jsonl");
    let began = SystemClock.boottime();
    let args = ["--rotate-bytes", "10000000000", "--file"];
    set(&server, "file", &args, path_text(&path)?);
    let took = sent(&reader, "file", count, began).await?;
    let raw = written_raw(&path, &directory.path().join("raw"))?;
    say("a file of JSON lines", count, took, raw);

    for (name, flags) in HTTP {
        let receiver = Receiver::start()?;
        let began = SystemClock.boottime();
        set(&server, name, flags, &receiver.url);
        let took = sent(&reader, name, count, began).await?;
        let raw = receiver.posted_raw()?;
        say(name, count, took, raw);
    }

    let database = Database::new(Commits::Synced);
    let began = SystemClock.boottime();
    set(&server, "postgres", &POSTGRES, &database.url());
    let took = sent(&reader, "postgres", count, began).await?;
    let raw = copied_raw(&database)?;
    say("postgres, beside one COPY", count, took, raw);
    Ok(())
}

fn path_text(path: &Path) -> Outcome<&str> {
    Ok(path.to_str().ok_or("a directory with an odd name")?)
}

fn set(server: &Server, name: &str, flags: &[&str], address: &str) {
    let mut arguments = vec!["sink", "set", name, "--only", "values"];
    arguments.extend(flags);
    arguments.push(address);
    server.json(arguments);
}

#[expect(clippy::cast_precision_loss, reason = "a count of values")]
fn say(kind: &str, count: u64, took: Duration, raw: Duration) {
    let rate = count as f64 / took.as_secs_f64();
    let raw = count as f64 / raw.as_secs_f64();
    println!(
        "  {kind}: {count} values, {rate:.0} a second, of {raw:.0} that are raw: {:.0} %   (target: 100,000)",
        100.0 * rate / raw
    );
}

/// How long it takes until the receiver has taken everything, and the sink's place says so.
async fn sent(
    reader: &Reader,
    name: &str,
    count: u64,
    began: odin_model::Boottime,
) -> Outcome<Duration> {
    let until = now() + GIVE_UP_AFTER;
    let name = SinkName::parse(name)?;
    loop {
        let sink = reader.sink(&name)?.ok_or("the sink is gone")?;
        if sink.skipped + sink.dropped > 0 {
            return Err(format!("{name} passed over or dropped values: {sink:?}").into());
        }
        if sink.behind.entries == 0 {
            let took = SystemClock.boottime().since(began);
            // Remote write has one value for each millisecond of a series.
            let is_thinned = matches!(sink.spec.target, SinkTarget::RemoteWrite { .. });
            if sink.sent == count || is_thinned {
                return Ok(took);
            }
        }
        if now() > until {
            return Err(format!("{name} has {} of {count} values", sink.sent).into());
        }
        sleep(LOOK_EVERY).await;
    }
}

/// How long the bytes of a file take to be written to another, and synced as often as batches are.
fn written_raw(path: &Path, raw: &Path) -> Outcome<Duration> {
    let bytes = fs::read(path)?;
    let mut file = File::create(raw)?;
    let began = SystemClock.boottime();
    for part in bytes.chunks(WRITTEN_AT_ONCE) {
        file.write_all(part)?;
        file.sync_data()?;
    }
    Ok(SystemClock.boottime().since(began))
}

/// How long the rows that the sink wrote take to be copied into a table like theirs, with its indexes, by one statement.
fn copied_raw(database: &Database) -> Outcome<Duration> {
    let rows = database.path("rows");
    let rows = path_text(&rows)?;
    let run = |command: &str| -> Outcome<()> {
        let done = database.psql(command);
        match done.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&done.stderr).into()),
        }
    };
    run(&format!("COPY odin_values TO '{rows}'"))?;
    run("CREATE TABLE copied (LIKE odin_values INCLUDING ALL)")?;
    run("CHECKPOINT")?;
    let began = SystemClock.boottime();
    run(&format!("\\copy copied FROM '{rows}'"))?;
    Ok(SystemClock.boottime().since(began))
}

/// Takes every request, and keeps the bodies.
struct Receiver {
    url: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Receiver {
    fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = Arc::clone(&taken);
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while let Ok(Some(body)) = take(&mut stream) {
                        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                        taken.push(body);
                    }
                });
            }
        });
        Ok(Self { url, bodies })
    }

    /// How long the bodies that it has take to be posted to it again, one after the other.
    fn posted_raw(&self) -> Outcome<Duration> {
        let bodies =
            std::mem::take(&mut *self.bodies.lock().unwrap_or_else(PoisonError::into_inner));
        let place = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(place)?;
        stream.set_nodelay(true)?;
        let mut answers = BufReader::new(stream.try_clone()?);
        let began = SystemClock.boottime();
        for body in bodies {
            let length = body.len();
            write!(
                stream,
                "POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
            )?;
            stream.write_all(&body)?;
            take(&mut answers)?.ok_or("the receiver went away")?;
        }
        Ok(SystemClock.boottime().since(began))
    }
}

/// One message of HTTP, a request or an answer; a request is answered with 200. `None`: the connection is over.
fn take(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<u8>>> {
    let (mut length, mut line, mut is_request) = (0, String::new(), false);
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        is_request |= line.starts_with("POST ");
        if line == "\r\n" {
            break;
        }
        let header = line.to_ascii_lowercase();
        if let Some(text) = header.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    if is_request {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        stream.get_mut().write_all(answer)?;
    }
    Ok(Some(body))
}
