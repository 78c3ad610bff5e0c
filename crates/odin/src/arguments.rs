//! What can be written on the command line. `docs/reference/cli.md` is made from this.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use odin_model::retention::KEEP_DAYS_MAX;

use crate::commands;
use crate::commands::schedule::reading::ZonesArgs;
use crate::times::parse_duration;

/// Orchestrate your jobs for periodic execution.
#[derive(Debug, Parser)]
#[command(
    name = "odin",
    version,
    max_term_width = 100,
    propagate_version = false
)]
#[command(
    disable_help_subcommand = false,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) everywhere: Everywhere,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Everywhere {
    /// Print JSON with stable names; errors as problem+json on stderr
    #[arg(long, global = true, help_heading = "With every command")]
    pub(crate) json: bool,
    /// The node of this machine that listens on this port, such as :3939
    #[arg(
        short,
        long,
        global = true,
        value_name = "PORT",
        help_heading = "With every command"
    )]
    #[arg(conflicts_with = "server")]
    pub(crate) port: Option<String>,
    /// The server: http://HOST:PORT (needs a token) or unix:PATH [env: ODIN_SERVER]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "With every command"
    )]
    pub(crate) server: Option<String>,
    /// The token for a server named by URL; better in the environment [env: ODIN_TOKEN]
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        help_heading = "With every command"
    )]
    pub(crate) token: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node
    Server(ServerArgs),
    /// Run a server in a temporary directory with example jobs, and show what they do
    Demo(DemoArgs),
    /// Make job files to fill in
    #[command(visible_alias = "gen")]
    Generate(commands::generate::GenerateArgs),
    /// Check, bundle and deploy a job; the same job again is a new version
    #[command(visible_aliases = ["dep", "add"])]
    Deploy(commands::deploy::DeployArgs),
    /// List jobs
    #[command(visible_alias = "ls")]
    List,
    /// Show a job in full, or a run with its attempts, its cause and what it started
    #[command(visible_alias = "desc")]
    Describe(JobOrRunArg),
    /// Show a job's state now, or a run's; without one, what all jobs did
    Status(commands::status::StatusArgs),
    /// Change a job's name, description or schedule
    #[command(visible_alias = "mod")]
    Modify(commands::modify::ModifyArgs),
    /// List a job's versions, newest first
    Versions(commands::versions::VersionsArgs),
    /// Show what differs between two versions of a job, or what a deployment would change
    Diff(commands::diff::DiffArgs),
    /// Make a new version of a job that equals an earlier one
    Rollback(commands::rollback::RollbackArgs),
    /// Remove a job
    #[command(visible_alias = "rm")]
    Remove(commands::remove::RemoveArgs),
    /// Stop a job's schedule from counting
    Pause(commands::pause::StateArgs),
    /// Make a paused job's schedule count again
    Resume(commands::pause::StateArgs),
    /// Run a deployed job now
    Run(commands::run::RunArgs),
    /// Run a job file once, without deploying it
    #[command(visible_alias = "exec")]
    Execute(commands::execute::ExecuteArgs),
    /// Run a job file here and now, without a server, and show what it reports
    Test(commands::test::TestArgs),
    /// Let the end of a job's runs start another job
    Link(commands::link::LinkArgs),
    /// Take a link between two jobs away
    Unlink(commands::unlink::UnlinkArgs),
    /// Stop a run
    Cancel(commands::cancel::CancelArgs),
    /// Show the runs of a job or of all jobs, newest first
    Runs(commands::runs::RunsArgs),
    /// Put two runs side by side: what they reported, printed, took and used, and what differs between their versions
    Compare(commands::compare::CompareArgs),
    /// Show what a job's runs reported: the latest value of each name
    Stats(commands::stats::StatsArgs),
    /// Inside a run: report a value
    Watch(commands::reporting::WatchArgs),
    /// Inside a run: report whether something holds; exits with 1 where it does not
    Condition(commands::reporting::ConditionArgs),
    /// Inside a run: report how it went; exits with 1 for a failure
    Result(commands::reporting::ResultArgs),
    /// Show log lines and output of a job's last 20 runs, or of one run
    Log(commands::log::LogArgs),
    /// Say what became of a due time, and why
    Why(commands::why::WhyArgs),
    /// Derive every due time again and prove that the ledger answers each once
    Verify(commands::verify::VerifyArgs),
    /// Start runs for due times that had none
    CatchUp(commands::catch_up::CatchUpArgs),
    /// Write a job's deployed files back into the current directory
    Recover(JobArg),
    /// List alerts, and answer them
    Alerts(commands::alerts::AlertsArgs),
    /// Say where word of alerts goes, and try it
    #[command(subcommand)]
    Notify(commands::notify::NotifyCommand),
    /// Send values and the ends of runs to databases, collectors and files
    #[command(subcommand)]
    Sink(commands::sink::SinkCommand),
    /// Keep values that jobs need and nobody may read
    #[command(subcommand)]
    Secret(commands::secret::SecretCommand),
    /// Look at the nodes
    #[command(subcommand)]
    Nodes(commands::nodes::NodesCommand),
    /// Set and look at calendars: named days, to which schedules refer
    #[command(subcommand)]
    Calendar(commands::calendar::CalendarCommand),
    /// Write all that a server keeps into one file, while it goes on
    Backup(commands::backup::BackupArgs),
    /// Make a data directory from a backup, for a server that is not running
    Restore(commands::restore::RestoreArgs),
    /// Say what this machine and its server can do, and what to mend
    Doctor,
    /// Ask what a schedule means, without a server
    #[command(subcommand)]
    Schedule(commands::schedule::ScheduleCommand),
    /// Print the version
    Version,
    /// Print a completion script for a shell
    Completions(commands::completions::CompletionsArgs),
    /// The parent of all job processes of a node; the server starts it
    #[command(name = "__executor", hide = true)]
    Executor(ExecutorArgs),
    /// Unpacks bundles as their owner; the executor starts it
    #[command(name = "__unpack", hide = true)]
    Unpack,
}

/// A job.
#[derive(Debug, Args)]
pub(crate) struct JobArg {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    pub(crate) id: String,
}

/// A job or a run.
#[derive(Debug, Args)]
pub(crate) struct JobOrRunArg {
    /// A job's id or name, or a run's id
    #[arg(short, long, value_name = "JOB|RUN")]
    pub(crate) id: String,
}

fn size(text: &str) -> Result<u64, String> {
    odin_job_file::parse_size(text).ok_or_else(|| "not a size: write it as `20GiB`".to_owned())
}

fn days_or_period(text: &str) -> Result<Duration, String> {
    let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
    match days {
        Some(days) if (1..=KEEP_DAYS_MAX).contains(&days) => {
            Ok(Duration::from_secs(u64::from(days) * 24 * 60 * 60))
        }
        Some(_) => Err(format!("not 1d to {KEEP_DAYS_MAX}d")),
        None => period(text),
    }
}

fn period(text: &str) -> Result<Duration, String> {
    let period = parse_duration(text)?;
    let is_long_enough = period >= Duration::from_secs(1);
    is_long_enough
        .then_some(period)
        .ok_or_else(|| "less than a second: write `1s` at least".to_owned())
}

/// `odin server`.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The node's name; the first one of a cluster is master-node unless named
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Where everything of the node is [env: ODIN_DATA_DIR] [default: /var/lib/odin for root, else
    /// ~/.local/share/odin]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where HTTP is served; :PORT is 127.0.0.1:PORT, :0 picks one
    #[arg(long, value_name = "ADDR", default_value = ":3939")]
    pub(crate) http: String,
    /// How many runs this node has at once [default: any number]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) slots: Option<u32>,
    /// How much all files of history may take, such as 20GiB; the oldest go first, whoever keeps runs in them
    /// [default: as much as the jobs keep]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) history_bytes: Option<u64>,
    /// Let everyone who can connect to the port read /metrics, without a token
    #[arg(long)]
    pub(crate) metrics_open: bool,
    /// How long finished runs stay in the state before they go into a file of history; a second at least
    /// [default: 1 day]
    #[arg(long, value_name = "TIME", value_parser = period)]
    pub(crate) history_period: Option<Duration>,
    /// How long the ledger keeps what became of due times, such as `100d` or `36h`; a second at least
    /// [default: 400d]
    #[arg(long, value_name = "TIME", value_parser = days_or_period)]
    pub(crate) keep_ledger: Option<Duration>,
    /// Where other nodes reach this one
    #[arg(long, value_name = "ADDR", default_value = RAFT_DEFAULT)]
    pub(crate) raft: String,
    /// How the server writes its own log to stderr
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// What of it is written: from this level up [env: ODIN_LOG, which may be a filter] [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
    /// A node of the cluster to join
    #[arg(long, value_name = "ADDR")]
    pub(crate) join: Option<String>,
    #[command(flatten)]
    pub(crate) zones: ZonesArgs,
}

/// The form of a server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// From which level up a server logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogLevel {
    /// What needs somebody.
    Error,
    /// What may.
    Warn,
    /// What happens, but for what goes as it should a thousand times a day.
    Info,
    /// That, too.
    Debug,
    /// All.
    Trace,
}

impl LogLevel {
    /// The word of a filter.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// Where other nodes reach a node that says nothing else.
pub(crate) const RAFT_DEFAULT: &str = ":12000";

/// `odin demo`.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DemoArgs {
    /// End after this time, with exit code 0 only if every example did its work
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) duration: Option<Duration>,
}

/// `odin __executor`.
#[derive(Debug, Args)]
pub(crate) struct ExecutorArgs {
    /// The node's data directory
    #[arg(long)]
    pub(crate) data_dir: PathBuf,
    /// Which of the data directory's executors this is
    #[arg(long, default_value_t = 1)]
    pub(crate) generation: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    /// A command's help, then its subcommands'; fixed in width, whatever the terminal.
    fn describe(command: &mut clap::Command, path: &str, level: usize, page: &mut String) {
        let heading = "#".repeat(level.min(4));
        let help = command.render_help().to_string();
        let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        *page += &format!(
            "\n{heading} `{path}`\n\n```text\n{}\n```\n",
            lines.join("\n")
        );
        for subcommand in command.get_subcommands_mut() {
            if !subcommand.is_hide_set() && subcommand.get_name() != "help" {
                let path = format!("{path} {}", subcommand.get_name());
                describe(subcommand, &path, level + 1, page);
            }
        }
    }

    /// `UPDATE_EXPECT=1` writes the page again.
    #[test]
    fn the_reference_page_has_every_commands_help() {
        let mut page = String::from(
            "# The command line\n\n\
             Every command with its help, as `odin COMMAND --help` prints it. Exit codes are on a page of their own:\n\
             [exit codes](exit-codes.md). This page is made from the command's own definition in `crates/odin`.\n\
             [Codes of its own errors](#error-codes) are at the end.\n",
        );
        let mut command = Cli::command().term_width(100);
        command.build();
        describe(&mut command, "odin", 2, &mut page);
        page += &crate::own_codes::tests::section();
        expect_test::expect_file!["../../../docs/reference/cli.md"].assert_eq(&page);
    }

    #[test]
    fn every_documented_alias_leads_to_its_command() {
        let command = Cli::command();
        for (alias, name) in [
            ("gen", "generate"),
            ("dep", "deploy"),
            ("add", "deploy"),
            ("ls", "list"),
            ("desc", "describe"),
            ("mod", "modify"),
            ("rm", "remove"),
            ("exec", "execute"),
        ] {
            let found = command.find_subcommand(alias).map(clap::Command::get_name);
            assert_eq!(found, Some(name));
        }
    }
}
