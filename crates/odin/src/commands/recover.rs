//! `odin recover`.

use std::fs::File;
use std::path::{Path, PathBuf};

use odin_job_file::{Defaults, Purpose, bundle};
use odin_model::BundleHash;
use odin_wire::{Exit, Job};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::Serialize;

use crate::arguments::JobArg;
use crate::context::Context;
use crate::error::CliError;
use crate::report;
use crate::selection;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Recovered {
    files: Vec<String>,
}

/// Writes a job's deployed files into the current directory: all of them, or none.
pub(crate) async fn run(args: &JobArg, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let packed = client.bundle(job.id).await?;
    let damaged = |message: String| CliError::new(Exit::Failed, "bundle/corrupt", message);
    let settings = job
        .settings
        .as_ref()
        .ok_or_else(|| damaged("the server told no bundle's hash".into()))?;
    let hash: BundleHash = settings
        .bundle
        .parse()
        .map_err(|error: odin_model::id::IdError| damaged(error.to_string()))?;

    let here = Path::new(".");
    // Beside the files' places, so that they can be moved there without a copy. Removed when it is dropped.
    let unpacked = tempfile::Builder::new()
        .prefix(".odin-recover-")
        .tempdir_in(here)
        .map_err(|error| CliError::file(here, &error))?;
    let handle = File::open(unpacked.path()).map_err(|error| CliError::file(here, &error))?;
    odin_executor::unpack::unpack(&packed[..], handle, hash)
        .map_err(|error| CliError::new(Exit::Failed, error.code(), error.to_string()))?;

    let found = Found::below(unpacked.path())?;
    found.refuse_conflicts(here)?;
    found.move_to(unpacked.path(), here)?;
    let files: Vec<String> = found
        .files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    if context.json() {
        return context.print_json(&Recovered { files });
    }
    for file in &files {
        context.print_line(&format!("File: {file} recovered!"))?;
    }
    for changed in modified_since(&job, &found.files) {
        report::note(&changed);
    }
    Ok(())
}

/// What `odin modify` has changed since the files were deployed: a deploy of them would take it back.
fn modified_since(job: &Job, files: &[PathBuf]) -> Vec<String> {
    let is_job_file = |file: &PathBuf| {
        let at_top = file.parent() == Some(Path::new(""));
        let ending = file.extension().and_then(|ending| ending.to_str());
        at_top && matches!(ending, Some("yml" | "yaml"))
    };
    let defaults = Defaults {
        // The most lenient: files of executed jobs are recovered too.
        purpose: Purpose::Execute,
        ..Defaults::default()
    };
    let read = |path: &Path| {
        let text = bundle::read_job_file(path).ok()?;
        odin_job_file::read(&text, &defaults).ok()
    };
    let mut at_top = files.iter().filter(|file| is_job_file(file));
    let Some((path, file)) = at_top.find_map(|path| Some((path, read(path)?))) else {
        return Vec::new();
    };
    let keys = [
        ("name", file.name.as_str(), &job.name),
        ("description", &file.description, &job.description),
        ("schedule", &file.schedule_text, &job.schedule),
    ];
    let modified = keys.iter().filter(|(_, written, now)| written != now);
    let path = path.display();
    modified
        .map(|(key, _, now)| {
            format!("the job's {key} was modified after {path} was deployed, and is now {now:?}")
        })
        .collect()
}

/// What was unpacked, relative to where it was.
#[derive(Debug, Default)]
struct Found {
    /// Each directory before what it holds.
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Found {
    fn below(root: &Path) -> Result<Self, CliError> {
        let mut found = Self::default();
        let mut pending = vec![PathBuf::new()];
        while let Some(directory) = pending.pop() {
            let path = root.join(&directory);
            let failed = |error: std::io::Error| CliError::file(&path, &error);
            for entry in std::fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let relative = directory.join(entry.file_name());
                if entry.file_type().map_err(failed)?.is_dir() {
                    found.directories.push(relative.clone());
                    pending.push(relative);
                } else {
                    found.files.push(relative);
                }
            }
        }
        found.directories.sort();
        found.files.sort();
        Ok(found)
    }

    /// Refuses files that are there, and directories whose place something else has.
    fn refuse_conflicts(&self, target: &Path) -> Result<(), CliError> {
        let metadata = |path: &&PathBuf| target.join(path).symlink_metadata();
        let files = self.files.iter().filter(|path| metadata(path).is_ok());
        let directories = self
            .directories
            .iter()
            .filter(|path| metadata(path).is_ok_and(|metadata| !metadata.is_dir()));
        let taken: Vec<String> = files
            .chain(directories)
            .map(|path| path.display().to_string())
            .collect();
        match taken.as_slice() {
            [] => Ok(()),
            [first, rest @ ..] => {
                let more = if rest.is_empty() {
                    String::new()
                } else {
                    format!(" and {} more", rest.len())
                };
                Err(
                    CliError::refused("recover/exists", format!("{first}{more}: there already"))
                        .with_help("Recover in an empty directory: nothing is overwritten."),
                )
            }
        }
    }

    /// Moves everything; what was moved before a failure is taken away again.
    fn move_to(&self, from: &Path, target: &Path) -> Result<(), CliError> {
        let mut made: Vec<PathBuf> = Vec::new();
        let result = self.move_each(from, target, &mut made);
        if result.is_err() {
            for path in made.iter().rev() {
                let _ = std::fs::remove_file(path).or_else(|_| std::fs::remove_dir(path));
            }
        }
        result
    }

    fn move_each(
        &self,
        from: &Path,
        target: &Path,
        made: &mut Vec<PathBuf>,
    ) -> Result<(), CliError> {
        for directory in &self.directories {
            let path = target.join(directory);
            if path.is_dir() {
                continue;
            }
            std::fs::create_dir(&path).map_err(|error| CliError::file(directory, &error))?;
            made.push(path);
        }
        for file in &self.files {
            let path = target.join(file);
            move_without_replacing(&from.join(file), &path)
                .map_err(|error| CliError::file(file, &error))?;
            made.push(path);
        }
        Ok(())
    }
}

/// A rename that fails where something is, by way of a link where the file system has no such rename.
fn move_without_replacing(from: &Path, to: &Path) -> std::io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => std::fs::hard_link(from, to),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        root
    }

    #[test]
    fn files_are_put_beside_others_and_into_directories_that_are_there() {
        let (from, target) = (
            tree(&["a.yml", "lib/b.py", "new/c/d"]),
            tree(&["lib/own", "e"]),
        );
        let found = Found::below(from.path()).unwrap();
        found.refuse_conflicts(target.path()).unwrap();
        found.move_to(from.path(), target.path()).unwrap();
        let after = Found::below(target.path()).unwrap();
        let names: Vec<_> = after
            .files
            .iter()
            .map(|path| path.to_str().unwrap())
            .collect();
        assert_eq!(names, ["a.yml", "e", "lib/b.py", "lib/own", "new/c/d"]);
    }

    #[test]
    fn nothing_that_is_there_is_overwritten_and_a_failure_leaves_nothing() {
        let (from, target) = (tree(&["a", "lib/b"]), tree(&["lib/b"]));
        let found = Found::below(from.path()).unwrap();
        assert_eq!(
            found.refuse_conflicts(target.path()).unwrap_err().exit(),
            Exit::Refused
        );
        // As if the file had appeared after the check.
        found.move_to(from.path(), target.path()).unwrap_err();
        assert!(!target.path().join("a").exists());
        assert_eq!(
            std::fs::read(target.path().join("lib/b")).unwrap(),
            b"lib/b"
        );

        let (from, target) = (tree(&["lib/b"]), tree(&["lib"]));
        let found = Found::below(from.path()).unwrap();
        found.refuse_conflicts(target.path()).unwrap_err();
    }
}
