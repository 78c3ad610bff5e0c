//! What this node's attempts report, from the executors' files into the log.
//!
//! The files are the truth until the state has what is in them: each is followed from where the state says that it is
//! applied, so a server that dies and comes back goes on at the very line. A run's end is reported only after
//! everything that the run has said, for its result is part of that.

mod batch;
mod follower;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;

use odin_executor::protocol::AttemptKey;
use odin_executor::{DataDir, values};
use odin_store::Reader;
use tokio::sync::{mpsc, oneshot};

use crate::proposer::Proposer;

/// How many questions may wait for the follower.
const ASKED_MAX: usize = 64;

/// What the follower is asked.
enum Asked {
    /// To tell when everything that these attempts have reported is applied. They are over: their files are complete.
    Drain {
        keys: BTreeSet<AttemptKey>,
        done: oneshot::Sender<()>,
    },
    /// To remove the files of these: their ends are applied, so nothing is read of them any more.
    Forget(Vec<AttemptKey>),
    /// To apply what is in the files of these, and to remove them: no executor has them.
    Adopt(Vec<AttemptKey>),
}

/// Follows the files of a data directory.
#[derive(Clone)]
pub(crate) struct ValuesFiles {
    dir: DataDir,
    asked: mpsc::Sender<Asked>,
}

impl ValuesFiles {
    /// Follows the files in the data directory `root`, on a task that ends with the last of these.
    pub(crate) fn follow(root: PathBuf, proposer: Proposer, reader: Reader) -> Self {
        let dir = DataDir::new(root);
        let (asked, questions) = mpsc::channel(ASKED_MAX);
        let follower = follower::Follower::new(dir.clone(), proposer, reader);
        tokio::spawn(follower.run(questions));
        Self { dir, asked }
    }

    /// Waits until everything that these attempts, which are over, have reported is applied.
    pub(crate) async fn drain(&self, keys: impl IntoIterator<Item = AttemptKey>) {
        // Most runs report nothing.
        let has_file = |key: &AttemptKey| self.dir.values_file(*key).exists();
        let keys: BTreeSet<_> = keys.into_iter().filter(has_file).collect();
        if keys.is_empty() {
            return;
        }
        let (done, drained) = oneshot::channel();
        if self.asked.send(Asked::Drain { keys, done }).await.is_ok() {
            // The follower ends with this process only.
            let _ = drained.await;
        }
    }

    /// The ends of these attempts are applied.
    pub(crate) async fn forget(&self, keys: impl IntoIterator<Item = AttemptKey>) {
        let has_file = |key: &AttemptKey| self.dir.values_file(*key).exists();
        let keys: Vec<_> = keys.into_iter().filter(has_file).collect();
        if !keys.is_empty() {
            let _ = self.asked.send(Asked::Forget(keys)).await;
        }
    }

    /// No executor has any attempt but these: what others left is applied, then removed.
    pub(crate) async fn adopt_all_but(&self, known: impl IntoIterator<Item = AttemptKey>) {
        let known: BTreeSet<_> = known.into_iter().collect();
        match values::list(&self.dir) {
            Ok(keys) => {
                let left: Vec<_> = keys
                    .into_iter()
                    .filter(|key| !known.contains(key))
                    .collect();
                if !left.is_empty() {
                    let _ = self.asked.send(Asked::Adopt(left)).await;
                }
            }
            Err(error) => tracing::warn!(%error, "what earlier runs reported cannot be listed"),
        }
    }
}
