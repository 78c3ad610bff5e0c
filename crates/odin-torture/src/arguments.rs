//! What can be written on the command line.

use std::path::PathBuf;
use std::time::Duration;

const USAGE: &str = "usage: odin-torture torture [--minutes N] [--seed S] [--odin PATH]\n       \
                     odin-torture soak [--minutes N] [--odin PATH]\n       \
                     odin-torture bench [--quick] [--only NAME] [--odin PATH]";

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Torture,
    Soak,
    Bench,
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
    /// The program.
    pub(crate) odin: PathBuf,
}

impl Arguments {
    pub(crate) fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let command = match given.next().as_deref() {
            Some("torture") => Command::Torture,
            Some("soak") => Command::Soak,
            Some("bench") => Command::Bench,
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
                "--only" => arguments.only = Some(value),
                "--odin" => arguments.odin = value.into(),
                _ => return Err(format!("`{flag}` is not known\n{USAGE}")),
            }
        }
        if !arguments.odin.exists() {
            return Err(format!(
                "{} is not there: build it with cargo build --release -p odin",
                arguments.odin.display()
            ));
        }
        Ok(arguments)
    }
}
