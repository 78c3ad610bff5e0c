//! How many requests there were, how they went and how long they took, by the kind of thing that was asked for.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use odin_metrics::{Counters, Family, Histograms};
use odin_wire::API_PREFIX;
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
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

/// Counters of requests. A clone is the same counters.
#[derive(Clone)]
pub struct RequestMetrics {
    requests: Counters<2>,
    seconds: Histograms<1>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self {
            requests: Counters::new(
                "odin_http_requests",
                "Requests that were answered, by kind and class of status",
                ["kind", "status"],
            ),
            seconds: Histograms::new(
                "odin_http_request_duration_seconds",
                "Time until the head of the answer, by kind; streams go on after it",
                ["kind"],
                SECONDS,
            ),
        }
    }
}

impl RequestMetrics {
    /// All of it.
    #[must_use]
    pub fn families(&self) -> [Family; 2] {
        [self.requests.family(), self.seconds.family()]
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
    metrics.requests.add([kind, status], 1);
    let took = began.elapsed().as_secs_f64();
    metrics.seconds.observe([kind], took);
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
