//! `odin generate`.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use odin_job_file::bundle::BundlePath;
use odin_job_file::language::Language;
use odin_model::JobId;
use serde::Serialize;

use crate::context::{Context, draw};
use crate::error::CliError;

/// `odin generate`.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// The job file to make, ending in .yml or .yaml; the code file gets the same name
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// The language: python3, python, node, bash, sh or go
    #[arg(short, long, visible_alias = "lang", value_name = "LANGUAGE")]
    language: String,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Generated {
    #[serde(with = "odin_wire::as_text")]
    id: JobId,
    files: [String; 2],
}

/// Makes a job file and its code, or neither.
pub(crate) fn run(args: &GenerateArgs, context: &Context) -> Result<(), CliError> {
    let language = Language::parse(&args.language).map_err(|error| {
        let help = error.help();
        CliError::refused(
            error.code(),
            format!("Language passed is not valid: {error}"),
        )
        .with_help(help)
    })?;
    let stem = stem(&args.file)?;
    let mut bits = [0; 8];
    draw(&mut bits)?;
    let id = JobId::from_bits(u64::from_le_bytes(bits));
    let made = odin_job_file::template(language, stem, id);
    let code = args.file.with_file_name(&made.code_name);
    let taken: Vec<_> = [&args.file, &code]
        .into_iter()
        .filter(|path| path.symlink_metadata().is_ok())
        .collect();
    if let [first, ..] = taken.as_slice() {
        return Err(exists(first));
    }
    let job_file = create(&args.file, 0o644)?;
    let written = create(&code, made.mode.bits()).and_then(|code_file| {
        write(&code, code_file, made.code)
            .and_then(|()| write(&args.file, job_file, &made.job_file))
            .inspect_err(
                // Made a moment ago by this command.
                |_| drop(std::fs::remove_file(&code)),
            )
    });
    if let Err(error) = written {
        let _ = std::fs::remove_file(&args.file);
        return Err(error);
    }
    let files = [args.file.display().to_string(), code.display().to_string()];
    if context.json() {
        return context.print_json(&Generated { id, files });
    }
    context.print("Config and language files generated!\n")?;
    files
        .iter()
        .try_for_each(|file| context.print_line(&format!("  {file}")))
}

/// The name without `.yml` or `.yaml`.
fn stem(path: &Path) -> Result<&str, CliError> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let shown = name.to_string_lossy();
    let refused = |message: String| CliError::refused("generate/bad-name", message);
    let text = name
        .to_str()
        .ok_or_else(|| refused(format!("`{shown}` is not UTF-8")))?;
    let stem = text
        .strip_suffix(".yml")
        .or_else(|| text.strip_suffix(".yaml"))
        .filter(|stem| !stem.is_empty())
        .ok_or_else(|| refused(format!("Please provide a '.yml' extension to {shown}")))?;
    match BundlePath::parse(text) {
        Ok(_) => Ok(stem),
        Err(fault) => Err(refused(format!(
            "`{shown}` cannot be a file of a job: {fault}"
        ))),
    }
}

fn create(path: &Path, mode: u32) -> Result<File, CliError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(path),
            _ => CliError::file(path, &error),
        })
}

fn write(path: &Path, mut file: File, text: &str) -> Result<(), CliError> {
    file.write_all(text.as_bytes())
        .map_err(|error| CliError::file(path, &error))
}

fn exists(path: &Path) -> CliError {
    CliError::refused(
        "generate/exists",
        format!("{} is there already", path.display()),
    )
    .with_help("Choose another name: nothing is overwritten.")
}
