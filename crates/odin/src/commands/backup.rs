//! `odin backup`.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, IsTerminal as _, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use odin_client::Download;
use odin_executor::fault::{self, Point};
use odin_node::backup::{self, BackupError, Checked, Depth};
use odin_wire::{Exit, Verified};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::executor::arm_fault;
use super::verify;
use crate::context::Context;
use crate::error::CliError;
use crate::own_codes;
use crate::report;

/// `odin backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to write, which must not exist; `-` is stdout
    pub(crate) file: PathBuf,
    /// Leave out what jobs printed, beyond the last 4 KiB of each run
    #[arg(long)]
    without_output: bool,
    /// Put the keys of all secrets into it: whoever has the file can then read them
    #[arg(long)]
    with_key: bool,
    /// Verify a backup instead of making one, without a server
    #[arg(long, conflicts_with_all = ["without_output", "with_key"])]
    pub(crate) check: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Backup {
    file: String,
    bytes: u64,
    sha256: String,
    files: u64,
    unpacked_bytes: u64,
    node: String,
    odin: String,
    taken_at: Timestamp,
    generation: u8,
    log_index: u64,
    jobs: u64,
    open_runs: u64,
    with_output: bool,
    with_key: bool,
    /// Of `--check`: what `odin verify` finds in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger: Option<Verified>,
}

/// Makes a backup of the server.
pub(crate) async fn run(args: &BackupArgs, context: &Context) -> Result<(), CliError> {
    arm_fault()?;
    let to_stdout = args.file.as_os_str() == "-";
    if to_stdout && std::io::stdout().is_terminal() {
        return Err(
            CliError::refused("cli/usage", "a backup is no text for a terminal")
                .with_help("Name a file, or send it on: `odin backup - | ssh HOST 'cat > FILE'`."),
        );
    }
    if !to_stdout {
        refuse_existing(&args.file)?;
    }
    let client = context.client().await?;
    let download = client.backup(!args.without_output, args.with_key).await?;
    if args.with_key {
        report::note(
            "the backup holds the keys of all secrets: whoever has it can read them; keep it as you keep those",
        );
    }
    if to_stdout {
        return to_writer(download, &mut std::io::stdout().lock(), Path::new("-"))
            .await
            .map(drop);
    }
    to_file(download, &args.file, context).await
}

/// Verifies a backup. One that is whole, with a ledger that is not, ends the command with 1.
pub(crate) fn check(args: &BackupArgs, context: &Context) -> Result<Exit, CliError> {
    let checked = backup::check(&args.file, Depth::State).map_err(|error| refused(&error))?;
    let is_sound = checked.ledger.as_ref().is_none_or(|ledger| ledger.sound);
    let sum = sum_of(&args.file)?;
    told(&args.file, checked, sum, context)?;
    Ok(match is_sound {
        true => Exit::Done,
        false => Exit::Failed,
    })
}

async fn to_file(download: Download, file: &Path, context: &Context) -> Result<(), CliError> {
    let partial = Partial::begin(file)?;
    let mut out = &partial.file;
    let sum = to_writer(download, &mut out, file).await?;
    let synced = partial.file.sync_all();
    synced.map_err(|error| unwritten(file, &error))?;
    // What is on the disk, and not what was meant to be.
    let checked = backup::check(&partial.path, Depth::Sums).map_err(|error| refused(&error))?;
    partial.keep(file)?;
    told(file, checked, sum, context)
}

/// Writes the download out, and gives its length and SHA-256.
async fn to_writer(
    mut download: Download,
    out: &mut impl Write,
    file: &Path,
) -> Result<(u64, String), CliError> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let failed = |error: std::io::Error| match file.as_os_str() == "-" {
        true => CliError::output(&error),
        false => unwritten(file, &error),
    };
    while let Some(piece) = download.next().await? {
        hash.update(&piece);
        bytes += piece.len() as u64;
        out.write_all(&piece).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok((bytes, hexadecimal(hash)))
}

/// A backup that does not count yet. Removed when it is dropped.
struct Partial {
    path: PathBuf,
    file: File,
    is_kept: bool,
}

impl Partial {
    fn begin(file: &Path) -> Result<Self, CliError> {
        let mut name = file.as_os_str().to_owned();
        name.push(".partial");
        let path = PathBuf::from(name);
        let failed = |error: std::io::Error| CliError::file(&path, &error);
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        // What a backup has left that was killed is written over; what one is writing is not.
        match opened.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CliError::new(
                    Exit::Conflict,
                    "backup/under-way",
                    format!("another backup is writing {}", path.display()),
                )
                .with_help("Wait for it, or name another file."));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        opened.set_len(0).map_err(failed)?;
        Ok(Self {
            file: opened,
            path,
            is_kept: false,
        })
    }

    /// Gives it its name, durably, unless something has taken that.
    fn keep(mut self, file: &Path) -> Result<(), CliError> {
        fault::reach(Point::BackupRenameBefore);
        match renameat_with(CWD, &self.path, CWD, file, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(exists(file)),
            // A file system that cannot refuse it: looked at just before.
            Err(Errno::INVAL | Errno::NOSYS) => {
                refuse_existing(file)?;
                std::fs::rename(&self.path, file).map_err(|error| CliError::file(file, &error))?;
            }
            Err(error) => return Err(CliError::file(file, &error.into())),
        }
        self.is_kept = true;
        let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| CliError::file(file, &error))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A backup that the disk does not take.
fn unwritten(file: &Path, error: &std::io::Error) -> CliError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => refused(&BackupError::Full {
            what: file.display().to_string(),
        }),
        _ => CliError::file(file, error),
    }
}

fn refuse_existing(file: &Path) -> Result<(), CliError> {
    match file.symlink_metadata() {
        Ok(_) => Err(exists(file)),
        Err(_) => Ok(()),
    }
}

fn exists(file: &Path) -> CliError {
    CliError::new(
        Exit::Conflict,
        "backup/exists",
        format!("{} exists, and is not written over", file.display()),
    )
    .with_help("Name a file that does not exist, such as one with the date in its name.")
}

fn told(
    file: &Path,
    checked: Checked,
    (bytes, sha256): (u64, String),
    context: &Context,
) -> Result<(), CliError> {
    let manifest = checked.manifest;
    if context.json() {
        return context.print_json(&Backup {
            file: file.display().to_string(),
            bytes,
            sha256,
            files: checked.members,
            unpacked_bytes: checked.bytes,
            node: manifest.node,
            odin: manifest.odin,
            taken_at: manifest.taken_at,
            generation: manifest.generation,
            log_index: manifest.log_index,
            jobs: manifest.jobs,
            open_runs: manifest.open_runs,
            with_output: manifest.with_output,
            with_key: manifest.with_key,
            ledger: checked.ledger,
        });
    }
    context.print_line(&format!(
        "{}: whole; node {} at {}, {} jobs, {} open runs, log index {}; {} files, {} ({} unpacked)",
        file.display(),
        manifest.node,
        manifest.taken_at,
        manifest.jobs,
        manifest.open_runs,
        manifest.log_index,
        checked.members,
        bytes_shown(bytes),
        bytes_shown(checked.bytes),
    ))?;
    context.print_line(&format!("sha256 {sha256}"))?;
    match checked.ledger {
        // As `odin verify` says it.
        Some(ledger) => context.print(&verify::text(&ledger)),
        None => Ok(()),
    }
}

/// Bytes to three digits or so.
fn bytes_shown(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.iter().find(|(_, shift)| bytes >> shift > 0) {
        None => format!("{bytes} bytes"),
        Some((unit, shift)) => {
            let tenths = ((bytes >> (shift - 4)) * 10) >> 4;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
    }
}

fn sum_of(file: &Path) -> Result<(u64, String), CliError> {
    let failed = |error: std::io::Error| CliError::file(file, &error);
    let mut opened = File::open(file).map_err(failed)?;
    let mut hash = Sha256::new();
    let (mut bytes, mut buffer) = (0, vec![0; 128 * 1024]);
    loop {
        match opened.read(&mut buffer).map_err(failed)? {
            0 => return Ok((bytes, hexadecimal(hash))),
            read => {
                hash.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

fn hexadecimal(hash: Sha256) -> String {
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A backup that cannot be used, for the person who named it.
pub(super) fn refused(error: &BackupError) -> CliError {
    let exit = own_codes::exit_of(error.code()).unwrap_or(Exit::Failed);
    CliError::new(exit, error.code(), error.to_string()).with_help(error.help())
}
