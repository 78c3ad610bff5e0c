//! What a backup says of itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The form of backups that this build writes. A new form gets a new number; older ones stay readable.
pub(crate) const FORMAT: u32 = 1;
/// The first member.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The last member: a line `SHA-256  NAME` for each one before it.
pub(crate) const SUMS: &str = "SHA256SUMS";
/// The replicated state.
pub(crate) const STATE: &str = "state.db";
/// The keys that seal secrets.
pub(crate) const KEY: &str = "secrets.key";
/// The files of sealed history.
pub(crate) const HISTORY: &str = "history";
/// The directories of a data directory that a backup holds.
pub(crate) const DIRECTORIES: [&str; 3] = ["bundles", HISTORY, "output"];
/// The largest manifest.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

/// The first member of a backup. Unknown names are left alone, so that a newer Odin may add some.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup.
    pub format: u32,
    /// The version of Odin that made it.
    pub odin: String,
    /// The format of the state in it.
    pub state_format: i64,
    /// The node that made it.
    pub node: String,
    /// When.
    pub taken_at: Timestamp,
    /// How often the state had been restored.
    pub generation: u8,
    /// The log index of the latest command in the state.
    pub log_index: u64,
    /// Jobs that were listed.
    pub jobs: u64,
    /// Runs that were not over.
    pub open_runs: u64,
    /// Whether what jobs printed is in it, beyond what results hold.
    pub with_output: bool,
    /// Whether the keys of the secrets are in it.
    pub with_key: bool,
}
