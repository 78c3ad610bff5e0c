//! openraft's own tests of log stores, run on ours.

use std::future::Future;
use std::path::Path;

use openraft::StorageError;
use openraft::storage::RaftLogStorage;
use openraft::testing::log::{StoreBuilder, Suite};

use crate::apply::Applier;
use crate::raft_types::TypeConfig;
use crate::snapshot::SnapshotDirectory;
use crate::support;

struct Builder<F>(F);

impl<L, F> StoreBuilder<TypeConfig, L, Applier, tempfile::TempDir> for Builder<F>
where
    L: RaftLogStorage<TypeConfig>,
    F: Fn(&Path) -> L + Send + Sync,
{
    fn build(
        &self,
    ) -> impl Future<Output = Result<(tempfile::TempDir, L, Applier), StorageError<TypeConfig>>> + Send
    {
        let dir = tempfile::tempdir().unwrap();
        let log = (self.0)(dir.path());
        let snapshots = SnapshotDirectory::open(&dir.path().join("snapshots")).unwrap();
        let applier = Applier::new(Box::new(support::Tally::default()), snapshots).unwrap();
        std::future::ready(Ok((dir, log, applier)))
    }
}

/// Runs the suite on the log that `make` makes in a directory.
pub(crate) async fn check<L: RaftLogStorage<TypeConfig>>(make: impl Fn(&Path) -> L + Send + Sync) {
    Suite::test_all(Builder(make)).await.unwrap();
}
