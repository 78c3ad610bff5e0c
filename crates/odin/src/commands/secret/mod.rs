//! `odin secret`.

mod list;
mod value;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use odin_model::SecretName;
use odin_wire::{SecretOwnerQuery, TakeSecretQuery};
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::report;

/// `odin secret`.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Give a secret a value: from the terminal, which does not show it, from a pipe or from a file
    Set(SetArgs),
    /// List secrets; their values are never shown
    #[command(visible_alias = "ls")]
    List,
    /// Remove a secret
    #[command(visible_alias = "rm")]
    Remove(RemoveArgs),
    /// Let another user's jobs use a secret; takes an admin
    Share(ShareArgs),
    /// End that; takes an admin
    Unshare(UnshareArgs),
}

/// A secret.
#[derive(Debug, Args)]
pub(crate) struct SecretArg {
    /// The secret's name, and that of the variable by which jobs get it
    #[arg(value_name = "NAME")]
    name: String,
    /// Whose secret it is; another's takes an admin [default: yours]
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
}

/// `odin secret set`.
#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    secret: SecretArg,
    /// Take the value from this file, byte by byte; of what is typed or piped, one line end at its end is left out
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
}

/// `odin secret remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    secret: SecretArg,
    /// Even while jobs use it: their next runs end as not_startable
    #[arg(long)]
    force: bool,
}

/// `odin secret share`.
#[derive(Debug, Args)]
pub(crate) struct ShareArgs {
    #[command(flatten)]
    secret: SecretArg,
    /// Whose jobs may use it
    #[arg(long, value_name = "USER")]
    with: String,
}

/// `odin secret unshare`.
#[derive(Debug, Args)]
pub(crate) struct UnshareArgs {
    #[command(flatten)]
    share: ShareArgs,
    /// Even while jobs of that user use it: their next runs end as not_startable
    #[arg(long)]
    force: bool,
}

/// What `--json` prints of what is gone.
#[derive(Debug, Serialize)]
struct Gone<'a> {
    name: &'a str,
    state: &'static str,
}

/// Runs a subcommand.
pub(crate) async fn run(command: &SecretCommand, context: &Context) -> Result<(), CliError> {
    match command {
        SecretCommand::Set(args) => set(args, context).await,
        SecretCommand::List => list::run(context).await,
        SecretCommand::Remove(args) => remove(args, context).await,
        SecretCommand::Share(args) => share(args, context).await,
        SecretCommand::Unshare(args) => unshare(args, context).await,
    }
}

impl SecretArg {
    /// The name, checked before a value is asked for.
    fn name(&self) -> Result<SecretName, CliError> {
        SecretName::parse(&self.name).map_err(|error| {
            CliError::refused("secret/bad-name", error.to_string())
                .with_help("Use letters, digits and `_`, as for a variable: API_KEY.")
        })
    }

    fn owner(&self) -> SecretOwnerQuery {
        SecretOwnerQuery {
            owner: self.owner.clone(),
        }
    }

    fn take(&self, force: bool) -> TakeSecretQuery {
        TakeSecretQuery {
            owner: self.owner.clone(),
            force,
        }
    }
}

async fn set(args: &SetArgs, context: &Context) -> Result<(), CliError> {
    let name = args.secret.name()?;
    let client = context.client().await?;
    let value = value::read(&name, args.from_file.as_deref())?;
    let secret = client
        .set_secret(&name, &args.secret.owner(), value)
        .await?;
    if context.json() {
        return context.print_json(&secret);
    }
    report::warn(&secret.warnings, None);
    context.print_line(&format!("Secret {name} is set"))
}

async fn remove(args: &RemoveArgs, context: &Context) -> Result<(), CliError> {
    let name = args.secret.name()?;
    let client = context.client().await?;
    let query = args.secret.take(args.force);
    client.remove_secret(&name, &query).await?;
    gone(
        context,
        &name,
        "removed",
        &format!("Secret {name} is removed"),
    )
}

async fn share(args: &ShareArgs, context: &Context) -> Result<(), CliError> {
    let name = args.secret.name()?;
    let client = context.client().await?;
    let secret = client
        .share_secret(&name, &args.with, &args.secret.owner())
        .await?;
    if context.json() {
        return context.print_json(&secret);
    }
    context.print_line(&format!("Jobs of {} may use secret {name}", args.with))
}

async fn unshare(args: &UnshareArgs, context: &Context) -> Result<(), CliError> {
    let ShareArgs { secret, with } = &args.share;
    let name = secret.name()?;
    let client = context.client().await?;
    client
        .unshare_secret(&name, with, &secret.take(args.force))
        .await?;
    let words = format!("Jobs of {with} may no longer use secret {name}");
    gone(context, &name, "unshared", &words)
}

fn gone(
    context: &Context,
    name: &SecretName,
    state: &'static str,
    words: &str,
) -> Result<(), CliError> {
    if context.json() {
        let name = name.as_str();
        return context.print_json(&Gone { name, state });
    }
    context.print_line(words)
}
