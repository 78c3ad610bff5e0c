//! Reads a request's parts; every mistake in them is a problem with a code of its own.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use odin_model::owner::Role;
use odin_model::{JobId, Principal, Revision, RunId};
use odin_wire::{IDEMPOTENCY_KEY, LIMIT_DEFAULT, LIMIT_MAX};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// The largest JSON body: a calendar of 10,000 days.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a JSON body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest idempotency key.
const KEY_BYTES_MAX: usize = 128;

/// Who asks, as the listener established it.
pub(crate) struct Caller(pub(crate) Principal);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let principal = parts.extensions.get::<Principal>().cloned();
        // The listener's layer runs before every handler that asks: without it nobody gets in.
        principal
            .map(Self)
            .ok_or_else(|| Failure::new("auth/required", "the request names nobody"))
    }
}

/// Who asks, and is an admin.
pub(crate) struct Admin(pub(crate) Principal);

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Caller(caller) = Caller::from_request_parts(parts, state).await?;
        caller.need(Role::Admin)?;
        Ok(Self(caller))
    }
}

/// The job in the path.
pub(crate) struct JobInPath(pub(crate) JobId);

impl<S: Send + Sync> FromRequestParts<S> for JobInPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Ok(Self(segment(parts, state).await.parse()?))
    }
}

/// The run in the path.
pub(crate) struct RunInPath(pub(crate) RunId);

impl<S: Send + Sync> FromRequestParts<S> for RunInPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        Ok(Self(segment(parts, state).await.parse()?))
    }
}

/// The path's one variable part; nothing, which is no id, when it is not UTF-8.
pub(crate) async fn segment<S: Send + Sync>(parts: &mut Parts, state: &S) -> String {
    let path = Path::<String>::from_request_parts(parts, state).await;
    path.map_or_else(|_| String::new(), |Path(text)| text)
}

/// The query, all of whose keys are known.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Failure::new("request/bad-query", rejection.body_text())),
        }
    }
}

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let found = media_type(request.headers()).to_owned();
        if found != "application/json" {
            return Err(Failure::new(
                "request/unsupported-media-type",
                format!("the body must be application/json, not `{found}`"),
            ));
        }
        let bytes = small_body(request.into_body()).await?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Failure::new("request/bad-body", error.to_string()))?;
        Ok(Self(value))
    }
}

async fn small_body(body: Body) -> Result<Bytes, Failure> {
    let too_large = || {
        Failure::new(
            "request/too-large",
            format!("the body is larger than {BODY_BYTES_MAX} bytes"),
        )
    };
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let whole = Limited::new(body, BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, whole).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Failure::new("request/bad-body", error.to_string())),
        Err(_) => Err(Failure::new(
            "request/timeout",
            "the body did not arrive in time",
        )),
    }
}

/// The content type without its parameters, in lower case; empty where there is none.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence
        .trim()
        .chars()
        .take(100)
        .collect::<String>()
        .to_ascii_lowercase()
}

/// A key that makes a creation count once within a day, with a digest of what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestKey {
    pub(crate) key: String,
    pub(crate) digest: [u8; 32],
}

impl RequestKey {
    /// The request's key, if it has one. `content` stands for the body: its hash, or its bytes.
    pub(crate) fn of(parts: &Parts, content: &[u8]) -> Result<Option<Self>, Failure> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(None);
        };
        let key = value.to_str().ok().filter(|key| {
            (1..=KEY_BYTES_MAX).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_graphic())
        });
        let Some(key) = key else {
            return Err(Failure::new(
                "request/bad-key",
                "the idempotency key cannot be read",
            ));
        };
        let mut digest = Sha256::new();
        let target = parts
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        // Lengths first: no two requests run into one text.
        for part in [parts.method.as_str().as_bytes(), target.as_bytes(), content] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Ok(Some(Self {
            key: key.to_owned(),
            digest: digest.finalize().into(),
        }))
    }
}

/// `If-Match`: the revision that the asker saw. `None`: whatever it is.
pub(crate) struct IfMatch(pub(crate) Option<Revision>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self(None));
        };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        match text.trim_matches('"').parse() {
            Ok(revision) => Ok(Self(Some(Revision(revision)))),
            // What is no revision matches none.
            Err(_) => Err(Failure::new(
                "job/conflict",
                "`If-Match` names no revision of a job",
            )),
        }
    }
}

/// How many entries a list is to have.
pub(crate) fn limit(asked: Option<u32>) -> Result<usize, Failure> {
    let limit = asked.unwrap_or(LIMIT_DEFAULT);
    match usize::try_from(limit) {
        Ok(size) if (1..=LIMIT_MAX).contains(&limit) => Ok(size),
        _ => Err(Failure::new(
            "request/bad-query",
            format!("`limit` must be 1 to {LIMIT_MAX}"),
        )),
    }
}
