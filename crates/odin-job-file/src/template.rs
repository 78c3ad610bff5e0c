//! The files that `odin generate` makes: they deploy and run once name, description and schedule are filled in.

use odin_model::JobId;

use crate::language::Language;

/// A job file and its code, to be written beside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The text of the job file.
    pub job_file: String,
    /// The name of the code file.
    pub code_name: String,
    /// The text of the code file.
    pub code: &'static str,
    /// Whether the code file is meant to be executable.
    pub mode: crate::bundle::Mode,
}

/// Makes the files of a new job; `stem` is the job file's name without its ending.
///
/// For a name that is given as text, [`Language::parse`] says why it is refused.
#[must_use]
pub fn template(language: Language, stem: &str, id: JobId) -> Template {
    let code_name = format!("{stem}.{}", language.extension());
    Template {
        job_file: job_file(language, &code_name, id),
        code_name,
        code: code(language),
        mode: match language {
            Language::Bash | Language::Sh => crate::bundle::Mode::Executable,
            Language::Python | Language::Python3 | Language::Node | Language::Go => {
                crate::bundle::Mode::Plain
            }
        },
    }
}

fn job_file(language: Language, code_name: &str, id: JobId) -> String {
    let name = language.name();
    let code_name = code_name.replace('\'', "''");
    format!(
        "\
provider:
  name: 'odin'
  version: '2.0.0'
job:
  # What the server knows the job by. Keep it: deploying a file with the same id makes a new version.
  id: '{id}'
  # Fill in the next three lines, then: odin deploy -f <this file>
  name: ''
  description: ''
  # For example: every weekday at 09:00    every 15 minutes    every Monday and Friday at 18:30    0 9 * * 1-5
  # `odin schedule next \"every weekday at 09:00\"` shows what a schedule means.
  schedule: ''
  language: '{name}'
  file: '{code_name}'
  # All that follows has a default; take the `#` away from what you need.
  # timezone: Europe/Dublin
  # args: [--fast]
  # env: {{REGION: eu}}
  # files: [lib]
  # timeout: 10m
  # concurrency: forbid
  # retries: 3
  # missed: once
  # grace: 1m
"
    )
}

fn code(language: Language) -> &'static str {
    match language {
        Language::Python | Language::Python3 => PYTHON,
        Language::Node => NODE,
        Language::Bash => BASH,
        Language::Sh => SH,
        Language::Go => GO,
    }
}

const PYTHON: &str = r#"import os


def main():
    due_at = os.environ.get("ODIN_DUE_AT", "no due time")
    print(f"Hello from Odin, due at {due_at}")


if __name__ == "__main__":
    main()
"#;

const NODE: &str = r#"function main() {
  const dueAt = process.env.ODIN_DUE_AT ?? "no due time";
  console.log(`Hello from Odin, due at ${dueAt}`);
}

main();
"#;

const BASH: &str = r#"#!/usr/bin/env bash
set -euo pipefail

echo "Hello from Odin, due at ${ODIN_DUE_AT:-no due time}"
"#;

const SH: &str = r#"#!/bin/sh
set -eu

echo "Hello from Odin, due at ${ODIN_DUE_AT:-no due time}"
"#;

const GO: &str = r#"package main

import (
	"fmt"
	"os"
)

func main() {
	dueAt, found := os.LookupEnv("ODIN_DUE_AT")
	if !found {
		dueAt = "no due time"
	}
	fmt.Println("Hello from Odin, due at", dueAt)
}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{Defaults, read};

    #[test]
    fn what_is_generated_deploys_once_its_blanks_are_filled() {
        for language in Language::ALL {
            for stem in ["report", "it's", "naïve job"] {
                let made = template(language, stem, JobId::from_bits(0xa37b_187f_5930));
                let mistakes = read(&made.job_file, &Defaults::default()).unwrap_err();
                let missing: Vec<&str> = mistakes
                    .list()
                    .iter()
                    .map(|it| it.message.as_str())
                    .collect();
                assert_eq!(missing, ["`name` is missing", "`schedule` is missing"]);

                let filled = made
                    .job_file
                    .replace("name: ''", "name: 'report'")
                    .replace("schedule: ''", "schedule: 'every weekday at 09:00'");
                let file = read(&filled, &Defaults::default()).unwrap();
                assert_eq!(file.id.unwrap().to_string(), "a37b187f5930");
                assert_eq!(file.program.language(), language.name());
                assert_eq!(file.program.file(), Some(made.code_name.as_str()));

                // What stands behind `#` is right too.
                let all = filled.lines().map(|line| match line.strip_prefix("  # ") {
                    Some(key)
                        if key
                            .split(':')
                            .next()
                            .is_some_and(|key| key.chars().all(char::is_lowercase)) =>
                    {
                        format!("  {key}\n")
                    }
                    _ => format!("{line}\n"),
                });
                let file = read(&all.collect::<String>(), &Defaults::default()).unwrap();
                assert_eq!(file.timeouts.run, Some(std::time::Duration::from_secs(600)));
            }
        }
    }
}
