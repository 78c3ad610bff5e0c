//! Making job processes: who they are, what they execute, what they see, and the clone itself.

mod clone;
mod environment;
mod identity;
mod low_descriptors;
mod program;
mod spawner;
pub(crate) mod tree;

pub(crate) use clone::{Plan, Stack, reset_inherited_signals, spawn};
pub(crate) use identity::{Account, Identities};
pub(crate) use low_descriptors::LowDescriptors;
pub use program::missing as program_missing;
pub(crate) use spawner::{Made, SpawnOrder, SpawnOutcome, Spawned, Spawners, Surroundings};

/// The `PATH` of a job that sets none, and where interpreters are looked up last.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
