//! Bundles as they arrive and lie on this node's disk, each named by its hash.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;
use odin_job_file::bundle::{BundleError, BundlePath, PACKED_BYTES_MAX, VerifiedBundle, verify};
use odin_model::BundleHash;
use odin_store::VERSIONS_WITH_FILES;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::api::Api;
use crate::failure::Failure;

/// How long an upload may bring nothing before it is given up.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
/// What the names of unfinished uploads begin with; no hash does.
const UNFINISHED: &str = ".upload-";

/// Where a bundle lies.
#[must_use]
pub fn bundle_path(dir: &Path, hash: BundleHash) -> PathBuf {
    dir.join(hash.to_string())
}

/// Removes what uploads left behind that a crash cut off. For the start of a server, before it serves.
///
/// # Errors
/// The system's.
pub fn remove_unfinished_uploads(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(UNFINISHED.as_bytes())
        {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A stored bundle, to be sent.
pub(crate) async fn open(dir: &Path, hash: BundleHash) -> Result<File, Failure> {
    match File::open(bundle_path(dir, hash)).await {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Failure::new(
            "bundle/not-here",
            format!(
                "bundle {hash} is not on this node; the files of a job's latest {VERSIONS_WITH_FILES} versions are kept, \
                 those of others are to be deployed again"
            ),
        )),
        Err(error) => Err(Failure::internal(&format!("bundle {hash}: {error}"))),
    }
}

/// Sees that a stored bundle is there, and that it stays for a while: a version that has it is about to be made.
pub(crate) async fn hold(api: &Api, hash: BundleHash) -> Result<(), Failure> {
    let file = open(api.backend().bundles_dir(), hash)
        .await?
        .into_std()
        .await;
    let now = SystemTime::from(api.backend().clock().wall());
    let held = api.blocking(move |_| file.set_modified(now)).await?;
    held.map_err(|error| Failure::internal(&format!("bundle {hash}: {error}")))
}

/// A bundle that arrived whole and is what a bundle must be. Removed when dropped before [`keep`](Self::keep).
pub(crate) struct Upload {
    path: PathBuf,
    pub(crate) bundle: VerifiedBundle,
}

impl Upload {
    /// Takes in a body, at most [`PACKED_BYTES_MAX`], and verifies it.
    pub(crate) async fn receive(
        api: &Api,
        body: Body,
        job_file: BundlePath,
    ) -> Result<Self, Failure> {
        if body.size_hint().lower() > PACKED_BYTES_MAX {
            return Err(refused(&BundleError::PackedTooLarge));
        }
        let name = format!("{UNFINISHED}{:016x}", api.backend().draw_bits());
        let path = api.backend().bundles_dir().join(name);
        let unfinished = Unfinished(path);
        write(&unfinished.0, body).await?;
        let path = unfinished.0.clone();
        let verified = api.blocking(move |_| {
            let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
            verify(file, &job_file).map_err(|error| refused(&error))
        });
        let bundle = verified.await??;
        Ok(Self {
            path: unfinished.keep(),
            bundle,
        })
    }

    /// Gives the bundle its name. After this it survives a crash of the machine.
    pub(crate) async fn keep(self, api: &Api) -> Result<BundleHash, Failure> {
        let hash = self.bundle.hash;
        let kept = api.blocking(move |backend| {
            let dir = backend.bundles_dir();
            std::fs::File::open(&self.path)?.sync_all()?;
            std::fs::rename(&self.path, bundle_path(dir, hash))?;
            std::fs::File::open(dir)?.sync_all()
        });
        kept.await?.map_err(|error| unwritable(&error))?;
        Ok(hash)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // Gone already once it has its name.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A file that goes unless it is kept.
struct Unfinished(PathBuf);

impl Unfinished {
    fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

async fn write(path: &Path, mut body: Body) -> Result<(), Failure> {
    let mut options = File::options();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options
        .open(path)
        .await
        .map_err(|error| unwritable(&error))?;
    let mut taken = 0;
    loop {
        let frame = match tokio::time::timeout(PIECE_TIMEOUT, body.frame()).await {
            Ok(None) => break,
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => {
                return Err(Failure::new("request/bad-body", error.to_string()));
            }
            Err(_) => {
                return Err(Failure::new(
                    "request/timeout",
                    "the bundle stopped arriving",
                ));
            }
        };
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        taken += piece.len() as u64;
        if taken > PACKED_BYTES_MAX {
            return Err(refused(&BundleError::PackedTooLarge));
        }
        file.write_all(&piece)
            .await
            .map_err(|error| unwritable(&error))?;
    }
    file.flush().await.map_err(|error| unwritable(&error))
}

pub(crate) fn refused(error: &BundleError) -> Failure {
    match error {
        BundleError::Read { error, .. } => unreadable(error),
        refused => Failure::new(refused.code(), refused.to_string()).with_help(refused.help()),
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::internal(&format!("an uploaded bundle cannot be read: {error}"))
}

fn unwritable(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Failure::new("storage/full", "there is no space for the bundle")
        }
        _ => Failure::internal(&format!("a bundle cannot be stored: {error}")),
    }
}
