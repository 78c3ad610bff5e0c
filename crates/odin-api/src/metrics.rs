//! `GET /metrics`.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use odin_model::owner::Role;
use odin_model::{Principal, Refusal};
use odin_wire::Problem;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::api::Api;
use crate::failure::Failure;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What this node counts and measures, for Prometheus: OpenMetrics where it is asked for, else the older text. For
/// admins, unless the server was started with `--metrics-open`.
#[utoipa::path(get, path = "/metrics", tag = "nodes", operation_id = "metrics",
    responses((status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    caller: Option<Extension<Principal>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Failure> {
    let is_admin = caller.is_some_and(|Extension(caller)| caller.role == Role::Admin);
    if !is_admin && !api.backend().metrics_are_open() {
        return Err(Refusal::RoleNeeded {
            needed: Role::Admin,
        }
        .into());
    }
    let requests = api.request_metrics().clone();
    let text = api
        .blocking(move |backend| {
            let mut registry = Registry::default();
            backend.collect_metrics(&mut registry);
            requests.register(&mut registry);
            let mut text = String::new();
            encode(&mut text, &registry).map(|()| text)
        })
        .await?
        .map_err(|error| Failure::internal(&format!("metrics: {error}")))?;
    let (kind, text) = match wants_openmetrics(&headers) {
        true => (OPENMETRICS, text),
        false => (PLAIN, plain(&text)),
    };
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
    Ok((headers, text))
}

fn wants_openmetrics(headers: &HeaderMap) -> bool {
    let accept = headers.get_all(header::ACCEPT).iter();
    accept
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("application/openmetrics-text"))
}

/// OpenMetrics as the older text: there, the family of a counter or an info has the name of its sample, an info is a
/// gauge, and nothing marks the end.
fn plain(openmetrics: &str) -> String {
    let lines: Vec<_> = openmetrics.lines().collect();
    let of_kind = |kind: &str| -> Vec<&str> {
        let families = lines.iter().filter_map(|line| line.strip_prefix("# TYPE "));
        families
            .filter_map(|line| line.strip_suffix(kind))
            .collect()
    };
    let (counters, infos) = (of_kind(" counter"), of_kind(" info"));
    let mut text = String::with_capacity(openmetrics.len());
    for line in lines {
        let described = ["# HELP ", "# TYPE "]
            .iter()
            .find_map(|word| Some((*word, line.strip_prefix(word)?.split_once(' ')?)));
        match described {
            _ if line == "# EOF" || line.starts_with("# UNIT ") => continue,
            Some((word, (name, rest))) if counters.contains(&name) => {
                text.extend([word, name, "_total ", rest]);
            }
            Some((word @ "# TYPE ", (name, _))) if infos.contains(&name) => {
                text.extend([word, name, "_info gauge"]);
            }
            Some((word, (name, rest))) if infos.contains(&name) => {
                text.extend([word, name, "_info ", rest]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_older_text_names_counters_and_infos_by_their_samples() {
        let openmetrics = "# HELP runs Runs.\n# TYPE runs counter\nruns_total{outcome=\"failed\"} 7\n\
            # HELP build Build.\n# TYPE build info\nbuild_info{version=\"1\"} 1\n\
            # HELP jobs Jobs.\n# TYPE jobs gauge\njobs 1\n# EOF\n";
        expect![[r#"
            # HELP runs_total Runs.
            # TYPE runs_total counter
            runs_total{outcome="failed"} 7
            # HELP build_info Build.
            # TYPE build_info gauge
            build_info{version="1"} 1
            # HELP jobs Jobs.
            # TYPE jobs gauge
            jobs 1
        "#]]
        .assert_eq(&plain(openmetrics));
    }
}
