//! The odin command: server, executor and command line in one.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arguments;
mod clock_change;
mod commands;
mod conflict;
mod context;
mod demo;
mod deployment;
mod due_list;
mod error;
mod file_diff;
mod go_build;
mod job_schedule;
mod local_day;
mod log_line;
mod month_grid;
mod outlook;
mod own_codes;
mod patience;
mod report;
mod run_output;
mod run_reason;
mod selection;
mod server_choice;
mod settings_diff;
mod statistics_line;
mod table;
mod terminal;
mod times;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Cli;
use crate::error::CliError;
use crate::report::Form;

fn main() -> ExitCode {
    let arguments = commands::reporting::taken_as_they_are(std::env::args_os());
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return arguments_refused(&error),
    };
    let form = if cli.everywhere.json {
        Form::Json
    } else {
        Form::Drawn
    };
    match commands::dispatch(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => ExitCode::from(report::tell(error, form).code()),
    }
}

/// Help and the version end with 0, refused arguments with 2. A reader that went away is nobody's mistake.
fn arguments_refused(error: &clap::Error) -> ExitCode {
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if !error.use_stderr() || !wants_json {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.render().to_string();
    let (message, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let refused = CliError::refused("cli/usage", message).with_help(rest.trim());
    ExitCode::from(report::tell(refused, Form::Json).code())
}
