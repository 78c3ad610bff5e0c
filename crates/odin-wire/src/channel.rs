//! Channels, and the messages that go to them.

use jiff::Timestamp;
use odin_model::delivery as model;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Where word of alerts goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// Its name.
    #[schema(example = "ops")]
    pub name: String,
    /// What it is. To others than admins only `kind`.
    pub target: Target,
    /// When word waits. `null`: never.
    pub quiet: Option<Quiet>,
    /// The kinds that do not wait.
    pub urgent: Vec<String>,
    /// For how long further alerts are gathered into the message that the first one began, in milliseconds.
    pub gather_ms: u64,
    /// Whether it gets the alerts that are about no job.
    pub server_alerts: bool,
    /// Who set it up: the secret that it names is theirs.
    pub owner: String,
    /// When it was set up or changed.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
    /// Why its oldest message has not been taken yet. `null`: none was refused.
    pub failing: Option<String>,
}

/// What a channel is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// Mail.
    Email {
        /// Who gets it.
        #[serde(default)]
        to: Vec<String>,
        /// Whom it is from.
        #[serde(default)]
        from: String,
        /// The mail server: `smtp://[user@]host[:port]` (STARTTLS), `smtps://…` (TLS) or `smtp+plain://…` (neither).
        #[serde(default)]
        server: String,
        /// The secret that holds the password, where the server has a user.
        #[serde(default)]
        secret: Option<String>,
    },
    /// An HTTP request.
    Webhook {
        /// Its address.
        #[serde(default)]
        url: String,
        /// The secret that signs it.
        #[serde(default)]
        secret: Option<String>,
    },
    /// A program without a shell.
    Command {
        /// The program and its arguments; one line for a shell is `["/bin/sh", "-c", LINE]`.
        #[serde(default)]
        command: Vec<String>,
    },
}

/// The hours in which a channel is quiet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Quiet {
    /// From when, `HH:MM`.
    #[schema(example = "22:00")]
    pub from: String,
    /// Until when, `HH:MM`; before `from`: on the day after.
    #[schema(example = "07:00")]
    pub to: String,
    /// The IANA zone of both.
    #[schema(example = "Europe/Dublin")]
    pub timezone: String,
}

/// What `PUT /channels/{name}` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetChannel {
    /// What it is.
    pub target: Target,
    /// When word waits.
    #[serde(default)]
    pub quiet: Option<Quiet>,
    /// The kinds that do not wait.
    #[serde(default)]
    pub urgent: Vec<String>,
    /// For how long further alerts are gathered, in milliseconds. Default: 10000.
    #[serde(default)]
    pub gather_ms: Option<u64>,
    /// Whether it gets the alerts that are about no job.
    #[serde(default)]
    pub server_alerts: bool,
}

/// The channels, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelList {
    /// The channels.
    pub channels: Vec<Channel>,
    /// Always `null`: there are at most 200.
    pub next: Option<String>,
}

/// What `DELETE /channels/{name}` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RemoveChannelQuery {
    /// Even while jobs name it: their alerts are then only listed.
    pub force: bool,
}

/// What came of a try of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelTest {
    /// Whether the message was taken.
    pub taken: bool,
    /// What was done, in order.
    pub steps: Vec<String>,
    /// Why it was not taken. `null`: it was.
    pub error: Option<String>,
}

/// A message to a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// Its number.
    pub id: u64,
    /// The channel.
    pub channel: String,
    /// `gathering`, `sending`, `retrying`, `sent` or `given_up`.
    pub state: String,
    /// How many alerts it lists.
    pub alerts: u64,
    /// How many more there were.
    pub more: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// When its first alert came.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// When something is done about it next. `null`: it is settled.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// When it was settled. `null`: it is not.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Timestamp>,
    /// What the last attempt came to. `null`: there was none.
    pub last: Option<String>,
}

impl Delivery {
    /// A message of the replicated state.
    #[must_use]
    pub fn new(delivery: &model::Delivery) -> Self {
        Self {
            id: delivery.id.0,
            channel: delivery.channel.to_string(),
            state: delivery.state.word().to_owned(),
            alerts: delivery.events,
            more: delivery.more,
            attempts: delivery.attempt,
            made_at: delivery.made_at,
            next_at: delivery.next_at,
            settled_at: delivery.settled_at,
            last: delivery.last.clone(),
        }
    }
}

/// Messages, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryList {
    /// The messages.
    pub deliveries: Vec<Delivery>,
    /// What to send as `after` for more. `null`: this is all.
    pub next: Option<String>,
}

/// What `GET /channels/{name}/deliveries` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// How many, 1 to 1000. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only messages after this one: an earlier answer's `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}
