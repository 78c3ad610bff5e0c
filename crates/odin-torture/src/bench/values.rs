//! How many values a second get from jobs' processes through the executor and the log into the store.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use odin_model::{Clock, JobId, ValueKind};
use odin_node::clock::SystemClock;
use odin_store::{Reader, SeriesQuery};
use odin_testbed::Server;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::bench::{Size, now, percentile, populate};
use crate::outcome::Outcome;

/// How many processes report at once.
const PROCESSES: u64 = 10;
/// What they report; the number makes lines that differ.
const NAME: &str = "price";
/// How many lines are written at once, as an SDK would under load.
const LINES_AT_ONCE: u64 = 500;
/// Between two looks at how many are there.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often it is drawn again, as somebody does who looks at a page.
const DRAWN_AGAIN: usize = 9;
/// No measurement takes longer.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_mins(5);

pub(crate) async fn measure(arguments: &Arguments, size: Size) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let raw = raw_lines(directory.path(), size.values)?;
    println!(
        "  raw: {raw:.0} such lines a second through a unix socket and into a file, one process to one"
    );
    let mut server = populate::template(&arguments.odin, directory.path())?;
    server.restart();
    let began = SystemClock.boottime();
    let reader = Reader::of_file(&server.data_dir().join("state.db"))?;
    let (job, expected) = reported(&server, &reader, directory.path(), size.values).await?;
    let query = query(job);
    let ended = now();
    let took = SystemClock.boottime().since(began).as_secs_f64();
    let first = reader.values_of_series(&query, None, 1)?;
    let first = first.values.first().ok_or("no value is there")?.value.at;
    let reporting = ended.duration_since(first).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a count of values")]
    let rate = expected as f64 / reporting;
    println!(
        "  {expected} values of {PROCESSES} processes: {rate:.0} a second from the first report until all are in the store \
         = {:.2} × raw   (target: 100,000); {took:.1} s with the starts",
        rate / raw
    );
    let draw = || -> Outcome<(usize, f64)> {
        let before = SystemClock.boottime();
        let drawn = reader.drawing(&query, 1000)?;
        let took = SystemClock.boottime().since(before);
        Ok((drawn.len(), took.as_secs_f64() * 1000.0))
    };
    let (stretches, first) = draw()?;
    let mut again: Vec<f64> = Vec::new();
    for _ in 0..DRAWN_AGAIN {
        again.push(draw()?.1);
    }
    again.sort_by(f64::total_cmp);
    println!(
        "  drawn in {stretches} stretches in {first:.1} ms, again in {:.1} ms   (target: a million points under 50 ms)",
        percentile(&again, 0.5)
    );
    Ok(())
}

/// Has a job's processes report so many values, or a few less, and waits until all are in the store. Gives the job, and
/// how many there were.
pub(super) async fn reported(
    server: &Server,
    reader: &Reader,
    directory: &Path,
    count: u64,
) -> Outcome<(JobId, u64)> {
    let job = deploy(server, directory, count / PROCESSES)?;
    for _ in 0..PROCESSES {
        server.json(["run", "-i", "reporting"]);
    }
    let until = now() + GIVE_UP_AFTER;
    let expected = count / PROCESSES * PROCESSES;
    loop {
        let there = reader
            .series(job, None, 1)?
            .first()
            .map_or(0, |series| series.count);
        if there == expected {
            return Ok((job, expected));
        }
        if now() > until {
            return Err(format!("{there} of {expected} values came").into());
        }
        sleep(LOOK_EVERY).await;
    }
}

fn query(job: JobId) -> SeriesQuery<'static> {
    SeriesQuery {
        job,
        name: NAME,
        kind: Some(ValueKind::Watch),
        from: jiff::Timestamp::MIN,
        to: jiff::Timestamp::MAX,
    }
}

/// A job whose process is this program.
fn deploy(server: &Server, directory: &Path, count: u64) -> Outcome<JobId> {
    let program = std::env::current_exe()?;
    let file = directory.join("reporting.yml");
    let program = program.display();
    let text = format!(
        "job:\n  name: reporting\n  command: ['{program}', report-values, '{count}']\n  schedule: never\n  \
         keep: {{values: 256MiB}}\n"
    );
    std::fs::write(&file, text)?;
    let job = server.json([Path::new("deploy"), Path::new("-f"), &file]);
    let id = job["id"].as_str().ok_or("a job has an id")?;
    Ok(id.parse()?)
}

/// The process of that job: reports so many numbers, and waits until all are acknowledged.
pub(crate) fn report(count: u64) -> Outcome<()> {
    let variable = |name: &str| {
        std::env::var(name).map_err(|_| format!("{name} is not set: this is for a run"))
    };
    let mut stream = UnixStream::connect(variable("ODIN_SOCKET")?)?;
    writeln!(
        stream,
        "{{\"hello\":1,\"token\":\"{}\"}}",
        variable("ODIN_RUN_TOKEN")?
    )?;
    let mut answers = BufReader::new(stream.try_clone()?);
    // Answers are read meanwhile, or both sides would wait for the other to read.
    let reading = std::thread::spawn(move || -> std::io::Result<()> {
        let last = format!("{{\"ack\":{count}}}");
        let mut line = String::new();
        while line.trim_end() != last {
            line.clear();
            if answers.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    });
    let mut lines = Vec::new();
    for seq in 1..=count {
        push_line(&mut lines, seq)?;
        if seq % LINES_AT_ONCE == 0 || seq == count {
            stream.write_all(&lines)?;
            lines.clear();
        }
    }
    reading
        .join()
        .map_err(|_| "the reading thread panicked")??;
    Ok(())
}

fn push_line(lines: &mut Vec<u8>, seq: u64) -> Outcome<()> {
    let at = now();
    let cents = 10_000 + seq % 977;
    writeln!(
        lines,
        "{{\"seq\":{seq},\"at\":\"{at}\",\"kind\":\"watch\",\"name\":\"{NAME}\",\"value\":{}.{:02}}}",
        cents / 100,
        cents % 100
    )?;
    Ok(())
}

/// Such lines a second from one thread through a socket to another that appends them to a file, made durable at the end.
fn raw_lines(directory: &Path, count: u64) -> Outcome<f64> {
    let (mut writing, mut reading) = UnixStream::pair()?;
    let mut file = std::fs::File::create(directory.join("raw"))?;
    let began = SystemClock.boottime();
    let reader = std::thread::spawn(move || -> std::io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            match reading.read(&mut buffer)? {
                0 => return file.sync_data(),
                read => file.write_all(&buffer[..read])?,
            }
        }
    });
    let mut lines = Vec::new();
    for seq in 1..=count {
        push_line(&mut lines, seq)?;
        if seq % LINES_AT_ONCE == 0 || seq == count {
            writing.write_all(&lines)?;
            lines.clear();
        }
    }
    drop(writing);
    reader.join().map_err(|_| "the reading thread panicked")??;
    #[expect(clippy::cast_precision_loss, reason = "a count of lines")]
    let rate = count as f64 / SystemClock.boottime().since(began).as_secs_f64();
    Ok(rate)
}
