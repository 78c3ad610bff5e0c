//! `odin notify channel`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use odin_wire::{Channel, ChannelList, Quiet, RemoveChannelQuery, SetChannel, Target};

use super::ChannelArg;
use crate::context::Context;
use crate::error::CliError;
use crate::table::{Cell, Column, render};
use crate::terminal;
use crate::times::parse_duration;

/// `odin notify channel`.
#[derive(Debug, Subcommand)]
pub(crate) enum ChannelCommand {
    /// Set a channel up, or change it; takes an admin
    Set(Box<SetArgs>),
    /// List the channels
    #[command(visible_alias = "ls")]
    List,
    /// Remove a channel and what waits for it; takes an admin
    #[command(visible_alias = "rm")]
    Remove(RemoveArgs),
}

/// `odin notify channel set`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("target").required(true).args(["email", "webhook", "command"]))]
pub(crate) struct SetArgs {
    #[command(flatten)]
    channel: ChannelArg,
    /// Mail to this address; may be given several times
    #[arg(long, value_name = "ADDRESS", requires_all = ["smtp", "from"])]
    email: Vec<String>,
    /// Whom mail is from
    #[arg(long, value_name = "ADDRESS", requires = "email")]
    from: Option<String>,
    /// The mail server: smtp://[USER@]HOST[:PORT] (STARTTLS), smtps://… (TLS) or smtp+plain://… (neither)
    #[arg(long, value_name = "URL", requires = "email")]
    smtp: Option<String>,
    /// A POST to this address
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// The secret of yours that holds the mail server's password, or that signs the webhook
    #[arg(long, value_name = "NAME", conflicts_with = "command")]
    secret: Option<String>,
    /// A line for /bin/sh, run as the job's owner; the message is in message.json and message.txt
    #[arg(long, value_name = "LINE")]
    command: Option<String>,
    /// Hours in which word waits, such as 22:00-07:00; it comes as one message at their end
    #[arg(long, value_name = "FROM-TO")]
    quiet: Option<String>,
    /// The IANA zone of the quiet hours
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "quiet")]
    timezone: String,
    /// Kinds of alerts that do not wait, such as failure,node_down
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    urgent: Vec<String>,
    /// For how long further alerts join the message that the first one began [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    gather: Option<Duration>,
    /// Also take the alerts that are about no job: nodes, disks, the ledger
    #[arg(long)]
    server_alerts: bool,
}

/// `odin notify channel remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    channel: ChannelArg,
    /// Even while jobs name it: their alerts are then only listed
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(command: &ChannelCommand, context: &Context) -> Result<(), CliError> {
    match command {
        ChannelCommand::Set(args) => set(args, context).await,
        ChannelCommand::List => list(context).await,
        ChannelCommand::Remove(args) => remove(args, context).await,
    }
}

fn target(args: &SetArgs) -> Target {
    if let Some(url) = &args.webhook {
        return Target::Webhook {
            url: url.clone(),
            secret: args.secret.clone(),
        };
    }
    if let Some(line) = &args.command {
        let shell = ["/bin/sh", "-c", line];
        return Target::Command {
            command: shell.map(ToOwned::to_owned).to_vec(),
        };
    }
    Target::Email {
        to: args.email.clone(),
        from: args.from.clone().unwrap_or_default(),
        server: args.smtp.clone().unwrap_or_default(),
        secret: args.secret.clone(),
    }
}

async fn set(args: &SetArgs, context: &Context) -> Result<(), CliError> {
    let quiet = match &args.quiet {
        None => None,
        Some(text) => {
            let Some((from, to)) = text.split_once('-') else {
                return Err(
                    CliError::refused("cli/usage", format!("`{text}` are no hours"))
                        .with_help("Write two times of day, such as 22:00-07:00."),
                );
            };
            Some(Quiet {
                from: from.trim().to_owned(),
                to: to.trim().to_owned(),
                timezone: args.timezone.clone(),
            })
        }
    };
    let gather = args.gather.map(|it| u64::try_from(it.as_millis()));
    let body = SetChannel {
        target: target(args),
        quiet,
        urgent: args.urgent.clone(),
        gather_ms: gather.map(|ms| ms.unwrap_or(u64::MAX)),
        server_alerts: args.server_alerts,
    };
    let client = context.client().await?;
    let channel = client.set_channel(&args.channel.name, &body).await?;
    if context.json() {
        return context.print_json(&channel);
    }
    context.print_line(&format!(
        "Channel {name} is set; try it with `odin notify test {name}`",
        name = channel.name
    ))
}

async fn remove(args: &RemoveArgs, context: &Context) -> Result<(), CliError> {
    let name = &args.channel.name;
    let client = context.client().await?;
    let query = RemoveChannelQuery { force: args.force };
    client.remove_channel(name, &query).await?;
    if context.json() {
        return context.print_json(&serde_json::json!({"name": name, "state": "removed"}));
    }
    context.print_line(&format!("Channel {name} is removed"))
}

async fn list(context: &Context) -> Result<(), CliError> {
    let ChannelList { channels, next } = context.client().await?.channels().await?;
    if context.json() {
        return context.print_json(&ChannelList { channels, next });
    }
    context.print(&table(&channels, terminal::stdout_width()))
}

fn table(channels: &[Channel], width: Option<usize>) -> String {
    let columns = [
        Column::fixed("NAME"),
        Column::fixed("KIND"),
        Column::flexible("TARGET", 10),
        Column::flexible("QUIET", 6),
        Column::flexible("SERVER ALERTS", 6),
        Column::flexible("FAILING", 7),
    ];
    let rows: Vec<Vec<Cell>> = channels.iter().map(row).collect();
    render(&columns, &rows, width)
}

fn row(channel: &Channel) -> Vec<Cell> {
    let (kind, place) = match &channel.target {
        Target::Email { to, server, .. } => ("email", format!("{} by {server}", to.join(", "))),
        Target::Webhook { url, .. } => ("webhook", url.clone()),
        Target::Command { command } => match command.as_slice() {
            [shell, flag, line] if shell == "/bin/sh" && flag == "-c" => ("command", line.clone()),
            argv => ("command", argv.join(" ")),
        },
    };
    let is_hidden = place.trim().is_empty() || place.trim() == "by";
    let quiet = channel.quiet.as_ref();
    let quiet = quiet.map(|it| format!("{}-{} {}", it.from, it.to, it.timezone));
    let dash = || Cell::from("-");
    vec![
        (&channel.name).into(),
        kind.into(),
        if is_hidden { dash() } else { place.into() },
        quiet.map_or_else(dash, Cell::from),
        if channel.server_alerts { "yes" } else { "no" }.into(),
        channel.failing.as_deref().map_or_else(dash, Cell::from),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_list_says_where_word_goes_and_what_is_wrong_with_it() {
        let channel = |name: &str, target| Channel {
            name: name.to_owned(),
            target,
            quiet: None,
            urgent: Vec::new(),
            gather_ms: 10_000,
            server_alerts: false,
            owner: "root".to_owned(),
            set_at: "2026-11-21T15:00:00Z".parse().unwrap(),
            failing: None,
        };
        let mail = Channel {
            quiet: Some(Quiet {
                from: "22:00".to_owned(),
                to: "07:00".to_owned(),
                timezone: "Europe/Dublin".to_owned(),
            }),
            server_alerts: true,
            failing: Some("mail:587: Connection refused".to_owned()),
            ..channel(
                "ops",
                Target::Email {
                    to: vec!["ops@example.org".to_owned()],
                    from: "odin@example.org".to_owned(),
                    server: "smtp://mail:587".to_owned(),
                    secret: None,
                },
            )
        };
        let hidden = channel(
            "pager",
            Target::Webhook {
                url: String::new(),
                secret: None,
            },
        );
        expect![[r#"
            NAME   KIND     TARGET                              QUIET                      SERVER ALERTS  FAILING
            ops    email    ops@example.org by smtp://mail:587  22:00-07:00 Europe/Dublin  yes            mail:587: Connection refused
            pager  webhook  -                                   -                          no             -
        "#]]
        .assert_eq(&table(&[mail, hidden], None));
    }
}
