//! Compiles Go jobs, as the person who deploys: the server never builds.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use odin_job_file::bundle::{BundlePath, Extra, Mode, UNPACKED_BYTES_MAX};

use crate::error::CliError;

/// How much of the compiler's output is shown.
const OUTPUT_BYTES_MAX: usize = 16 << 10;

/// What every program for Linux begins with.
const ELF_MAGIC: &[u8] = b"\x7fELF";

/// Builds `source`, which lies in `directory`, into the file that a bundle holds as `binary`.
pub(crate) fn build(directory: &Path, source: &str, binary: &str) -> Result<Extra, CliError> {
    let path = BundlePath::parse(binary).map_err(|fault| {
        CliError::refused(
            "bundle/bad-name",
            format!("`{binary}` cannot be in a bundle: {fault}"),
        )
    })?;
    let place =
        tempfile::tempdir().map_err(|error| CliError::file(&std::env::temp_dir(), &error))?;
    let built = place.path().join("program");
    #[expect(
        clippy::disallowed_methods,
        reason = "the deployer builds, and no executor runs here"
    )]
    let mut go = Command::new("go");
    let output = go
        .args(["build", "-o"])
        .arg(&built)
        .arg("--")
        // A name of its own, so that no file is taken for a flag or a package.
        .arg(Path::new(".").join(source))
        .current_dir(if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        })
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => CliError::refused(
                "go/not-installed",
                "`go` is not installed here, and the job is in Go",
            )
            .with_help("Install Go from https://go.dev/dl, or put it on PATH."),
            _ => CliError::refused(
                "go/not-startable",
                format!("`go build` cannot be started: {error}"),
            ),
        })?;
    if !output.status.success() {
        return Err(refused(source, &output.stderr));
    }
    let content = std::fs::metadata(&built).and_then(|metadata| {
        if metadata.len() > UNPACKED_BYTES_MAX {
            return Err(std::io::Error::from(ErrorKind::FileTooLarge));
        }
        std::fs::read(&built)
    });
    let content = content.map_err(|error| CliError::file(Path::new(source), &error))?;
    // Of a package that is no program the compiler makes an archive, and says that all went well.
    if !content.starts_with(ELF_MAGIC) {
        return Err(CliError::refused(
            "go/not-a-program",
            format!("`{source}` is not a program: its package is not `main`"),
        )
        .with_help("Begin the file with `package main`, and give it a `func main()`."));
    }
    Ok(Extra {
        path,
        mode: Mode::Executable,
        content,
    })
}

/// The compiler's words, the first of them when there are many.
fn refused(source: &str, stderr: &[u8]) -> CliError {
    let shown = &stderr[..stderr.len().min(OUTPUT_BYTES_MAX)];
    let words = String::from_utf8_lossy(shown);
    CliError::refused("go/build-failed", format!("`go build {source}` failed")).with_help(format!(
        "Mend what the compiler says, then deploy again:\n{}",
        words.trim_end()
    ))
}
