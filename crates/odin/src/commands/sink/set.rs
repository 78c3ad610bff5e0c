//! `odin sink set`.

use clap::{ArgGroup, Args};
use odin_wire::{SetSink, SinkTarget, keep_default, rotate_bytes_default};

use super::SinkArg;
use crate::context::Context;
use crate::error::CliError;
use crate::times::parse_duration;

// What an option of one receiver cannot stand beside: without these, the message would ask for that receiver's others.
const NOT_INFLUXDB_V2: [&str; 5] = ["influxdb_v3", "remote_write", "otlp", "postgres", "file"];
const NOT_INFLUXDB_V3: [&str; 5] = ["influxdb_v2", "remote_write", "otlp", "postgres", "file"];
const NOT_REMOTE_WRITE: [&str; 5] = ["influxdb_v2", "influxdb_v3", "otlp", "postgres", "file"];
const NOT_OTLP: [&str; 5] = [
    "influxdb_v2",
    "influxdb_v3",
    "remote_write",
    "postgres",
    "file",
];
const NOT_FILE: [&str; 5] = [
    "influxdb_v2",
    "influxdb_v3",
    "remote_write",
    "otlp",
    "postgres",
];

/// `odin sink set`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true)
    .args(["influxdb_v2", "influxdb_v3", "remote_write", "otlp", "postgres", "file"]))]
pub(crate) struct SetArgs {
    #[command(flatten)]
    sink: SinkArg,
    /// InfluxDB 2 at this address; the secret is a token
    #[arg(long, value_name = "URL", requires_all = ["org", "bucket"])]
    influxdb_v2: Option<String>,
    /// InfluxDB 3 at this address; the secret is a token
    #[arg(long, value_name = "URL", requires = "database")]
    influxdb_v3: Option<String>,
    /// Prometheus remote write to this address, such as http://prometheus:9090/api/v1/write
    #[arg(long, value_name = "URL")]
    remote_write: Option<String>,
    /// An OpenTelemetry collector, such as http://collector:4318
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// PostgreSQL: postgres://USER@HOST:PORT/DATABASE; the secret is the password
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// A file of JSON lines on the node that leads
    #[arg(long, value_name = "PATH")]
    file: Option<String>,
    /// The organisation of --influxdb-v2
    #[arg(long, value_name = "NAME", requires = "influxdb_v2", conflicts_with_all = NOT_INFLUXDB_V2)]
    org: Option<String>,
    /// The bucket of --influxdb-v2
    #[arg(long, value_name = "NAME", requires = "influxdb_v2", conflicts_with_all = NOT_INFLUXDB_V2)]
    bucket: Option<String>,
    /// The database of --influxdb-v3
    #[arg(long, value_name = "NAME", requires = "influxdb_v3", conflicts_with_all = NOT_INFLUXDB_V3)]
    database: Option<String>,
    /// The user of --remote-write, whose password the secret is [default: the secret is a bearer token]
    #[arg(long, value_name = "NAME", requires_all = ["remote_write", "secret"], conflicts_with_all = NOT_REMOTE_WRITE)]
    user: Option<String>,
    /// The header by which --otlp sends the secret [default: Authorization, as a bearer token]
    #[arg(long, value_name = "NAME", requires_all = ["otlp", "secret"], conflicts_with_all = NOT_OTLP)]
    header: Option<String>,
    /// At how many bytes of --file another one begins
    #[arg(long, value_name = "BYTES", requires = "file", default_value_t = rotate_bytes_default(), conflicts_with_all = NOT_FILE)]
    rotate_bytes: u64,
    /// How many full files of --file are kept
    #[arg(long, value_name = "COUNT", requires = "file", default_value_t = keep_default(), conflicts_with_all = NOT_FILE)]
    keep: u32,
    /// The secret of yours that the receiver asks for
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    secret: Option<String>,
    /// How often metrics go there, such as 30s, from 5s to 24h; off: never [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = parse_every)]
    metrics_every: Option<Every>,
    /// Only these records: values, runs, metrics [default: all]
    #[arg(long, value_name = "RECORDS", value_delimiter = ',')]
    only: Vec<String>,
    /// Only values of these kinds, such as watch,metric
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    kind: Vec<String>,
    /// Only what is of these jobs, by their ids
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    job: Vec<String>,
}

/// How often metrics go to a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Every {
    Never,
    Seconds(u32),
}

fn parse_every(text: &str) -> Result<Every, String> {
    if text == "off" {
        return Ok(Every::Never);
    }
    let duration = parse_duration(text)?;
    let seconds = u32::try_from(duration.as_secs()).ok();
    let whole = seconds.filter(|_| duration.subsec_nanos() == 0);
    whole
        .map(Every::Seconds)
        .ok_or_else(|| format!("`{text}` is not a number of whole seconds"))
}

/// Which records go there. `None`: metrics are asked for and never sent.
fn records(args: &SetArgs) -> Option<Vec<String>> {
    match (args.metrics_every, args.only.as_slice()) {
        (Some(Every::Never), []) => Some(vec!["values".to_owned(), "runs".to_owned()]),
        (Some(Every::Never), only) if only.iter().any(|it| it == "metrics") => None,
        (_, only) => Some(only.to_vec()),
    }
}

pub(super) async fn run(args: &SetArgs, context: &Context) -> Result<(), CliError> {
    let body = SetSink {
        target: target(args)?,
        secret: args.secret.clone(),
        records: records(args).ok_or_else(|| {
            let words = "--only names metrics, and --metrics-every says that they never go there";
            CliError::refused("cli/usage", words)
        })?,
        metrics_every_seconds: match args.metrics_every {
            Some(Every::Seconds(seconds)) => Some(seconds),
            Some(Every::Never) | None => None,
        },
        kinds: args.kind.clone(),
        jobs: args.job.clone(),
    };
    let client = context.client().await?;
    let sink = client.set_sink(&args.sink.name, &body).await?;
    if context.json() {
        return context.print_json(&sink);
    }
    context.print_line(&format!(
        "Sink {name} is set; try it with `odin sink test {name}`",
        name = sink.name
    ))
}

fn target(args: &SetArgs) -> Result<SinkTarget, CliError> {
    let named = |text: &Option<String>| text.clone().unwrap_or_default();
    if let Some(url) = args.influxdb_v2.clone() {
        let (org, bucket) = (named(&args.org), named(&args.bucket));
        return Ok(SinkTarget::InfluxdbV2 { url, org, bucket });
    }
    if let Some(url) = args.influxdb_v3.clone() {
        let database = named(&args.database);
        return Ok(SinkTarget::InfluxdbV3 { url, database });
    }
    if let Some(url) = args.remote_write.clone() {
        let user = args.user.clone();
        return Ok(SinkTarget::RemoteWrite { url, user });
    }
    if let Some(url) = args.otlp.clone() {
        let header = args.header.clone();
        return Ok(SinkTarget::Otlp { url, header });
    }
    if let Some(url) = args.postgres.clone() {
        return Ok(SinkTarget::Postgres { url });
    }
    match args.file.clone() {
        Some(path) => Ok(SinkTarget::File {
            path,
            rotate_bytes: args.rotate_bytes,
            keep: args.keep,
        }),
        None => Err(CliError::refused("cli/usage", "the sink has no receiver")),
    }
}
