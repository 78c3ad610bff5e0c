//! From a job file on disk to a bundle that can be sent.

use std::path::Path;

use bytes::Bytes;
use odin_job_file::bundle::{self, BundleError};
use odin_job_file::{Defaults, JobFile, Purpose, Severity};
use odin_model::{BundleHash, Program};
use odin_wire::Mistake;

use crate::error::{CliError, TextMistakes};
use crate::go_build;

/// A job file that was found good, with everything that it names.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The path as the person wrote it.
    pub(crate) origin: String,
    /// The job file's name in the bundle.
    pub(crate) name: String,
    /// What it says.
    pub(crate) file: JobFile,
    /// The names in the bundle.
    pub(crate) paths: Vec<String>,
    /// The bundle's hash.
    pub(crate) hash: BundleHash,
    /// The bundle, packed.
    pub(crate) packed: Bytes,
}

impl Prepared {
    /// What the deployer should know, with places.
    pub(crate) fn warnings(&self) -> Vec<Mistake> {
        self.file
            .warnings
            .iter()
            .map(|mistake| to_wire(mistake, &self.file.text))
            .collect()
    }
}

/// Reads and checks a job file, and gives the path to show. Nothing that it names is looked at.
pub(crate) fn read(path: &Path, defaults: &Defaults) -> Result<(JobFile, String), CliError> {
    let text = bundle::read_job_file(path).map_err(|error| match error {
        BundleError::Missing { .. } => refused(&error)
            .with_help("Check the path; `odin generate` makes a job file to fill in."),
        error => refused(&error),
    })?;
    let origin = path.display().to_string();
    let file = odin_job_file::read(&text, defaults).map_err(|mistakes| {
        CliError::Text(Box::new(TextMistakes {
            origin: origin.clone(),
            mistakes: mistakes
                .list()
                .iter()
                .map(|mistake| to_wire(mistake, &text))
                .collect(),
            omitted: mistakes.omitted(),
            text: text.clone(),
        }))
    })?;
    Ok((file, origin))
}

/// Reads, checks, compiles where needed, and packs. Nothing is written and nobody is asked.
pub(crate) fn prepare(path: &Path, purpose: Purpose) -> Result<Prepared, CliError> {
    let defaults = Defaults {
        purpose,
        ..Defaults::default()
    };
    let (file, origin) = read(path, &defaults)?;
    // Everything is looked at before a compiler is: it would wait for ever at a FIFO.
    let mut bundle = bundle::collect(path, &file, Vec::new())
        .map_err(|error| refused_at(&error, &file, &origin))?;
    if let Program::Compiled {
        file: source,
        binary,
        ..
    } = &file.program
    {
        let directory = path.parent().unwrap_or(Path::new("."));
        let built = go_build::build(directory, source, binary)?;
        bundle.add_extra(built).map_err(|error| refused(&error))?;
    }
    let packed = bundle.pack().map_err(|error| refused(&error))?;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    Ok(Prepared {
        origin,
        name: name.to_owned(),
        paths: bundle
            .paths()
            .map(|path| path.as_str().to_owned())
            .collect(),
        hash: packed.hash,
        packed: packed.bytes.into(),
        file,
    })
}

fn refused(error: &BundleError) -> CliError {
    CliError::refused(error.code(), error.to_string()).with_help(error.help())
}

/// The same, shown where the job file names what cannot be in the bundle.
fn refused_at(error: &BundleError, file: &JobFile, origin: &str) -> CliError {
    let Some(span) = file.place_of(error) else {
        return refused(error);
    };
    let mistake = odin_job_file::Mistake {
        code: error.code(),
        message: error.to_string(),
        help: error.help(),
        severity: Severity::Error,
        span,
    };
    CliError::Text(Box::new(TextMistakes {
        origin: origin.to_owned(),
        mistakes: vec![to_wire(&mistake, &file.text)],
        omitted: 0,
        text: file.text.clone(),
    }))
}

fn to_wire(mistake: &odin_job_file::Mistake, text: &str) -> Mistake {
    let (line, column) = odin_job_file::line_and_column(text, mistake.span.start);
    let number = |number: usize| u32::try_from(number).ok();
    Mistake {
        code: mistake.code.to_owned(),
        message: mistake.message.clone(),
        line: number(line),
        column: number(column),
        span: Some([mistake.span.start, mistake.span.end]),
        help: Some(mistake.help.clone()).filter(|help| !help.is_empty()),
        source_line: text.lines().nth(line - 1).map(str::to_owned),
    }
}
