//! The files of sealed history.

use axum::Json;
use axum::extract::State;
use odin_wire::{History, HistoryFault, Problem};

use crate::api::Api;
use crate::extract::Admin;
use crate::failure::Failure;

/// What this node has of sealed history, and what of it cannot be read. For admins.
#[utoipa::path(get, path = "/api/v1/history", tag = "nodes", operation_id = "get_history",
    responses((status = 200, body = History), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    Admin(_caller): Admin,
) -> Result<Json<History>, Failure> {
    let status = api.read(|reader| Ok(reader.history(false))).await?;
    Ok(Json(History {
        files: status.files.len() as u64,
        bytes: status.files.iter().map(|file| file.bytes).sum(),
        runs: status.files.iter().map(|file| file.runs).sum(),
        faults: status
            .faults
            .into_iter()
            .map(|(file, problem)| HistoryFault {
                file: file.display().to_string(),
                problem,
            })
            .collect(),
    }))
}
