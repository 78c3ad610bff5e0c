//! `GET /metrics`.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::IntoResponse;
use odin_model::owner::Role;
use odin_model::{Principal, Refusal};
use odin_wire::Problem;

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
    let families = api.blocking(|backend| backend.metrics()).await?;
    let (kind, text) = match wants_openmetrics(&headers) {
        true => (OPENMETRICS, odin_metrics::openmetrics(&families)),
        false => (PLAIN, odin_metrics::plain(&families)),
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
