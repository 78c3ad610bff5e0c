//! How many requests there were, how they went and how long they took, by the kind of thing that was asked for.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use odin_wire::API_PREFIX;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::api::Api;

/// The kinds that have a label; the path's first part behind the prefix. Anything else is `other`.
const KINDS: [&str; 14] = [
    "jobs",
    "runs",
    "links",
    "events",
    "ledger",
    "schedule",
    "secrets",
    "calendars",
    "nodes",
    "backup",
    "healthz",
    "readyz",
    "metrics",
    "openapi.json",
];
/// Seconds until the head of an answer.
const SECONDS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

/// Lengths by the kind of request.
type SecondsByKind = Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>;

/// Counters of requests. A clone is the same counters.
#[derive(Clone)]
pub(crate) struct RequestMetrics {
    requests: Family<[(&'static str, &'static str); 2], Counter>,
    seconds: SecondsByKind,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
        }
    }
}

impl RequestMetrics {
    /// Adds them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "odin_http_requests",
            "Requests that were answered, by kind and class of status",
            self.requests.clone(),
        );
        registry.register(
            "odin_http_request_duration_seconds",
            "Time until the head of the answer, by kind; streams go on after it",
            self.seconds.clone(),
        );
    }
}

/// The layer around all handlers.
pub(crate) async fn measure(State(api): State<Api>, request: Request, next: Next) -> Response {
    let kind = kind_of(request.uri().path());
    let began = Instant::now();
    let response = next.run(request).await;
    let status = match response.status().as_u16() {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    };
    let metrics = api.request_metrics();
    let labels = [("kind", kind), ("status", status)];
    metrics.requests.get_or_create(&labels).inc();
    metrics
        .seconds
        .get_or_create(&[("kind", kind)])
        .observe(began.elapsed().as_secs_f64());
    response
}

fn kind_of(path: &str) -> &'static str {
    let rest = path.strip_prefix(API_PREFIX).unwrap_or(path);
    let first = rest.trim_start_matches('/').split('/').next();
    KINDS
        .into_iter()
        .find(|kind| Some(*kind) == first)
        .unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_of_few_kinds() {
        for (path, expected) in [
            ("/api/v1/jobs", "jobs"),
            ("/api/v1/jobs/0123456789ab/runs", "jobs"),
            ("/api/v1/runs/r0", "runs"),
            ("/healthz", "healthz"),
            ("/", "other"),
            ("", "other"),
            ("/api/v1", "other"),
            ("/api/v1/made-up-by-a-scanner", "other"),
            ("/jobsandmore", "other"),
        ] {
            assert_eq!(kind_of(path), expected, "{path}");
        }
    }
}
