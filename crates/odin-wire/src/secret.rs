//! Secrets: everything but their values, which go in and never come out.

use jiff::Timestamp;
use odin_model::JobId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Mistake;

/// The content type of a secret's value: bytes as they are.
pub const SECRET_CONTENT_TYPE: &str = "application/octet-stream";

/// A secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Secret {
    /// Its name, unique per owner, and that of the variable by which jobs get it.
    #[schema(example = "API_KEY")]
    pub name: String,
    /// The owner's user name.
    pub owner: String,
    /// When it got its value: the leader's wall clock.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
    /// Whose jobs may use it beside the owner's: user names. To others than its owner and admins, only themselves.
    pub shared_with: Vec<String>,
    /// Deployed jobs that use it and that the asker may see: the first ten by name.
    pub used_by: Vec<SecretUser>,
    /// How many deployed jobs use it.
    pub used_by_count: u64,
    /// After a change: what may surprise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Mistake>,
}

/// A job that uses a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretUser {
    /// The job.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, example = "a37b187f5930")]
    pub id: JobId,
    /// Its name.
    pub name: String,
}

/// Secrets, by owner and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretList {
    /// The secrets.
    pub secrets: Vec<Secret>,
    /// What to send as `after` for more. `null`: this is all.
    pub next: Option<String>,
}

/// What `GET /secrets` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SecretsQuery {
    /// How many, 1 to 1000. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only secrets after this one: an earlier answer's `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Which secret a request means.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct SecretOwnerQuery {
    /// The owner's user name; another than the asker's takes an admin. Default: the asker's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Which secret is to be taken away, and from whom.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct TakeSecretQuery {
    /// The owner's user name; another than the asker's takes an admin. Default: the asker's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Even while jobs use it: their next runs end as `not_startable`.
    pub force: bool,
}
