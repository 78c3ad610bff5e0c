//! Nodes, health and counts.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use odin_model::Refusal;
use odin_model::owner::Role;
use odin_wire::{Health, Node, NodeList, Problem};

use crate::api::Api;
use crate::extract::Caller;
use crate::failure::Failure;

/// All nodes.
#[utoipa::path(get, path = "/api/v1/nodes", tag = "nodes", operation_id = "list_nodes",
    responses((status = 200, body = NodeList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    _caller: Caller,
) -> Result<Json<NodeList>, Failure> {
    let nodes = api.read(|reader| reader.nodes()).await?;
    let nodes = nodes
        .iter()
        .map(|node| Node::new(node, api.backend().role(node)))
        .collect();
    Ok(Json(NodeList { nodes, next: None }))
}

/// 200 while the node serves.
#[utoipa::path(get, path = "/healthz", tag = "nodes", operation_id = "health", responses((status = 200, body = Health)))]
pub(crate) async fn health(State(api): State<Api>) -> Json<Health> {
    Json(api.backend().health())
}

/// 200 while a leader is known and this node has applied what it must.
#[utoipa::path(get, path = "/readyz", tag = "nodes", operation_id = "ready",
    responses((status = 200, body = Health), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn ready(State(api): State<Api>) -> Result<Json<Health>, Failure> {
    match api.backend().is_ready() {
        true => Ok(Json(api.backend().health())),
        false => Err(Failure::new(
            "cluster/no-leader",
            "the node knows no leader, or is behind it",
        )),
    }
}

/// Counts of the whole cluster in the Prometheus text format. For admins.
#[utoipa::path(get, path = "/metrics", tag = "nodes", operation_id = "metrics",
    responses((status = 200, body = String, content_type = "text/plain"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn metrics(
    State(api): State<Api>,
    Caller(caller): Caller,
) -> Result<impl IntoResponse, Failure> {
    if caller.role != Role::Admin {
        return Err(Refusal::RoleNeeded {
            needed: Role::Admin,
        }
        .into());
    }
    let counts = api.backend().counts();
    let ready = u8::from(api.backend().is_ready());
    let text = format!(
        "# HELP odin_ready Whether a leader is known and this node has applied what it must.\n\
         # TYPE odin_ready gauge\nodin_ready {ready}\n\
         # HELP odin_jobs Jobs that are listed.\n# TYPE odin_jobs gauge\nodin_jobs {}\n\
         # HELP odin_open_runs Runs that are not over.\n# TYPE odin_open_runs gauge\nodin_open_runs {}\n",
        counts.jobs, counts.open_runs
    );
    Ok((
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        text,
    ))
}
