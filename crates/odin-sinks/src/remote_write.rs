//! Prometheus remote write 1.0: `odin_value` for each number, the lengths of runs, and what `/metrics` shows.

use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use odin_metrics::{Family, Label};
use odin_model::{SecretValue, ValueData};
use odin_outbound::header::{AUTHORIZATION, HeaderName, HeaderValue};
use prost::Message;

use crate::http::HttpReceiver;
use crate::known::Newest;
use crate::record::number;
use crate::{Body, Record, Snapshot, Unsent};

/// What a signalling NaN means to Prometheus: the series ends. No value of a job may say that by chance.
const PLAIN_NAN: u64 = 0x7ff8_0000_0000_0001;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<PromLabel>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct PromLabel {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// A receiver of remote write.
pub(crate) struct RemoteWrite {
    client: HttpReceiver,
}

impl RemoteWrite {
    pub(crate) fn new(
        mut client: HttpReceiver,
        user: Option<&str>,
        secret: Option<&SecretValue>,
    ) -> Result<Self, Unsent> {
        client.set(
            HeaderName::from_static("x-prometheus-remote-write-version"),
            HeaderValue::from_static("0.1.0"),
        );
        if let Some(secret) = secret {
            let value = match user {
                Some(user) => {
                    let both = [user.as_bytes(), b":", secret.expose().trim_ascii_end()].concat();
                    format!("Basic {}", STANDARD.encode(both)).into_bytes()
                }
                None => [b"Bearer ", secret.expose()].concat(),
            };
            client.set_secret(AUTHORIZATION, &value)?;
        }
        Ok(Self { client })
    }

    pub(crate) async fn send(
        &mut self,
        records: &[Record],
        newest: &mut Newest,
    ) -> Result<(), Unsent> {
        let series = series(records, newest);
        if series.is_empty() {
            return Ok(());
        }
        self.post(&request(&series)).await?;
        for (labels, samples) in series {
            if let Some((at, _)) = samples.last_key_value() {
                newest.note(labels, *at);
            }
        }
        Ok(())
    }

    pub(crate) async fn send_metrics(&mut self, snapshot: &Snapshot) -> Result<(), Unsent> {
        self.post(&metrics_request(snapshot)).await
    }

    async fn post(&mut self, request: &WriteRequest) -> Result<(), Unsent> {
        let packed = snap::raw::Encoder::new()
            .compress_vec(&request.encode_to_vec())
            .map_err(|error| Unsent::Refused(format!("it cannot be compressed: {error}")))?;
        self.client
            .post("", "application/x-protobuf", "snappy", packed)
            .await?;
        Ok(())
    }
}

/// What a scrape of the node would give: `job` and `instance` are the labels that Prometheus itself adds to one.
fn metrics_request(snapshot: &Snapshot) -> WriteRequest {
    let samples = snapshot.families.iter().flat_map(Family::samples);
    let timeseries = samples.map(|sample| {
        let mut labels = snapshot.with_node(&sample.labels, "instance");
        labels.extend([
            ("__name__", sample.name.clone()),
            ("job", "odin".to_owned()),
        ]);
        labels.sort_unstable();
        TimeSeries {
            labels: to_labels(labels),
            samples: vec![Sample {
                value: plain_nan(sample.value.as_f64()),
                timestamp: snapshot.at.as_millisecond(),
            }],
        }
    });
    WriteRequest {
        timeseries: timeseries.collect(),
    }
}

fn to_labels(labels: Vec<Label>) -> Vec<PromLabel> {
    let labels = labels.into_iter();
    let label = |(name, value): Label| PromLabel {
        name: name.to_owned(),
        value,
    };
    // An empty one is the same as none, and refused by some receivers.
    labels
        .filter(|(_, text)| !text.is_empty())
        .map(label)
        .collect()
}

/// Leaves the records of which a sample is sent: no texts, and of several samples of a series in one millisecond the one
/// that comes last, or none where that millisecond has one already.
///
/// It is settled for the batch as a whole: a receiver that keeps one sample for each instant refuses a request with
/// another, and the parts of a batch would stand in each other's way as its records did.
pub(crate) fn keep_fitting(records: &mut Vec<Record>, newest: &Newest) {
    let mut last: HashMap<(Vec<Label>, i64), usize> = HashMap::new();
    for (index, record) in records.iter().enumerate() {
        for (labels, at, _) in samples(record) {
            if newest.of(&labels) != Some(at) {
                last.insert((labels, at), index);
            }
        }
    }
    let mut fits = vec![false; records.len()];
    for index in last.into_values() {
        fits[index] = true;
    }
    let mut fits = fits.into_iter();
    records.retain(|_| fits.next() == Some(true));
}

/// Series by their labels, the samples of each by their milliseconds.
type AllSeries = BTreeMap<Vec<Label>, BTreeMap<i64, f64>>;

/// The samples of records, without those of milliseconds that have one.
fn series(records: &[Record], newest: &Newest) -> AllSeries {
    let mut series = AllSeries::new();
    for (labels, at, value) in records.iter().flat_map(samples) {
        if newest.of(&labels) != Some(at) {
            series.entry(labels).or_default().insert(at, value);
        }
    }
    series
}

/// What a record comes to: labels, the millisecond, and the number.
fn samples(record: &Record) -> Vec<(Vec<Label>, i64, f64)> {
    let named = |name: &str, more: &[Label]| {
        let mut labels = vec![
            ("__name__", name.to_owned()),
            ("odin_job", record.job.name.clone()),
            ("odin_job_id", record.job.id.to_string()),
            ("odin_owner", record.job.owner.clone()),
        ];
        labels.extend_from_slice(more);
        labels.sort_unstable();
        labels
    };
    match &record.body {
        Body::Value(facts) => {
            let value = &facts.value;
            let more = || {
                [
                    // What a result says would make a series of every run.
                    ("name", value.series_name().to_owned()),
                    ("kind", value.kind.word().to_owned()),
                    ("unit", value.unit.clone().unwrap_or_default()),
                ]
            };
            let number = sample(&value.data).into_iter();
            let at = value.at.as_millisecond();
            number
                .map(|number| (named("odin_value", &more()), at, number))
                .collect()
        }
        Body::Run(run) => {
            let outcome = [("outcome", run.outcome.word().to_owned())];
            let numbers = [
                ("odin_run_duration_seconds", run.seconds()),
                ("odin_run_wait_seconds", run.waited_seconds()),
                ("odin_run_finished", Some(1.0)),
            ];
            let at = run.finished_at.as_millisecond();
            let sample = |(name, number): (&str, Option<f64>)| {
                number.map(|number| (named(name, &outcome), at, number))
            };
            numbers.into_iter().filter_map(sample).collect()
        }
    }
}

/// Each series once, its samples in the order of time.
fn request(series: &AllSeries) -> WriteRequest {
    let timeseries = series.iter().map(|(labels, samples)| TimeSeries {
        labels: to_labels(labels.clone()),
        samples: samples
            .iter()
            .map(|(&timestamp, &value)| Sample { value, timestamp })
            .collect(),
    });
    WriteRequest {
        timeseries: timeseries.collect(),
    }
}

/// Numbers, and conditions as 1 and 0.
fn sample(data: &ValueData) -> Option<f64> {
    match data {
        ValueData::Boolean(it) => Some(f64::from(u8::from(*it))),
        data => number(data).map(plain_nan),
    }
}

fn plain_nan(number: f64) -> f64 {
    match number.is_nan() {
        true => f64::from_bits(PLAIN_NAN),
        false => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::{at, run, value};
    use crate::snapshot::tests::snapshot;

    #[test]
    fn each_series_stands_once_with_sorted_labels_and_samples() {
        let at_second = |index, second, text: &str| {
            let mut record = value(index, "n", ValueData::Number(text.to_owned()));
            if let Body::Value(facts) = &mut record.body {
                facts.value.at = at(second);
            }
            record
        };
        let records = [
            at_second(0, 9, "9"),
            at_second(1, 3, "3"),
            at_second(2, 3, "4"),
            value(3, "said", ValueData::Text("no number".to_owned())),
            run(4),
        ];
        let request = request(&series(&records, &Newest::default()));
        let names: Vec<_> = request
            .timeseries
            .iter()
            .map(|it| it.labels[0].value.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "odin_run_duration_seconds",
                "odin_run_finished",
                "odin_run_wait_seconds",
                "odin_value"
            ]
        );
        for series in &request.timeseries {
            assert!(series.labels.is_sorted_by(|a, b| a.name < b.name));
        }
        let values: Vec<_> = request.timeseries[3]
            .samples
            .iter()
            .map(|it| it.value)
            .collect();
        assert_eq!(values, [4.0, 9.0]);
    }

    fn at_milli(index: u32, milli: i64, name: &str) -> Record {
        let mut record = value(index, name, ValueData::Number(index.to_string()));
        if let Body::Value(facts) = &mut record.body {
            facts.value.at = jiff::Timestamp::from_millisecond(1_790_000_000_000 + milli).unwrap();
        }
        record
    }

    #[test]
    fn of_one_millisecond_of_a_series_one_record_fits_whatever_the_requests_are() {
        let text = value(9, "n", ValueData::Text("no number".to_owned()));
        let mut first = vec![
            at_milli(0, 1, "n"),
            at_milli(1, 1, "n"),
            at_milli(2, 2, "n"),
            at_milli(3, 2, "other"),
            at_milli(4, 2, "n"),
            text,
            run(5),
            run(6),
        ];
        let places = |records: &[Record]| -> Vec<u32> {
            records.iter().map(|record| record.place.1).collect()
        };
        let mut newest = Newest::default();
        keep_fitting(&mut first, &newest);
        assert_eq!(places(&first), [1, 3, 4, 6]);
        for (labels, samples) in series(&first, &newest) {
            newest.note(labels, *samples.last_key_value().unwrap().0);
        }
        // The batch goes on in the millisecond that the one before ended with; what is older may come late.
        let mut second = vec![
            at_milli(0, 2, "n"),
            at_milli(1, 2, "other"),
            at_milli(2, 3, "n"),
            at_milli(3, 0, "n"),
            run(4),
        ];
        keep_fitting(&mut second, &newest);
        assert_eq!(places(&second), [2, 3]);
        assert!(series(&[run(4)], &newest).is_empty());
    }

    #[test]
    fn metrics_have_the_names_and_labels_of_a_scrape() {
        let request = metrics_request(&snapshot());
        let text = |series: &TimeSeries| {
            assert!(series.labels.is_sorted_by(|a, b| a.name < b.name));
            assert_eq!(series.samples[0].timestamp, 1_790_000_060_000);
            let labels = series
                .labels
                .iter()
                .map(|it| format!("{}={}", it.name, it.value));
            let labels: Vec<_> = labels.collect();
            format!("{} {}", labels.join(";"), series.samples[0].value)
        };
        let seen: Vec<_> = request.timeseries.iter().map(text).collect();
        assert_eq!(
            seen,
            [
                "__name__=odin_runs_finished_total;instance=a, b;job=odin;outcome=failed 7",
                "__name__=odin_jobs;instance=a, b;job=odin 3",
                "__name__=odin_build_info;instance=a, b;job=odin;node=a, b;version=1 1",
                "__name__=odin_log_sync_seconds_bucket;instance=a, b;job=odin;le=0.5 1",
                "__name__=odin_log_sync_seconds_bucket;instance=a, b;job=odin;le=10.0 1",
                "__name__=odin_log_sync_seconds_bucket;instance=a, b;job=odin;le=+Inf 2",
                "__name__=odin_log_sync_seconds_sum;instance=a, b;job=odin 20.25",
                "__name__=odin_log_sync_seconds_count;instance=a, b;job=odin 2",
                "__name__=odin_sink_records_total;instance=a, b;job=odin;sink=db 9",
            ]
        );
    }

    #[test]
    fn a_jobs_nan_is_no_staleness_marker() {
        let nan = sample(&ValueData::Number("NaN".to_owned())).unwrap();
        assert_eq!(nan.to_bits(), PLAIN_NAN);
        assert_eq!(sample(&ValueData::Boolean(true)), Some(1.0));
        assert_eq!(sample(&ValueData::Text("1".to_owned())), None);
    }
}
