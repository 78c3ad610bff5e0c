//! Warns before the disk is full: well before new work is refused.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use odin_model::alert::{AlertChange, AlertKey, AlertKind, Raised, Subject};
use odin_model::{Clock, Command, NodeId};
use odin_store::{AlertsOf, Reader, StoreError};
use tokio_util::sync::CancellationToken;

use crate::proposer::Proposer;
use crate::room::{self, Space};

/// How often is looked.
const EVERY: Duration = Duration::from_secs(30);
/// The free space that is little on any disk that is larger than ten times this.
const LITTLE_MAX: u64 = 10 << 30;
/// The free space that is little on any disk, unless it is a fifth of it.
const LITTLE_MIN: u64 = 1 << 30;

/// What a look at the disk means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// It is to be told of.
    NearlyFull,
    /// It is well again.
    Well,
    /// Nothing is new.
    Same,
}

/// Below this much, a disk is nearly full: a tenth of it, within bounds.
fn little(total: u64) -> u64 {
    (total / 10).clamp(LITTLE_MIN.min(total / 5), LITTLE_MAX)
}

/// `is_told`: whether the alert is there. It is over once a quarter more is free, so that it does not come and go.
fn judge(space: Space, is_told: bool) -> Finding {
    let little = little(space.total);
    match is_told {
        false if space.free < little => Finding::NearlyFull,
        true if space.free >= little + little / 4 => Finding::Well,
        _ => Finding::Same,
    }
}

/// Watches this node's data directory.
pub(crate) struct DiskWatch {
    pub(crate) proposer: Proposer,
    pub(crate) reader: Reader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
}

impl DiskWatch {
    /// Watches until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn look(&self) {
        let (Some(space), Ok(is_told)) = (room::space(&self.data_dir), self.is_told()) else {
            return;
        };
        let key = AlertKey::new(AlertKind::DiskNearlyFull, Subject::Node(self.node));
        let (name, dir) = (&self.name, self.data_dir.display());
        let free = space.free >> 20;
        let at = self.clock.wall();
        let change = match judge(space, is_told) {
            Finding::Same => return,
            Finding::NearlyFull => AlertChange::Raise {
                alerts: vec![Raised {
                    key,
                    run: None,
                    text: format!(
                        "the disk of `{name}` is nearly full: {free} MiB are free for {dir}; below 64 MiB no new work is taken"
                    ),
                }],
                at,
            },
            Finding::Well => AlertChange::Resolve {
                keys: vec![key],
                text: format!("the disk of `{name}` has room again: {free} MiB are free for {dir}"),
                at,
            },
        };
        // Without a leader it is found again at the next look.
        if let Err(error) = self
            .proposer
            .propose(&Command::Alert(Box::new(change)))
            .await
        {
            tracing::warn!(%error, free, "the disk is nearly full, or well again, and nobody could be told");
        }
    }

    fn is_told(&self) -> Result<bool, StoreError> {
        let of = AlertsOf {
            kind: Some(AlertKind::DiskNearlyFull),
            ..AlertsOf::default()
        };
        let open = self.reader.alerts(&of, None, 1_000)?;
        Ok(open
            .iter()
            .any(|alert| alert.key.subject == Subject::Node(self.node)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_nearly_full_below_a_tenth_and_well_above_that() {
        const GIB: u64 = 1 << 30;
        let check = |total: u64, free: u64, is_told, expected| {
            let found = judge(Space { total, free }, is_told);
            assert_eq!(found, expected, "{free} of {total}");
        };
        use Finding::{NearlyFull, Same, Well};
        check(50 * GIB, 5 * GIB, false, Same);
        check(50 * GIB, 5 * GIB - 1, false, NearlyFull);
        check(50 * GIB, 5 * GIB, true, Same);
        check(50 * GIB, 25 * GIB / 4, true, Well);
        // Ten GiB are enough on any disk, and one is little unless the disk is small.
        check(9_000 * GIB, 11 * GIB, false, Same);
        check(9_000 * GIB, 9 * GIB, false, NearlyFull);
        check(6 * GIB, GIB - 1, false, NearlyFull);
        check(GIB, GIB / 4, false, Same);
        check(GIB, GIB / 6, false, NearlyFull);
        check(0, 0, false, Same);
    }
}
