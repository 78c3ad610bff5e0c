//! Making job processes: who they are, what they execute, what they see, and the clone itself.

mod accounts;
mod clone;
mod environment;
mod identity;
mod low_descriptors;
mod orders;
mod program;
mod secret_files;
mod spawner;
pub(crate) mod tree;

pub(crate) use accounts::Accounts;
pub(crate) use clone::{Plan, Stack, keep_undumpable, reset_inherited_signals, spawn};
pub(crate) use environment::Drawn;
pub(crate) use identity::Account;
pub(crate) use low_descriptors::LowDescriptors;
pub use program::{find as find_program, missing as program_missing};
pub use secret_files::place as place_of_secret_files;
pub(crate) use secret_files::{SecretFile, SecretFiles};
pub(crate) use spawner::{
    Made, ON_CANCEL_SUFFIX, Purpose, SpawnOrder, SpawnOutcome, Spawned, Spawners, Surroundings,
};

/// The `PATH` of a job that sets none, and where interpreters are looked up last.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
