//! What a node counts and measures, as OpenTelemetry's metrics: sums that only grow since the node's start, gauges, and
//! histograms with explicit bounds.

use odin_metrics::{Family, Kind, Label, Number, Reading};

use crate::Snapshot;
use crate::otlp::{resource, scope, time};
use crate::otlp_messages::{
    Gauge, Histogram, HistogramPoint, KeyValue, Metric, MetricsRequest, Point, PointValue,
    ResourceMetrics, ScopeMetrics, Sum,
};

/// Each point holds everything since the start.
const CUMULATIVE: i32 = 2;

/// The request for a snapshot.
pub(crate) fn request(snapshot: &Snapshot) -> MetricsRequest {
    let mut resource = resource();
    let node = KeyValue::text("service.instance.id", snapshot.node.clone());
    resource.attributes.push(node);
    // One of which nothing is counted yet would have no points, and say nothing.
    let metrics = snapshot.families.iter();
    let metrics = metrics.filter(|family| !family.series.is_empty());
    MetricsRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: metrics.map(|family| metric(snapshot, family)).collect(),
            }],
        }],
    }
}

fn metric(snapshot: &Snapshot, family: &Family) -> Metric {
    let mut metric = Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: family.unit().to_owned(),
        ..Metric::default()
    };
    match family.kind {
        Kind::Counter | Kind::LastingCounter => {
            // 0 says that the start is not known.
            let start = match family.kind {
                Kind::LastingCounter => 0,
                _ => time(snapshot.began_at),
            };
            metric.sum = Some(Sum {
                data_points: points(snapshot, family, start),
                aggregation_temporality: CUMULATIVE,
                is_monotonic: true,
            });
        }
        Kind::Gauge | Kind::Info => {
            let data_points = points(snapshot, family, 0);
            metric.gauge = Some(Gauge { data_points });
        }
        Kind::Histogram => {
            metric.histogram = Some(Histogram {
                data_points: histogram_points(snapshot, family),
                aggregation_temporality: CUMULATIVE,
            });
        }
    }
    metric
}

fn points(snapshot: &Snapshot, family: &Family, start_time_unix_nano: u64) -> Vec<Point> {
    let numbers = family
        .series
        .iter()
        .filter_map(|series| match &series.reading {
            Reading::Number(number) => Some((&series.labels, *number)),
            Reading::Distribution(_) => None,
        });
    let point = |(labels, number): (&Vec<Label>, Number)| Point {
        start_time_unix_nano,
        time_unix_nano: time(snapshot.at),
        attributes: attributes(labels),
        value: Some(match number {
            Number::Whole(it) => PointValue::Integer(i64::try_from(it).unwrap_or(i64::MAX)),
            Number::Fraction(it) => PointValue::Double(it),
        }),
    };
    numbers.map(point).collect()
}

fn histogram_points(snapshot: &Snapshot, family: &Family) -> Vec<HistogramPoint> {
    let distributions = family
        .series
        .iter()
        .filter_map(|series| match &series.reading {
            Reading::Distribution(it) => Some((&series.labels, it)),
            Reading::Number(_) => None,
        });
    let points = distributions.map(|(labels, it)| HistogramPoint {
        start_time_unix_nano: time(snapshot.began_at),
        time_unix_nano: time(snapshot.at),
        count: it.count(),
        sum: Some(it.sum),
        bucket_counts: it.counts.clone(),
        explicit_bounds: it.bounds.to_vec(),
        attributes: attributes(labels),
    });
    points.collect()
}

fn attributes(labels: &[Label]) -> Vec<KeyValue> {
    let labels = labels.iter();
    labels
        .map(|(name, value)| KeyValue::text(name, value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::tests::snapshot;

    #[test]
    fn each_kind_is_what_opentelemetry_has_for_it() {
        let snapshot = snapshot();
        let request = request(&snapshot);
        let [runs, jobs, build, took, sent] = request.resource_metrics[0].scope_metrics[0]
            .metrics
            .as_slice()
        else {
            panic!("{request:?}");
        };
        let sum = runs.sum.as_ref().unwrap();
        assert!(sum.is_monotonic && sum.aggregation_temporality == CUMULATIVE);
        let point = &sum.data_points[0];
        assert_eq!(point.value, Some(PointValue::Integer(7)));
        assert_eq!(
            point.time_unix_nano - point.start_time_unix_nano,
            60_000_000_000
        );
        assert_eq!(point.attributes, [KeyValue::text("outcome", "failed")]);
        assert_eq!(jobs.gauge.as_ref().unwrap().data_points.len(), 1);
        let labels = &build.gauge.as_ref().unwrap().data_points[0].attributes;
        assert_eq!(labels[0], KeyValue::text("version", "1"));
        let point = &took.histogram.as_ref().unwrap().data_points[0];
        assert_eq!(took.unit, "s");
        assert_eq!(point.explicit_bounds, [0.5, 10.0]);
        assert_eq!(point.bucket_counts, [1, 0, 1]);
        assert_eq!((point.count, point.sum), (2, Some(20.25)));
        let sum = sent.sum.as_ref().unwrap();
        assert!(sum.is_monotonic && sum.aggregation_temporality == CUMULATIVE);
        assert_eq!(sum.data_points[0].start_time_unix_nano, 0, "it is older");
    }
}
