//! What can be written on the command line.

use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str = "usage: odin-torture torture [--minutes N] [--seed S] [--odin PATH]\n       \
                     odin-torture soak [--minutes N] [--odin PATH]\n       \
                     odin-torture bench [--quick] [--only NAME] [--jobs N] [--odin PATH]";

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Torture,
    Soak,
    Bench,
    /// What the bench of values runs as a job: report so many and end.
    ReportValues(u64),
}

/// The command line, read.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    /// How long to torture or to soak.
    pub(crate) length: Duration,
    /// What the faults are drawn from.
    pub(crate) seed: u64,
    /// Small figures, to see that they can be made.
    pub(crate) quick: bool,
    /// One figure instead of all.
    pub(crate) only: Option<String>,
    /// How many jobs the large server of `idle` has.
    pub(crate) jobs: Option<u64>,
    /// The program.
    pub(crate) odin: PathBuf,
}

impl Arguments {
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let command = match given.next().as_deref() {
            Some("torture") => Command::Torture,
            Some("soak") => Command::Soak,
            Some("bench") => Command::Bench,
            Some("report-values") => {
                let count = given.next().and_then(|count| count.parse().ok());
                Command::ReportValues(count.ok_or_else(|| USAGE.to_owned())?)
            }
            _ => return Err(USAGE.to_owned()),
        };
        let beside = std::env::current_exe()
            .map_err(|error| error.to_string())?
            .with_file_name("odin");
        let mut arguments = Self {
            command,
            length: Duration::from_secs(60),
            seed: 1,
            quick: false,
            only: None,
            jobs: None,
            odin: beside,
        };
        while let Some(flag) = given.next() {
            if flag == "--quick" {
                arguments.quick = true;
                continue;
            }
            let value = given
                .next()
                .ok_or_else(|| format!("{flag} needs a value\n{USAGE}"))?;
            let number = || {
                value
                    .parse::<f64>()
                    .map_err(|_| format!("`{value}` is not a number\n{USAGE}"))
            };
            match flag.as_str() {
                "--minutes" => {
                    arguments.length = Duration::try_from_secs_f64(number()? * 60.0)
                        .map_err(|error| error.to_string())?;
                }
                "--seed" => {
                    arguments.seed = value
                        .parse()
                        .map_err(|_| format!("`{value}` is not a seed\n{USAGE}"))?;
                }
                "--jobs" => {
                    let jobs = value.parse();
                    let jobs =
                        jobs.map_err(|_| format!("`{value}` is not a number of jobs\n{USAGE}"))?;
                    arguments.jobs = Some(jobs);
                }
                "--only" => arguments.only = Some(value),
                "--odin" => arguments.odin = value.into(),
                _ => return Err(format!("`{flag}` is not known\n{USAGE}")),
            }
        }
        let reports = matches!(arguments.command, Command::ReportValues(_));
        if !reports && !arguments.odin.exists() {
            return Err(format!(
                "{} is not there: build it with cargo build --release -p odin",
                arguments.odin.display()
            ));
        }
        Ok(arguments)
    }
}
