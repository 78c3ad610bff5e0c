//! Nodes and health.

use axum::Json;
use axum::extract::State;
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
