//! `odin sink set`.

use clap::{ArgGroup, Args};
use odin_wire::{SetSink, SinkTarget, keep_default, rotate_bytes_default};

use super::SinkArg;
use crate::context::Context;
use crate::error::CliError;

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
    #[arg(long, value_name = "NAME", requires = "influxdb_v2")]
    org: Option<String>,
    /// The bucket of --influxdb-v2
    #[arg(long, value_name = "NAME", requires = "influxdb_v2")]
    bucket: Option<String>,
    /// The database of --influxdb-v3
    #[arg(long, value_name = "NAME", requires = "influxdb_v3")]
    database: Option<String>,
    /// The user of --remote-write, whose password the secret is [default: the secret is a bearer token]
    #[arg(long, value_name = "NAME", requires_all = ["remote_write", "secret"])]
    user: Option<String>,
    /// The header by which --otlp sends the secret [default: Authorization, as a bearer token]
    #[arg(long, value_name = "NAME", requires_all = ["otlp", "secret"])]
    header: Option<String>,
    /// At how many bytes of --file another one begins
    #[arg(long, value_name = "BYTES", requires = "file", default_value_t = rotate_bytes_default())]
    rotate_bytes: u64,
    /// How many full files of --file are kept
    #[arg(long, value_name = "COUNT", requires = "file", default_value_t = keep_default())]
    keep: u32,
    /// The secret of yours that the receiver asks for
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    secret: Option<String>,
    /// Only these records: values, runs [default: both]
    #[arg(long, value_name = "RECORDS", value_delimiter = ',')]
    only: Vec<String>,
    /// Only values of these kinds, such as watch,metric
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    kind: Vec<String>,
    /// Only what is of these jobs, by their ids
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    job: Vec<String>,
}

pub(super) async fn run(args: &SetArgs, context: &Context) -> Result<(), CliError> {
    let body = SetSink {
        target: target(args)?,
        secret: args.secret.clone(),
        records: args.only.clone(),
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
