//! Secrets: set, listed, removed, shared. A value goes in and is sealed before anything else is done with it.

use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use odin_model::owner::Role;
use odin_model::secret::{
    MASKED_BYTES_MIN, SecretChange, SecretRefusal, SecretUsers, SecretValueError,
};
use odin_model::{Command, Owner, Principal, Refusal, SecretName, SecretValue};
use odin_store::{SecretEntry, SecretsAfter};
use odin_wire as wire;
use odin_wire::{
    Mistake, Problem, SECRET_CONTENT_TYPE, SecretList, SecretOwnerQuery, SecretUser, SecretsQuery,
    TakeSecretQuery,
};
use zeroize::Zeroize;

use crate::api::Api;
use crate::backend::SealError;
use crate::extract::{Admin, Caller, Params, limit, media_type};
use crate::failure::Failure;
use crate::in_path::{InPath, Named};

/// How long a value may take to arrive.
const VALUE_TIMEOUT: Duration = Duration::from_secs(10);

/// The secret in the path, and the user that it is shared with.
pub(crate) struct ShareInPath(SecretName, String);

impl<S: Send + Sync> FromRequestParts<S> for ShareInPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (name, user) = path.map_or_else(|_| Default::default(), |Path(both)| both);
        Ok(Self(SecretName::named(&name)?, user))
    }
}

/// Lists the secrets that the asker's jobs may use, or all to an admin. Never their values.
#[utoipa::path(get, path = "/api/v1/secrets", tag = "secrets", operation_id = "list_secrets",
    params(SecretsQuery),
    responses((status = 200, body = SecretList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<SecretsQuery>,
) -> Result<Json<SecretList>, Failure> {
    let limit = limit(query.limit)?;
    let after = query.after.as_deref().map(parse_after).transpose()?;
    let user = (caller.role != Role::Admin).then(|| caller.user.clone());
    let page = api
        .read(move |reader| reader.secrets(user.as_ref(), after.as_ref(), limit))
        .await?;
    let next = page
        .next
        .map(|SecretsAfter { owner, name }| format!("{}:{name}:{}", owner.uid, owner.user));
    let secrets = page.secrets.into_iter().map(|it| to_wire(it, &caller));
    Ok(Json(SecretList {
        secrets: secrets.collect(),
        next,
    }))
}

fn parse_after(text: &str) -> Result<SecretsAfter, Failure> {
    let mut parts = text.splitn(3, ':');
    let (uid, name, user) = (parts.next(), parts.next(), parts.next());
    match (uid.and_then(|uid| uid.parse().ok()), name, user) {
        (Some(uid), Some(name), Some(user)) => Ok(SecretsAfter {
            owner: Owner {
                user: user.to_owned(),
                uid,
            },
            name: name.to_owned(),
        }),
        _ => Err(Failure::new(
            "request/bad-query",
            "`after` is no earlier answer's `next`",
        )),
    }
}

fn to_wire(entry: SecretEntry, caller: &Principal) -> wire::Secret {
    let sees_all = caller.may_see(&entry.owner);
    let shared_with = entry.shared_with.into_iter();
    let used_by = entry.used_by.into_iter().map(|(id, name)| SecretUser {
        id,
        name: name.to_string(),
    });
    wire::Secret {
        name: entry.name.to_string(),
        owner: entry.owner.user,
        set_at: entry.set_at,
        shared_with: shared_with
            .filter(|user| sees_all || *user == caller.user)
            .map(|user| user.user)
            .collect(),
        used_by: used_by.collect(),
        used_by_count: entry.used_by_count,
        warnings: Vec::new(),
    }
}

/// Gives a secret a value, new or not: the body's bytes. The next run that needs it gets the new one.
#[utoipa::path(put, path = "/api/v1/secrets/{name}", tag = "secrets", operation_id = "set_secret",
    params(("name" = String, Path, description = "the secret's name"), SecretOwnerQuery),
    request_body(content = crate::openapi::Archive, content_type = "application/octet-stream", description = "the value: 1 to 65,536 bytes"),
    responses((status = 200, body = wire::Secret), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn set(
    State(api): State<Api>,
    Caller(caller): Caller,
    InPath(name): InPath<SecretName>,
    Params(query): Params<SecretOwnerQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<wire::Secret>, Failure> {
    let owner = owner(&api, &caller, query.owner.as_deref()).await?;
    need_owner_here(&api, &owner)?;
    let found = media_type(&headers);
    if found != SECRET_CONTENT_TYPE {
        return Err(Failure::new(
            "request/unsupported-media-type",
            format!("the body must be {SECRET_CONTENT_TYPE}, not `{found}`"),
        ));
    }
    let value = receive(body).await?;
    let sealed = api.backend().seal(&owner, &name, &value)?;
    let warnings = (!value.is_masked()).then(|| Mistake {
        code: "secret/not-masked".to_owned(),
        message: format!(
            "`{name}` is shorter than {MASKED_BYTES_MIN} bytes: it is not masked in what jobs print"
        ),
        ..Mistake::default()
    });
    drop(value);
    let change = SecretChange::Set {
        by: caller.clone(),
        owner: owner.clone(),
        name: name.clone(),
        sealed,
        at: api.backend().clock().wall(),
    };
    propose(&api, &caller, change).await?;
    tracing::info!(by = caller.user.user, owner = owner.user, %name, "a secret was set");
    let mut secret = one(&api, &caller, &owner, &name).await?;
    secret.warnings.extend(warnings);
    Ok(Json(secret))
}

/// Removes a secret and all its shares. Refused while a deployed job uses it, unless forced.
#[utoipa::path(delete, path = "/api/v1/secrets/{name}", tag = "secrets", operation_id = "remove_secret",
    params(("name" = String, Path, description = "the secret's name"), TakeSecretQuery),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Caller(caller): Caller,
    InPath(name): InPath<SecretName>,
    Params(query): Params<TakeSecretQuery>,
) -> Result<StatusCode, Failure> {
    let owner = owner(&api, &caller, query.owner.as_deref()).await?;
    let change = SecretChange::Remove {
        by: caller.clone(),
        owner: owner.clone(),
        name: name.clone(),
        users: users(&query),
    };
    propose(&api, &caller, change).await?;
    tracing::info!(by = caller.user.user, owner = owner.user, %name, "a secret was removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Lets another user's jobs use a secret, by its name. Takes an admin.
#[utoipa::path(put, path = "/api/v1/secrets/{name}/shares/{user}", tag = "secrets", operation_id = "share_secret",
    params(("name" = String, Path, description = "the secret's name"), ("user" = String, Path, description = "whose jobs may use it"), SecretOwnerQuery),
    responses((status = 200, body = wire::Secret), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn share(
    State(api): State<Api>,
    Admin(caller): Admin,
    ShareInPath(name, user): ShareInPath,
    Params(query): Params<SecretOwnerQuery>,
) -> Result<Json<wire::Secret>, Failure> {
    let owner = owner(&api, &caller, query.owner.as_deref()).await?;
    let with = user_named(&api, &user).await?;
    let change = SecretChange::Share {
        by: caller.clone(),
        owner: owner.clone(),
        name: name.clone(),
        with,
        at: api.backend().clock().wall(),
    };
    propose(&api, &caller, change).await?;
    tracing::info!(by = caller.user.user, owner = owner.user, %name, with = user, "a secret was shared");
    one(&api, &caller, &owner, &name).await.map(Json)
}

/// Ends that. Refused while one of the user's deployed jobs uses the secret, unless forced. Takes an admin.
#[utoipa::path(delete, path = "/api/v1/secrets/{name}/shares/{user}", tag = "secrets", operation_id = "unshare_secret",
    params(("name" = String, Path, description = "the secret's name"), ("user" = String, Path, description = "whose jobs may no longer use it"), TakeSecretQuery),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn unshare(
    State(api): State<Api>,
    Admin(caller): Admin,
    ShareInPath(name, user): ShareInPath,
    Params(query): Params<TakeSecretQuery>,
) -> Result<StatusCode, Failure> {
    let owner = owner(&api, &caller, query.owner.as_deref()).await?;
    let with = user_named(&api, &user).await?;
    let change = SecretChange::Unshare {
        by: caller.clone(),
        owner: owner.clone(),
        name: name.clone(),
        with,
        users: users(&query),
    };
    propose(&api, &caller, change).await?;
    tracing::info!(by = caller.user.user, owner = owner.user, %name, with = user, "a secret is shared no longer");
    Ok(StatusCode::NO_CONTENT)
}

fn users(query: &TakeSecretQuery) -> SecretUsers {
    match query.force {
        true => SecretUsers::Ignore,
        false => SecretUsers::Protect,
    }
}

async fn propose(api: &Api, caller: &Principal, change: SecretChange) -> Result<(), Failure> {
    let command = Command::Secret(Box::new(change));
    api.propose(caller, None, command).await.map(|_| ())
}

/// Whose secret is meant: the asker's own unless an admin names somebody.
async fn owner(api: &Api, caller: &Principal, named: Option<&str>) -> Result<Owner, Failure> {
    match named {
        None => Ok(caller.user.clone()),
        Some(name) if name == caller.user.user => Ok(caller.user.clone()),
        Some(name) => {
            caller.need(Role::Admin)?;
            user_named(api, name).await
        }
    }
}

async fn user_named(api: &Api, name: &str) -> Result<Owner, Failure> {
    let asked = name.to_owned();
    let found = api
        .blocking(move |backend| backend.user_named(&asked))
        .await?;
    match found {
        Some(user) => Ok(Owner {
            user: user.name,
            uid: user.uid,
        }),
        None => {
            let shown: String = name.chars().take(100).collect();
            Err(Failure::new(
                "secret/no-such-user",
                format!("the server's machine has no user `{shown}`"),
            ))
        }
    }
}

/// A server that is not root runs nobody else's jobs: a secret of others would be of no use to anyone.
fn need_owner_here(api: &Api, owner: &Owner) -> Result<(), Failure> {
    let server = api.backend().server_user();
    if server.uid == 0 || owner.uid == server.uid {
        return Ok(());
    }
    Err(Failure::new(
        "auth/not-root",
        format!(
            "this server runs as {}, so only that user's jobs have secrets",
            server.user
        ),
    ))
}

async fn one(
    api: &Api,
    caller: &Principal,
    owner: &Owner,
    name: &SecretName,
) -> Result<wire::Secret, Failure> {
    let user = (caller.role != Role::Admin).then(|| caller.user.clone());
    let (whose, asked) = (owner.clone(), name.clone());
    let found = api
        .read(move |reader| reader.secret(user.as_ref(), &whose, &asked))
        .await?;
    match found {
        Some(entry) => Ok(to_wire(entry, caller)),
        // Somebody was faster.
        None => Err(Refusal::Secret(SecretRefusal::NotFound {
            name: name.clone(),
            owner: owner.user.clone(),
        })
        .into()),
    }
}

/// Reads a value. What it arrived in is overwritten where nobody else holds it.
async fn receive(body: Body) -> Result<SecretValue, Failure> {
    let wrong = |error: SecretValueError| Failure::new("secret/bad-value", error.to_string());
    let too_long = |bytes: usize| wrong(SecretValueError { bytes });
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > SecretValue::BYTES_MAX {
        return Err(too_long(announced));
    }
    let whole = Limited::new(body, SecretValue::BYTES_MAX).collect();
    let bytes: Bytes = match tokio::time::timeout(VALUE_TIMEOUT, whole).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(too_long(SecretValue::BYTES_MAX + 1));
        }
        Ok(Err(error)) => return Err(Failure::new("request/bad-body", error.to_string())),
        Err(_) => {
            return Err(Failure::new(
                "request/timeout",
                "the body did not arrive in time",
            ));
        }
    };
    let value = SecretValue::new(bytes.to_vec()).map_err(wrong);
    if let Ok(mut bytes) = bytes.try_into_mut() {
        bytes.zeroize();
    }
    value
}

impl From<SealError> for Failure {
    fn from(error: SealError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
