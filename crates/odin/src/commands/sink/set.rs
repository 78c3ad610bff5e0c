//! `odin sink set`.

use clap::{ArgGroup, Args};
use odin_wire::{SetSink, SinkTarget, keep_default, rotate_bytes_default};

use super::SinkArg;
use crate::context::Context;
use crate::error::CliError;
use crate::times::parse_duration;

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
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// The bucket of --influxdb-v2
    #[arg(long, value_name = "NAME")]
    bucket: Option<String>,
    /// The database of --influxdb-v3
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The user of --remote-write, whose password the secret is [default: the secret is a bearer token]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The header by which --otlp sends the secret [default: Authorization, as a bearer token]
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// At how many bytes of --file another one begins [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    rotate_bytes: Option<u64>,
    /// How many full files of --file are kept [default: 5]
    #[arg(long, value_name = "COUNT")]
    keep: Option<u32>,
    /// The secret of yours that the receiver asks for
    #[arg(long, value_name = "NAME")]
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

/// What is wrong with an option that goes with another receiver than the one that is named. The parser would ask for that
/// other one's options.
fn misplaced(args: &SetArgs) -> Option<String> {
    let receivers = [
        ("--influxdb-v2", &args.influxdb_v2),
        ("--influxdb-v3", &args.influxdb_v3),
        ("--remote-write", &args.remote_write),
        ("--otlp", &args.otlp),
        ("--postgres", &args.postgres),
        ("--file", &args.file),
    ];
    let (named, _) = receivers.into_iter().find(|(_, at)| at.is_some())?;
    let options = [
        ("--org", args.org.is_some(), "--influxdb-v2"),
        ("--bucket", args.bucket.is_some(), "--influxdb-v2"),
        ("--database", args.database.is_some(), "--influxdb-v3"),
        ("--user", args.user.is_some(), "--remote-write"),
        ("--header", args.header.is_some(), "--otlp"),
        ("--rotate-bytes", args.rotate_bytes.is_some(), "--file"),
        ("--keep", args.keep.is_some(), "--file"),
    ];
    for (option, is_given, goes_with) in options {
        if is_given && goes_with != named {
            return Some(format!(
                "{option} goes with {goes_with}, not with {named}: leave it out"
            ));
        }
    }
    match (&args.secret, &args.user, &args.header) {
        (Some(_), ..) if args.file.is_some() => {
            Some("a file asks for no secret: leave --secret out".to_owned())
        }
        (None, Some(_), _) => Some("--user needs --secret: that user's password".to_owned()),
        (None, _, Some(_)) => Some("--header needs --secret: what the header says".to_owned()),
        _ => None,
    }
}

pub(super) async fn run(args: &SetArgs, context: &Context) -> Result<(), CliError> {
    if let Some(words) = misplaced(args) {
        return Err(CliError::refused("cli/usage", words));
    }
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
            rotate_bytes: args.rotate_bytes.unwrap_or_else(rotate_bytes_default),
            keep: args.keep.unwrap_or_else(keep_default),
        }),
        None => Err(CliError::refused("cli/usage", "the sink has no receiver")),
    }
}
