//! Sinks against real receivers: PostgreSQL, which is killed and comes back, Prometheus, VictoriaMetrics and an
//! OpenTelemetry collector. `.ci/run` installs all of them.
#![allow(clippy::unwrap_used)]
#![allow(
    clippy::disallowed_methods,
    reason = "receivers are processes, which are waited for with a bound in time"
)]

mod faults;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use faults::{Place, wait_for};
use odin_testbed::{Commits, Database, free_port};
use serde_json::Value;

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn set_secret(place: &Place, name: &str, value: &str) {
    let path = place.path("value");
    std::fs::write(&path, value).unwrap();
    let done = place
        .server
        .odin(["secret", "set", name, "--from-file", path.to_str().unwrap()]);
    assert!(done.status.success(), "{done:?}");
}

fn settled(place: &Place, name: &str, sent: u64) {
    place.server.wait_for("a sink that is up to date", |_| {
        let seen = place.server.json(["sink", "status", name]);
        (seen["behind"] == 0 && seen["sent"] == sent).then_some(())
    });
}

/// Reports what is hard to quote.
fn reporting() -> String {
    format!(
        "{ODIN} watch \"it's; \\\"odd\\\", ü😀\" -- \"a,b\\\\c\"\n\
         {ODIN} watch price -- 101.5\n\
         {ODIN} watch big -- 9223372036854775807\n\
         {ODIN} watch none -- NaN\n\
         {ODIN} condition full true\n\
         exit 3\n"
    )
}

#[test]
fn postgresql_gets_each_row_once_over_its_own_crash_and_the_servers() {
    let mut database = Database::new(Commits::Unsynced);
    let mut place = Place::new();
    place.deploy("fetch", "never", "", &reporting());
    set_secret(&place, "PG_PASSWORD", "wrong");
    let url = database.url();
    let set = [
        "sink",
        "set",
        "db",
        "--postgres",
        &url,
        "--secret",
        "PG_PASSWORD",
        "--metrics-every",
        "5s",
    ];
    place.server.json(set);
    let first = place.run("fetch");
    place.ended("fetch", &first);
    let failing = place.server.wait_for("a sink that fails", |_| {
        let seen = place.server.json(["sink", "status", "db"]);
        (seen["state"] == "failing" && !seen["error"].is_null()).then_some(seen)
    });
    let error = failing["error"].as_str().unwrap();
    assert!(error.contains("password authentication failed"), "{error}");
    set_secret(&place, "PG_PASSWORD", "correct-horse");
    settled(&place, "db", 6);
    let rows = database.ask(
        "SELECT kind, name, type, value, value_text FROM odin_values WHERE run <> '' ORDER BY number",
    );
    assert_eq!(
        rows,
        "watch|it's; \"odd\", ü😀|text||a,b\\c\n\
         watch|price|number|101.5|101.5\n\
         watch|big|number|9.223372036854776e+18|9223372036854775807\n\
         watch|none|number|NaN|NaN\n\
         condition|full|boolean|1|true\n"
    );
    let run = database.ask("SELECT run, job_name, outcome, exit_code, attempts FROM odin_runs");
    assert_eq!(run, format!("{first}|fetch|failed|3|1\n"));

    place.server.wait_for("metrics that are well", |_| {
        let seen = place.server.json(["sink", "status", "db"]);
        seen["metrics_error"].is_null().then_some(())
    });
    let newest = "SELECT value, labels FROM odin_metrics WHERE name = 'odin_runs_finished' ORDER BY at DESC LIMIT 1";
    let seen = wait_for("metrics", || {
        Some(database.ask(newest)).filter(|rows| !rows.is_empty())
    });
    assert_eq!(seen, "1|{\"outcome\": \"failed\"}\n");
    let histogram = "SELECT kind, count, buckets->-1->>'le', buckets->-1->>'count' FROM odin_metrics \
         WHERE name = 'odin_run_duration_seconds' ORDER BY at DESC LIMIT 1";
    assert_eq!(database.ask(histogram), "histogram|1|+Inf|1\n");

    // What another sink sends there is there already, or comes at the same time.
    let mut same = set;
    (same[2], same[8]) = ("again", "off");
    place.server.json(same);
    database.stop();
    let second = place.run("fetch");
    place.ended("fetch", &second);
    place.server.kill();
    place.server.restart();
    database.start();
    settled(&place, "db", 12);
    settled(&place, "again", 6);
    assert_eq!(
        database.ask("SELECT count(*), count(DISTINCT run) FROM odin_values"),
        "10|2\n"
    );
    assert_eq!(database.ask("SELECT count(*) FROM odin_runs"), "2\n");

    // What is not as it was reported says so, and what nobody measured is not 0.
    let long = format!("{ODIN} watch long -- \"$(printf 'x%.0s' {{1..5000}})\"\n");
    place.deploy("flawed", "never", "", &long);
    let third = place.run("flawed");
    place.ended("flawed", &third);
    settled(&place, "db", 14);
    let flaws = "SELECT name, flaw FROM odin_values WHERE flaw IS NOT NULL";
    assert_eq!(database.ask(flaws), "long|cut: it had 5000 bytes\n");
    let zeros = "SELECT count(*) FROM odin_runs WHERE memory_max_bytes = 0 OR cpu_user_seconds + cpu_system_seconds = 0";
    assert_eq!(database.ask(zeros), "0\n");
}

fn get(port: u16, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let head = format!("GET {path} HTTP/1.0\r\nHost: prometheus\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}

fn start_prometheus(directory: &Path, port: u16) -> Process {
    let config = directory.join("prometheus.yml");
    let text = "storage: {tsdb: {out_of_order_time_window: 10m}}\n";
    std::fs::write(&config, text).unwrap();
    let child = Command::new("/usr/bin/prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            directory.join("tsdb").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--web.enable-remote-write-receiver")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Prometheus is installed: apt-get install prometheus");
    Process(child)
}

#[test]
fn prometheus_gets_numbers_conditions_and_the_lengths_of_runs() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let place = Place::new();
    place.deploy("fetch", "never", "", &reporting());
    let url = format!("http://127.0.0.1:{port}/api/v1/write");
    place
        .server
        .json(["sink", "set", "prom", "--remote-write", &url]);
    let run = place.run("fetch");
    place.ended("fetch", &run);
    place.server.wait_for("a sink that fails", |_| {
        let seen = place.server.json(["sink", "status", "prom"]);
        (!seen["error"].is_null()).then_some(())
    });
    let _prometheus = start_prometheus(directory.path(), port);
    // All but the text, for which Prometheus has no place.
    settled(&place, "prom", 5);
    let query = "/api/v1/query?query=%7B__name__%3D~%22odin_.%2B%22%2Codin_job%21%3D%22%22%7D";
    let answer = wait_for("the samples", || {
        get(port, query).filter(|it| {
            it["data"]["result"]
                .as_array()
                .is_some_and(|it| it.len() >= 7)
        })
    });
    let mut seen: Vec<String> = answer["data"]["result"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let labels = &it["metric"];
            assert_eq!(labels["odin_job"], "fetch");
            let name = labels["__name__"].as_str().unwrap();
            let value = match name {
                "odin_value" => format!("{} {}", labels["name"], it["value"][1]),
                _ => labels["outcome"].to_string(),
            };
            format!("{name} {value}")
        })
        .collect();
    seen.sort();
    assert_eq!(
        seen,
        [
            "odin_run_duration_seconds \"failed\"",
            "odin_run_finished \"failed\"",
            "odin_run_wait_seconds \"failed\"",
            "odin_value \"big\" \"9223372036854776000\"",
            "odin_value \"full\" \"1\"",
            "odin_value \"none\" \"NaN\"",
            "odin_value \"price\" \"101.5\"",
        ]
    );

    // What a scrape would give, as if the server had been scraped.
    let tried = place.server.json(["sink", "test", "prom"]);
    assert_eq!(tried["taken"], true, "{tried}");
    let query = "/api/v1/query?query=odin_runs_finished_total";
    let seen = wait_for("metrics", || {
        let seen = get(port, query)?["data"]["result"][0].clone();
        (seen["value"][1] == "1").then_some(seen)
    });
    assert_eq!(
        (&seen["metric"]["job"], &seen["metric"]["outcome"]),
        (&"odin".into(), &"failed".into())
    );
    assert!(seen["metric"]["instance"].is_string(), "{seen}");
    let query = "/api/v1/query?query=histogram_quantile(0.99%2Codin_run_duration_seconds_bucket)";
    let quantile = get(port, query).unwrap();
    assert_eq!(
        quantile["data"]["result"][0]["metric"]["outcome"], "failed",
        "{quantile}"
    );
}

/// How many values one run reports as fast as it can.
const FAST: usize = 30_000;

#[test]
fn prometheus_has_every_millisecond_of_a_fast_series_over_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut place = Place::new();
    let sdk = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdks/python/src");
    // No more wait to be read than the queue holds, however busy the machine is.
    let code = format!(
        "PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={sdk} python3 -c '\n\
         import pyodin\n\
         odin = pyodin.Odin()\n\
         for number in range({FAST}):\n\
         \x20 odin.watch(\"fast\", number)\n\
         \x20 if number % 5000 == 0: odin.flush(60)\n'\n"
    );
    place.deploy("fetch", "never", "  keep: {values: 100MiB}\n", &code);
    let url = format!("http://127.0.0.1:{port}/api/v1/write");
    let file = place.path("odin.jsonl");
    let set = "sink set archive --only values,runs --file";
    let set: Vec<&str> = set.split(' ').chain(file.to_str()).collect();
    place.server.json(set);
    let set = "sink set prom --only values,runs --remote-write";
    let set: Vec<&str> = set.split(' ').chain([url.as_str()]).collect();
    place.server.json(set);
    let run = place.run("fetch");
    let ended = place.ended("fetch", &run);
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    let _prometheus = start_prometheus(directory.path(), port);
    let status = |place: &Place| place.server.json(["sink", "status", "prom"]);
    let is_sending = |place: &Place| status(place)["sent"].as_u64().unwrap() > 0;
    place
        .server
        .wait_for("a sink that sends", |_| is_sending(&place).then_some(()));
    place.server.kill();
    place.server.restart();
    let seen = place.server.wait_for("a sink that is up to date", |_| {
        let seen = status(&place);
        (seen["behind"] == 0).then_some(seen)
    });
    let skipped = seen["skipped"].as_u64().unwrap();
    assert!(skipped <= 3, "what came twice is no loss: {seen}");

    // What the other sink has is what was reported.
    settled(&place, "archive", FAST as u64 + 1);
    let mut by_milli: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for line in place.evidence("odin.jsonl").lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["name"] == "fast" {
            let at: jiff::Timestamp = line["at"].as_str().unwrap().parse().unwrap();
            let all = by_milli.entry(at.as_millisecond()).or_default();
            all.push(line["value"].to_string());
        }
    }
    let count: usize = by_milli.values().map(Vec::len).sum();
    assert_eq!(count, FAST);
    assert!(by_milli.len() < FAST / 2, "the series is not fast");
    // A range of a plain series gives its samples as they are.
    let query = "/api/v1/query?query=odin_value%7Bname%3D%22fast%22%7D%5B1h%5D";
    let answer = get(port, query).unwrap();
    let samples = answer["data"]["result"][0]["values"].as_array().unwrap();
    for sample in samples {
        let milli = (sample[0].as_f64().unwrap() * 1000.0).round() as i64;
        let text = sample[1].as_str().unwrap().to_owned();
        assert!(by_milli[&milli].contains(&text), "{sample}");
    }
    assert_eq!(samples.len(), by_milli.len(), "{seen}");
}

/// A server that takes InfluxDB's v2 write API and Prometheus' remote write.
fn start_victoria_metrics(directory: &Path, port: u16) -> Process {
    let child = Command::new("/usr/bin/victoria-metrics")
        .arg(format!("-storageDataPath={}", directory.display()))
        .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("VictoriaMetrics is installed: apt-get install victoria-metrics");
    wait_for("VictoriaMetrics", || {
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    Process(child)
}

/// Every series whose name begins with `odin_`, with its last sample, as the server has them.
fn exported(port: u16) -> Vec<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let path = "/api/v1/export?match%5B%5D=%7B__name__%3D~%22odin_.%2B%22%7D";
    let head = format!("GET {path} HTTP/1.0\r\nHost: victoria\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    body.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_database_of_time_series_gets_odd_names_whole_by_influxs_and_by_prometheus_protocol() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let _server = start_victoria_metrics(directory.path(), port);
    let place = Place::new();
    let lines = format!("{ODIN} watch \"$(printf 'two\\nlines, 🦀=')\" -- 5\nexit 3");
    let code = reporting().replace("exit 3", &lines);
    place.deploy("fetch", "never", "", &code);
    let base = format!("http://127.0.0.1:{port}");
    let influx = [
        "sink",
        "set",
        "influx",
        "--influxdb-v2",
        &base,
        "--org",
        "o",
        "--bucket",
        "b",
    ];
    place.server.json(influx);
    let url = format!("{base}/api/v1/write");
    place
        .server
        .json(["sink", "set", "prom", "--remote-write", &url]);
    let run = place.run("fetch");
    place.ended("fetch", &run);
    settled(&place, "influx", 7);
    settled(&place, "prom", 6);
    for sink in ["influx", "prom"] {
        let tried = place.server.json(["sink", "test", sink]);
        assert_eq!(tried["taken"], true, "{tried}");
    }
    let wanted = [
        "odin_metrics_odin_runs_finished_total",
        "odin_runs_finished_total",
    ];
    let series = wait_for("the series", || {
        get_text(port, "/internal/force_flush")?;
        let seen = exported(port);
        let has = |name: &str| seen.iter().any(|it| it["metric"]["__name__"] == name);
        wanted.iter().all(|name| has(name)).then_some(seen)
    });
    // The last sample of each value, by the series' and the value's name.
    let values: BTreeMap<(&str, &str), &Value> = series
        .iter()
        .filter_map(|it| {
            let name = it["metric"]["name"].as_str()?;
            let last = it["values"].as_array()?.last()?;
            Some(((it["metric"]["__name__"].as_str()?, name), last))
        })
        .collect();
    let last = |series, name| values.get(&(series, name)).and_then(|it| it.as_f64());
    // By line protocol: the server keeps a series for each field that is a number, as a float, and texts not at all. A
    // tag cannot hold the end of a line.
    assert_eq!(last("odin_values_value", "price"), Some(101.5));
    assert_eq!(last("odin_values_boolean", "full"), Some(1.0));
    let big = 9_223_372_036_854_775_807_i64 as f64;
    assert_eq!(last("odin_values_integer", "big"), Some(big));
    assert_eq!(last("odin_values_value", "two�lines, 🦀="), Some(5.0));
    assert_eq!(last("odin_values_value", "none"), None, "no NaN in it");
    // By remote write, names are whole.
    assert_eq!(last("odin_value", "price"), Some(101.5));
    assert_eq!(last("odin_value", "full"), Some(1.0));
    assert_eq!(last("odin_value", "big"), Some(big));
    assert_eq!(last("odin_value", "two\nlines, 🦀="), Some(5.0));
    for name in wanted {
        let found = series.iter().find(|it| it["metric"]["__name__"] == name);
        let found = found.unwrap();
        assert_eq!(found["metric"]["outcome"], "failed");
        assert_eq!(found["values"].as_array().unwrap().last(), Some(&1.into()));
    }
}

#[test]
fn a_wrong_path_of_a_right_server_costs_no_record() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let _server = start_victoria_metrics(directory.path(), port);
    let place = Place::new();
    place.deploy("fetch", "never", "", &reporting());
    let base = format!("http://127.0.0.1:{port}/api/v1");
    let set = |path: &str| {
        let url = format!("{base}/{path}");
        let set = ["sink", "set", "prom", "--remote-write", &url];
        place.server.json(set);
    };
    set("wrong");
    let run = place.run("fetch");
    place.ended("fetch", &run);
    let failing = place.server.wait_for("a sink that fails", |_| {
        let seen = place.server.json(["sink", "status", "prom"]);
        (!seen["error"].is_null()).then_some(seen)
    });
    assert_eq!(failing["state"], "failing");
    assert_eq!(
        (&failing["sent"], &failing["skipped"]),
        (&0.into(), &0.into())
    );
    let error = failing["error"].as_str().unwrap();
    assert!(error.contains("400 Bad Request"), "{error}");
    assert!(error.contains("look at the sink's address"), "{error}");
    set("write");
    settled(&place, "prom", 5);
}

/// The body of an answer.
fn get_text(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let head = format!("GET {path} HTTP/1.0\r\nHost: victoria\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

/// A collector that passes on what it gets, and what receives that and says what it was understood as.
struct Collector {
    _agent: Process,
    _receiver: Process,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    port: u16,
}

impl Collector {
    fn start(directory: &Path) -> Self {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let receivers = crates.join("../target/receivers");
        let mut receiver = Command::new(receivers.join("bin/python3"))
            .arg(crates.join("odin-sinks/tests/receiver.py"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("the receiver: {error}; `.ci/run` makes it"));
        let mut lines = BufReader::new(receiver.stdout.take().unwrap()).lines();
        let onward = lines.next().expect("the receiver starts").unwrap();
        let versions = std::fs::read_dir(receivers.join("lib")).unwrap();
        let agent = versions
            .map(|it| it.unwrap().path().join("site-packages/rotel/rotel-agent"))
            .find(|it| it.exists())
            .unwrap_or_else(|| {
                panic!("there is no collector in target/receivers: `.ci/run` installs it")
            });
        let port = free_port();
        let agent = Command::new(agent)
            .arg("start")
            .args(["--otlp-http-endpoint", &format!("127.0.0.1:{port}")])
            .args([
                "--otlp-grpc-endpoint",
                &format!("127.0.0.1:{}", free_port()),
            ])
            .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
            .args([
                "--otlp-exporter-endpoint",
                &format!("http://127.0.0.1:{onward}"),
            ])
            .arg("--pid-file")
            .arg(directory.join("pid"))
            .arg("--log-file")
            .arg(directory.join("log"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            _agent: Process(agent),
            _receiver: Process(receiver),
            lines,
            port,
        }
    }

    /// Takes in what the collector passes on until all of these words were in it, and gives everything so far by path.
    fn until(&mut self, seen: &mut BTreeMap<String, Vec<Value>>, words: &[(&str, &str)]) {
        let has = |seen: &BTreeMap<String, Vec<Value>>, (path, word): &(&str, &str)| {
            let of_path = seen.get(*path).into_iter().flatten();
            of_path.into_iter().any(|it| it.to_string().contains(word))
        };
        while !words.iter().all(|word| has(seen, word)) {
            let line = self.lines.next().expect("the receiver goes on").unwrap();
            let mut line: Value = serde_json::from_str(&line).unwrap();
            let path = line["path"].as_str().unwrap().to_owned();
            seen.entry(path).or_default().push(line["is"].take());
        }
    }
}

#[test]
fn a_collector_passes_on_traces_metrics_and_logs() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new();
    place.deploy("fetch", "never", "", &reporting());
    let mut collector = Collector::start(directory.path());
    let url = format!("http://127.0.0.1:{}", collector.port);
    wait_for("a collector", || {
        TcpStream::connect(("127.0.0.1", collector.port)).ok()
    });
    place.server.json(["sink", "set", "otel", "--otlp", &url]);
    let run = place.run("fetch");
    place.ended("fetch", &run);
    settled(&place, "otel", 6);
    let tried = place.server.json(["sink", "test", "otel"]);
    assert_eq!(tried["taken"], true, "{tried}");
    let mut seen = BTreeMap::new();
    collector.until(
        &mut seen,
        &[
            ("/v1/traces", "\"attempt 1\""),
            ("/v1/metrics", "\"price\""),
            ("/v1/metrics", "\"odin_runs_finished\""),
            ("/v1/logs", "a,b\\\\c"),
            ("/v1/logs", &run),
        ],
    );
    let traces = Value::from(seen["/v1/traces"].clone()).to_string();
    assert!(traces.contains("\"name\":\"fetch\""), "{traces}");
    let metrics: Vec<&Value> = seen["/v1/metrics"]
        .iter()
        .flat_map(|it| it["resourceMetrics"].as_array().unwrap())
        .flat_map(|it| it["scopeMetrics"].as_array().unwrap())
        .flat_map(|it| it["metrics"].as_array().unwrap())
        .collect();
    let named = |name: &str| {
        let mut found = metrics.iter().filter(|it| it["name"] == name);
        found.next_back().unwrap_or_else(|| panic!("no {name}"))
    };
    let finished = &named("odin_runs_finished")["sum"];
    assert_eq!(finished["isMonotonic"], true);
    assert_eq!(
        finished["aggregationTemporality"],
        "AGGREGATION_TEMPORALITY_CUMULATIVE"
    );
    let point = &finished["dataPoints"][0];
    assert_eq!(point["asInt"], "1");
    let instant = |key: &str| -> u64 { point[key].as_str().unwrap().parse().unwrap() };
    assert!(instant("startTimeUnixNano") < instant("timeUnixNano"));
    let duration = &named("odin_run_duration_seconds")["histogram"]["dataPoints"][0];
    let counts = duration["bucketCounts"].as_array().unwrap().len();
    assert_eq!(
        counts,
        duration["explicitBounds"].as_array().unwrap().len() + 1
    );
    assert_eq!(duration["count"], "1");
    let values = metrics.iter().filter(|it| it["name"] == "odin.value");
    let points: Vec<&Value> = values
        .flat_map(|it| it["gauge"]["dataPoints"].as_array().unwrap())
        .collect();
    assert!(
        points.iter().any(|it| it["asInt"] == "9223372036854775807"),
        "{points:?}"
    );
    assert!(
        points.iter().any(|it| it["asDouble"] == "NaN"),
        "{points:?}"
    );
}
