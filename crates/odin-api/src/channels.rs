//! Channels: set up and tried by admins, listed to all who may name them.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::tz::TimeZone;
use odin_model::alert::AlertRefusal;
use odin_model::channel::{
    ADDRESSES_MAX, ChannelChange, ChannelSpec, EmailTarget, MailLogin, QuietHours, Target,
    WebhookTarget,
};
use odin_model::delivery::{Delivery, DeliveryId};
use odin_model::owner::Role;
use odin_model::{ChannelName, Command, HookCommand, Principal, Refusal, SecretName};
use odin_notify::{MailServer, check_address};
use odin_outbound::HttpAddress;
use odin_wire as wire;
use odin_wire::{
    ChannelList, ChannelTest, DeliveriesQuery, DeliveryList, Problem, Quiet, RemoveChannelQuery,
    SetChannel,
};

use crate::alerts::parse_kind;
use crate::api::Api;
use crate::extract::{Admin, Caller, JsonBody, Params, limit};
use crate::failure::Failure;
use crate::in_path::{InPath, Named};

/// How long a command of a channel may be, in bytes.
const COMMAND_BYTES_MAX: usize = 16 * 1024;

/// Lists the channels. What they are is for admins; others see their names and kinds.
#[utoipa::path(get, path = "/api/v1/channels", tag = "alerts", operation_id = "list_channels",
    responses((status = 200, body = ChannelList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Caller(caller): Caller,
) -> Result<Json<ChannelList>, Failure> {
    let found = api.read(|reader| {
        let channels = reader.channels()?;
        let failing: Result<Vec<_>, _> = channels
            .iter()
            .map(|channel| reader.failing_delivery(&channel.name))
            .collect();
        Ok(channels.into_iter().zip(failing?).collect::<Vec<_>>())
    });
    let channels = found.await?;
    let channels = channels
        .iter()
        .map(|(channel, failing)| to_wire(channel, failing.as_ref(), &caller));
    Ok(Json(ChannelList {
        channels: channels.collect(),
        next: None,
    }))
}

async fn one(api: &Api, caller: &Principal, name: &ChannelName) -> Result<wire::Channel, Failure> {
    let asked = name.clone();
    let found = api.read(move |reader| {
        let channel = reader.channel(&asked)?;
        Ok((channel, reader.failing_delivery(&asked)?))
    });
    match found.await? {
        (Some(channel), failing) => Ok(to_wire(&channel, failing.as_ref(), caller)),
        (None, _) => Err(Refusal::Alert(AlertRefusal::NoSuchChannel(name.clone())).into()),
    }
}

fn to_wire(
    channel: &odin_model::channel::Channel,
    failing: Option<&Delivery>,
    caller: &Principal,
) -> wire::Channel {
    let spec = &channel.spec;
    let is_admin = caller.role == Role::Admin;
    let minute = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    wire::Channel {
        name: channel.name.to_string(),
        target: target_to_wire(&spec.target, is_admin),
        quiet: spec.quiet.as_ref().map(|quiet| Quiet {
            from: minute(quiet.from_minute),
            to: minute(quiet.to_minute),
            timezone: quiet.timezone.clone(),
        }),
        urgent: spec.urgent.iter().map(|it| it.word().to_owned()).collect(),
        gather_ms: u64::try_from(spec.gather.as_millis()).unwrap_or(u64::MAX),
        server_alerts: spec.server_alerts,
        owner: channel.owner.user.clone(),
        set_at: channel.set_at,
        failing: failing
            .filter(|_| is_admin)
            .and_then(|delivery| delivery.last.clone()),
    }
}

fn target_to_wire(target: &Target, is_admin: bool) -> wire::Target {
    match target {
        Target::Email(email) if is_admin => {
            let user = email.login.as_ref().map(|login| {
                let user = login.user.replace('@', "%40");
                format!("{user}@")
            });
            let (scheme, port) = (email.security.scheme(), email.port);
            let host = match email.host.contains(':') {
                true => format!("[{}]", email.host),
                false => email.host.clone(),
            };
            wire::Target::Email {
                to: email.to.clone(),
                from: email.from.clone(),
                server: format!("{scheme}://{}{host}:{port}", user.unwrap_or_default()),
                secret: email.login.as_ref().map(|it| it.password.to_string()),
            }
        }
        Target::Email(_) => wire::Target::Email {
            to: Vec::new(),
            from: String::new(),
            server: String::new(),
            secret: None,
        },
        Target::Webhook(webhook) => wire::Target::Webhook {
            // An address can be a secret by itself.
            url: match is_admin {
                true => webhook.url.clone(),
                false => String::new(),
            },
            secret: webhook
                .secret
                .as_ref()
                .filter(|_| is_admin)
                .map(ToString::to_string),
        },
        Target::Command(command) => wire::Target::Command {
            command: match command {
                _ if !is_admin => Vec::new(),
                HookCommand::Argv(argv) => argv.clone(),
                HookCommand::Shell(line) => {
                    vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()]
                }
            },
        },
    }
}

/// Sets a channel up, or changes it; messages that wait go where it says now. Takes an admin.
#[utoipa::path(put, path = "/api/v1/channels/{name}", tag = "alerts", operation_id = "set_channel",
    params(("name" = String, Path, description = "the channel's name")),
    request_body = SetChannel,
    responses((status = 200, body = wire::Channel), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn set(
    State(api): State<Api>,
    Admin(caller): Admin,
    InPath(name): InPath<ChannelName>,
    JsonBody(body): JsonBody<SetChannel>,
) -> Result<Json<wire::Channel>, Failure> {
    let change = ChannelChange::Set {
        by: caller.clone(),
        name: name.clone(),
        spec: spec_of(body)?,
        token: api.backend().draw_bits(),
        at: api.backend().clock().wall(),
    };
    propose(&api, &caller, change).await?;
    tracing::info!(by = caller.user.user, %name, "a channel was set");
    one(&api, &caller, &name).await.map(Json)
}

async fn propose(api: &Api, caller: &Principal, change: ChannelChange) -> Result<(), Failure> {
    let command = Command::Channel(Box::new(change));
    api.propose(caller, None, command).await.map(|_| ())
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new("channel/bad-target", message.into())
}

fn spec_of(body: SetChannel) -> Result<ChannelSpec, Failure> {
    let mut spec = ChannelSpec::new(target_of(body.target)?);
    spec.quiet = body.quiet.map(quiet_of).transpose()?;
    let urgent: Result<Vec<_>, _> = body.urgent.iter().map(|word| parse_kind(word)).collect();
    spec.urgent = urgent?;
    spec.urgent.sort_unstable();
    spec.urgent.dedup();
    if let Some(gather) = body.gather_ms {
        spec.gather = Duration::from_millis(gather);
        if spec.gather > ChannelSpec::GATHER_MAX {
            return Err(bad("alerts are gathered for a day at most"));
        }
    }
    spec.server_alerts = body.server_alerts;
    Ok(spec)
}

fn target_of(target: wire::Target) -> Result<Target, Failure> {
    match target {
        wire::Target::Email {
            to,
            from,
            server,
            secret,
        } => email_of(to, from, &server, secret).map(Target::Email),
        wire::Target::Webhook { url, secret } => {
            HttpAddress::parse(&url)
                .map_err(|error| bad(format!("no webhook can go there: {error}")))?;
            let secret = secret.as_deref().map(SecretName::named).transpose()?;
            Ok(Target::Webhook(WebhookTarget { url, secret }))
        }
        wire::Target::Command { command } => {
            let bytes: usize = command.iter().map(String::len).sum();
            let is_there = command.first().is_some_and(|it| !it.trim().is_empty());
            let holds_null = command.iter().any(|it| it.contains('\0'));
            if !is_there || holds_null || bytes > COMMAND_BYTES_MAX {
                return Err(bad(format!(
                    "a command is a program with its arguments, of at most {COMMAND_BYTES_MAX} bytes"
                )));
            }
            Ok(Target::Command(HookCommand::Argv(command)))
        }
    }
}

fn email_of(
    to: Vec<String>,
    from: String,
    server: &str,
    secret: Option<String>,
) -> Result<EmailTarget, Failure> {
    if to.is_empty() || to.len() > ADDRESSES_MAX {
        return Err(bad(format!("mail goes to 1 to {ADDRESSES_MAX} addresses")));
    }
    for address in to.iter().chain([&from]) {
        check_address(address).map_err(|error| bad(error.to_string()))?;
    }
    let server = MailServer::parse(server).map_err(|error| bad(error.to_string()))?;
    let login = match (server.user, secret) {
        (Some(user), Some(secret)) => Some(MailLogin {
            user,
            password: SecretName::named(&secret)?,
        }),
        (None, None) => None,
        (Some(_), None) => {
            return Err(bad(
                "a user of a mail server needs the secret with the password",
            ));
        }
        (None, Some(_)) => return Err(bad("a password needs its user: smtp://USER@HOST")),
    };
    Ok(EmailTarget {
        to,
        from,
        host: server.host,
        port: server.port,
        security: server.security,
        login,
    })
}

fn quiet_of(quiet: Quiet) -> Result<QuietHours, Failure> {
    let minute = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let times = (minute(&quiet.from), minute(&quiet.to));
    let (Some(from_minute), Some(to_minute)) = times else {
        return Err(bad(
            "quiet hours are two times of day, such as 22:00 and 07:00",
        ));
    };
    if from_minute == to_minute {
        return Err(bad("quiet hours that end when they begin are none"));
    }
    if TimeZone::get(&quiet.timezone).is_err() {
        return Err(Failure::new(
            "schedule/unknown-timezone",
            "the quiet hours' zone is not in the IANA database",
        ));
    }
    Ok(QuietHours {
        from_minute,
        to_minute,
        timezone: quiet.timezone,
    })
}

/// Removes a channel, and what waits for it. Refused while jobs name it, unless forced. Takes an admin.
#[utoipa::path(delete, path = "/api/v1/channels/{name}", tag = "alerts", operation_id = "remove_channel",
    params(("name" = String, Path, description = "the channel's name"), RemoveChannelQuery),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Admin(caller): Admin,
    InPath(name): InPath<ChannelName>,
    Params(query): Params<RemoveChannelQuery>,
) -> Result<StatusCode, Failure> {
    let change = ChannelChange::Remove {
        by: caller.clone(),
        name: name.clone(),
        force: query.force,
    };
    propose(&api, &caller, change).await?;
    tracing::info!(by = caller.user.user, %name, "a channel was removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a message to a channel at once, from this node, and says what happened at each step. Takes an admin.
#[utoipa::path(post, path = "/api/v1/channels/{name}/test", tag = "alerts", operation_id = "test_channel",
    params(("name" = String, Path, description = "the channel's name")),
    responses((status = 200, body = ChannelTest), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn test(
    State(api): State<Api>,
    Admin(caller): Admin,
    InPath(name): InPath<ChannelName>,
) -> Result<Json<ChannelTest>, Failure> {
    let asked = name.clone();
    let channel = api.read(move |reader| reader.channel(&asked)).await?;
    let Some(channel) = channel else {
        return Err(Refusal::Alert(AlertRefusal::NoSuchChannel(name)).into());
    };
    let tried = api.backend().try_channel(channel, caller.user).await;
    Ok(Json(ChannelTest {
        taken: tried.error.is_none(),
        steps: tried.steps,
        error: tried.error,
    }))
}

/// Lists the messages to a channel, the newest first: what waits, what was taken and what was given up. Takes an admin.
#[utoipa::path(get, path = "/api/v1/channels/{name}/deliveries", tag = "alerts", operation_id = "list_deliveries",
    params(("name" = String, Path, description = "the channel's name"), DeliveriesQuery),
    responses((status = 200, body = DeliveryList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn deliveries(
    State(api): State<Api>,
    Admin(_caller): Admin,
    InPath(name): InPath<ChannelName>,
    Params(query): Params<DeliveriesQuery>,
) -> Result<Json<DeliveryList>, Failure> {
    let limit = limit(query.limit)?;
    let before = query.after.as_deref().map(|text| {
        text.parse()
            .map(DeliveryId)
            .map_err(|_| Failure::new("request/bad-query", "`after` is no earlier answer's `next`"))
    });
    let before = before.transpose()?;
    let found = api.read(move |reader| reader.deliveries(Some(&name), before, limit));
    let found = found.await?;
    let next = found.last().filter(|_| found.len() == limit);
    Ok(Json(DeliveryList {
        next: next.map(|last| last.id.0.to_string()),
        deliveries: found.iter().map(wire::Delivery::new).collect(),
    }))
}
