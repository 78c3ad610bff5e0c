//! `GET /backup`: a node's data as one file, streamed while the node goes on.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use odin_wire::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::Api;
use crate::backend::{BackupContents, BackupRefused};
use crate::extract::{Admin, Params};
use crate::failure::Failure;

/// What kind of thing a backup is.
const CONTENT_TYPE: &str = "application/zstd";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BackupQuery {
    /// Whether what jobs printed is in it, beyond what results hold. Default: true.
    output: Option<bool>,
    /// Whether the keys of all secrets are in it: whoever has such a backup can read them. Default: false.
    key: Option<bool>,
}

/// A backup of this node. For admins. One at a time. A stream that ends early is an error and no backup.
#[utoipa::path(get, path = "/api/v1/backup", tag = "nodes", operation_id = "backup", params(BackupQuery),
    responses((status = 200, body = crate::openapi::Archive, content_type = "application/zstd"),
        (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn take(
    State(api): State<Api>,
    Admin(caller): Admin,
    Params(query): Params<BackupQuery>,
) -> Result<Response, Failure> {
    let contents = BackupContents {
        with_output: query.output.unwrap_or(true),
        with_key: query.key.unwrap_or(false),
    };
    tracing::info!(by = caller.user.user, ?contents, "a backup is asked for");
    let mut pieces = api.backend().backup(contents).await?;
    let stream = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
    let headers: [(HeaderName, HeaderValue); 2] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE)),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"odin-backup.tar.zst\""),
        ),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

impl From<BackupRefused> for Failure {
    fn from(refused: BackupRefused) -> Self {
        match refused {
            BackupRefused::UnderWay => Self::new("backup/under-way", refused.to_string()),
            BackupRefused::Full(_) => Self::new("storage/full", refused.to_string()),
            BackupRefused::NoKey => Self::new("secret/key-missing", refused.to_string()),
            BackupRefused::Failed(what) => Self::internal(&what),
        }
    }
}
