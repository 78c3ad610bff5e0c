//! Backups: one file that holds what a node cannot compute again, and a node made from it.
//!
//! | module | is |
//! | --- | --- |
//! | `manifest` | what a backup says of itself |
//! | `frames` | the compressed stream: each member in frames of its own, so that damage is told by name |
//! | `collect` | what a live node gives, held still while it is written |
//! | `stream` | a backup on its way to a client |
//! | `write` | a node's data as a backup |
//! | `read` | a backup, every byte of it verified |
//! | `restore` | a backup as a new data directory, beside the one that is there |
//! | `commit` | the one step at which the new one counts |
//! | `forecast` | what a server will catch up when it starts |
//!
//! The form: a tar in zstd. `manifest.json` first, `state.db`, `secrets.key` when asked for, `bundles/`, `history/`,
//! `output/`, and last `SHA256SUMS`, which has a line for every member before it. Without that last member a backup is
//! not whole, so one that was cut off anywhere is told from one that was not. `tar --zstd -xf` and `sha256sum -c` read
//! it too.

mod collect;
mod commit;
mod error;
mod executors;
mod forecast;
mod frames;
mod manifest;
mod read;
mod restore;
mod stream;
mod write;

pub(crate) use collect::{Collected, Subject, remove_left_overs};
pub(crate) use commit::finish;
pub use commit::is_committed;
pub use error::{BackupError, RestoreError};
pub use forecast::{Forecast, Policy};
pub use manifest::Manifest;
pub use read::{Checked, Depth, check};
pub use restore::{Replaced, RestoreOptions, Restored, restore};
pub(crate) use stream::stream;
