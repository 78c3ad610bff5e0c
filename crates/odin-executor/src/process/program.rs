//! What a launch executes: the paths to try and the arguments.

use std::ffi::CString;
use std::path::PathBuf;

use super::DEFAULT_PATH;
use super::clone::{Failure, Stage};
use odin_model::Program;

use crate::protocol::{Launch, LaunchProgram};

/// A program, resolved as far as that goes without touching a file: the child tries the candidates with the owner's
/// own permissions.
pub(crate) struct Resolved {
    pub(crate) candidates: Vec<CString>,
    pub(crate) argv: Vec<CString>,
    /// What was asked for, and where it is looked for; for the reason when it is not there.
    asked: String,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Interpreter,
    Program,
}

/// A text with a null byte, which no program can be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the program, its arguments or its environment hold a null byte, in `{0}`: remove it from the job file"
)]
pub(crate) struct NullByte(pub(crate) String);

pub(crate) fn c_string(text: impl Into<String>) -> Result<CString, NullByte> {
    CString::new(text.into()).map_err(|error| {
        let bytes = error.into_vec();
        NullByte(
            String::from_utf8_lossy(&bytes)
                .replace('\0', "\\0")
                .chars()
                .take(60)
                .collect(),
        )
    })
}

impl Resolved {
    /// `env` is the job file's.
    pub(crate) fn of(program: &LaunchProgram, env: &[(String, String)]) -> Result<Self, NullByte> {
        let path = env
            .iter()
            .rev()
            .find(|(name, _)| name == "PATH")
            .map(|(_, value)| value.as_str());
        match program {
            LaunchProgram::Interpreted {
                interpreter,
                configured,
                file,
                args,
            } => {
                let mut candidates = configured.clone();
                candidates.extend(look_up(interpreter, path));
                // A name that begins with a dash would be an option to the interpreter.
                let file = if file.starts_with('-') {
                    format!("./{file}")
                } else {
                    file.clone()
                };
                let argv = [interpreter.clone(), file]
                    .into_iter()
                    .chain(args.iter().cloned());
                Self::new(candidates, argv, interpreter, Kind::Interpreter)
            }
            LaunchProgram::Argv(argv) => {
                let program = argv.first().map_or("", String::as_str);
                let mut candidates = look_up(program, path);
                candidates.dedup();
                Self::new(candidates, argv.iter().cloned(), program, Kind::Program)
            }
            LaunchProgram::Shell { line, args } => {
                let fixed = ["/bin/sh", "-c", line, "sh"].map(str::to_owned);
                let argv = fixed.into_iter().chain(args.iter().cloned());
                Self::new(
                    vec!["/bin/sh".to_owned()],
                    argv,
                    "/bin/sh",
                    Kind::Interpreter,
                )
            }
        }
    }

    fn new(
        mut candidates: Vec<String>,
        argv: impl Iterator<Item = String>,
        asked: &str,
        kind: Kind,
    ) -> Result<Self, NullByte> {
        let mut seen = std::collections::HashSet::new();
        candidates.retain(|candidate| seen.insert(candidate.clone()));
        Ok(Self {
            candidates: candidates
                .into_iter()
                .map(c_string)
                .collect::<Result<_, _>>()?,
            argv: argv.map(c_string).collect::<Result<_, _>>()?,
            asked: asked.to_owned(),
            kind,
        })
    }

    /// What a failed launch means, in words, with the next step.
    pub(crate) fn explain(&self, failure: Failure, launch: &Launch) -> String {
        let error = std::io::Error::from_raw_os_error(failure.errno);
        let owner = &launch.owner.user;
        match failure.stage {
            Stage::Execute => self.explain_execute(failure, owner),
            Stage::Directory => format!(
                "the job's directory jobs/{}/{} cannot be entered as `{owner}`: {error}; deploy the job again",
                launch.job, launch.version
            ),
            Stage::Clone => format!(
                "the system made no process: {error}; look at its limits for processes and memory"
            ),
            Stage::NoWayBack => "the process could have become root again, so it was not started: \
                                 check the capabilities and securebits of the server"
                .to_owned(),
            Stage::Groups | Stage::Ids => {
                format!(
                    "the process could not become `{owner}`: {error}; the server needs CAP_SETUID and CAP_SETGID"
                )
            }
            Stage::Group => {
                format!("the process could not enter the control group of its limits: {error}")
            }
            Stage::Limits => format!(
                "the limits of open files or processes cannot be set: {error}; ask for less than the server itself \
                 may have (`ulimit -Hn`)"
            ),
            Stage::Session | Stage::Descriptors => {
                format!("the process could not be set up: {error}")
            }
        }
    }

    fn explain_execute(&self, failure: Failure, owner: &str) -> String {
        let (asked, kind) = match self.kind {
            Kind::Interpreter => (&self.asked, "interpreter"),
            Kind::Program => (&self.asked, "program"),
        };
        let path = self
            .candidates
            .get(failure.candidate)
            .map(|path| path.to_string_lossy())
            .unwrap_or_default();
        match failure.errno {
            libc::ENOENT | libc::ENOTDIR if self.candidates.is_empty() => {
                format!(
                    "the {kind} `{asked}` has no path to look in: set `env: {{PATH: ...}}` in the job file"
                )
            }
            libc::ENOENT | libc::ENOTDIR => {
                let places: Vec<_> = self
                    .candidates
                    .iter()
                    .map(|path| path.to_string_lossy())
                    .collect();
                let step = match self.kind {
                    Kind::Interpreter => {
                        "install it on this node, name its absolute path as the job's language, \
                                          or set `env: {PATH: ...}` in the job file"
                    }
                    Kind::Program => {
                        "install it on this node, write its absolute path, or set `env: {PATH: ...}`; \
                                      a script's own `#!` line may name what is missing"
                    }
                };
                format!(
                    "the {kind} `{asked}` is missing: not found as {}; {step}",
                    places.join(", ")
                )
            }
            libc::EACCES | libc::EPERM => format!(
                "the {kind} `{asked}` may not be executed by `{owner}`: {path}; make it executable for that user \
                 (chmod +x), on a file system that is not mounted noexec"
            ),
            libc::ENOEXEC => format!(
                "{path} is not a program that this machine can execute: give a script a `#!` line, or build the \
                 program for this machine"
            ),
            libc::E2BIG => {
                "the arguments and the environment are longer than the system allows: shorten them"
                    .to_owned()
            }
            errno => format!(
                "{path} cannot be executed: {}",
                std::io::Error::from_raw_os_error(errno)
            ),
        }
    }
}

/// Where a program by that name may be: itself when it has a `/`, else in each directory of the job's `PATH`, then
/// of the default one. An empty entry is skipped: elsewhere it means the working directory, by accident.
fn look_up(name: &str, path: Option<&str>) -> Vec<String> {
    if name.contains('/') || name.is_empty() {
        return if name.is_empty() {
            Vec::new()
        } else {
            vec![name.to_owned()]
        };
    }
    let directories = path
        .into_iter()
        .chain([DEFAULT_PATH])
        .flat_map(|path| path.split(':'));
    directories
        .filter(|directory| !directory.is_empty())
        .map(|directory| format!("{directory}/{name}"))
        .collect()
}

/// What lacks for a program to be executed on this machine, in one sentence. `None`: nothing that can be told by
/// looking, as this process, where a launch looks. A launch tries again as the owner, and decides.
#[must_use]
pub fn missing(program: &Program, env: &[(String, String)]) -> Option<String> {
    let (asked, kind) = match program {
        Program::Interpreted { language, .. } => (language.as_str(), "interpreter"),
        // Relative to the bundle, which is not unpacked yet.
        Program::Argv(argv) => (
            argv.first()
                .map(String::as_str)
                .filter(|program| !program.contains('/'))?,
            "program",
        ),
        Program::Compiled { .. } | Program::Shell(_) => return None,
    };
    let path = env
        .iter()
        .rev()
        .find(|(name, _)| name == "PATH")
        .map(|(_, value)| value.as_str());
    let is_program =
        |candidate: &String| rustix::fs::access(candidate, rustix::fs::Access::EXEC_OK).is_ok();
    if look_up(asked, path).iter().any(is_program) {
        return None;
    }
    Some(format!(
        "the {kind} `{asked}` is not on this node: runs end as not_startable until it is installed"
    ))
}

/// Where a job without a `PATH` of its own finds this program on this machine; `None`: nowhere.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let is_program =
        |candidate: &String| rustix::fs::access(candidate, rustix::fs::Access::EXEC_OK).is_ok();
    look_up(name, None)
        .into_iter()
        .find(is_program)
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_up_in_the_jobs_path_and_then_in_the_default_one() {
        let check = |name: &str, path: Option<&str>, expected: &[&str]| {
            assert_eq!(look_up(name, path), expected);
        };
        check(
            "python3",
            None,
            &["/usr/local/bin/python3", "/usr/bin/python3", "/bin/python3"],
        );
        check(
            "x",
            Some("/opt/a::b"),
            &[
                "/opt/a/x",
                "b/x",
                "/usr/local/bin/x",
                "/usr/bin/x",
                "/bin/x",
            ],
        );
        check("/opt/python", Some("/a"), &["/opt/python"]);
        check("./run", None, &["./run"]);
        check("", None, &[]);
    }

    #[test]
    fn a_program_is_found_where_jobs_look_or_nowhere() {
        assert!(find("sh").is_some_and(|path| path.ends_with("bin/sh")));
        assert_eq!(find("no-such-program"), None);
    }
}
