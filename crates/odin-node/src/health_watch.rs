//! Tells of a node that is up and can start nothing: its clock is off, or no executor answers.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use odin_model::alert::{AlertChange, AlertKey, AlertKind, Raised, Subject};
use odin_model::{Clock, Command, NodeId};
use odin_store::{AlertsOf, Reader, StoreError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::proposer::Proposer;
use crate::wall_offset::SKEW_MAX;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(10);
/// How many looks in a row have to find the same: an executor that is started anew is no trouble.
const LOOKS: u8 = 3;
/// What tells the alerts of one node apart.
const CLOCK: &str = "clock";
const EXECUTOR: &str = "executor";

/// Watches what this node needs for starting runs.
pub(crate) struct HealthWatch {
    pub(crate) proposer: Proposer,
    pub(crate) reader: Reader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) node: NodeId,
    pub(crate) name: String,
    /// How far the wall clock is from the leader's, where that is too far.
    pub(crate) too_far_off: watch::Receiver<Option<SignedDuration>>,
    /// Whether there is an executor.
    pub(crate) executor_answers: watch::Receiver<bool>,
}

/// What the latest looks found.
#[derive(Debug, Default)]
struct Looks {
    is_well: bool,
    in_a_row: u8,
}

/// What a look means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Unwell,
    Well,
    Same,
}

impl Looks {
    /// `is_told`: whether the alert is there.
    fn judge(&mut self, is_well: bool, is_told: bool) -> Finding {
        self.in_a_row = match self.is_well == is_well {
            true => self.in_a_row.saturating_add(1),
            false => 1,
        };
        self.is_well = is_well;
        match (is_well, is_told) {
            (true, true) if self.in_a_row >= LOOKS => Finding::Well,
            (false, false) if self.in_a_row >= LOOKS => Finding::Unwell,
            _ => Finding::Same,
        }
    }
}

impl HealthWatch {
    /// Watches until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (mut clock, mut executor) = (Looks::default(), Looks::default());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.look(&mut clock, &mut executor) => {}
            }
        }
    }

    async fn look(&self, clock: &mut Looks, executor: &mut Looks) {
        let name = &self.name;
        let off = *self.too_far_off.borrow();
        let answers = *self.executor_answers.borrow();
        let (off_text, max) = (off.unwrap_or_default().abs(), SKEW_MAX.as_millis());
        let texts = [
            format!(
                "the wall clock of `{name}` is {off_text:#} away from the leader's: beyond {max} ms it starts nothing new"
            ),
            format!("the wall clock of `{name}` is right again"),
        ];
        self.tell(clock, CLOCK, off.is_none(), texts).await;
        let texts = [
            format!("no executor answers on `{name}`: it starts nothing, and its log says why"),
            format!("an executor answers on `{name}` again"),
        ];
        self.tell(executor, EXECUTOR, answers, texts).await;
    }

    async fn tell(
        &self,
        looks: &mut Looks,
        detail: &str,
        is_well: bool,
        [unwell, well]: [String; 2],
    ) {
        let key = AlertKey::detailed(AlertKind::NodeUnwell, Subject::Node(self.node), detail);
        let Ok(is_told) = self.is_told(&key) else {
            return;
        };
        let at = self.clock.wall();
        let change = match looks.judge(is_well, is_told) {
            Finding::Same => return,
            Finding::Unwell => AlertChange::Raise {
                alerts: vec![Raised {
                    key,
                    run: None,
                    text: unwell,
                }],
                at,
            },
            Finding::Well => AlertChange::Resolve {
                keys: vec![key],
                text: well,
                at,
            },
        };
        // Without a leader it is found again at the next look.
        if let Err(error) = self
            .proposer
            .propose(&Command::Alert(Box::new(change)))
            .await
        {
            tracing::warn!(%error, detail, is_well, "what this node can do has changed, and nobody could be told");
        }
    }

    fn is_told(&self, key: &AlertKey) -> Result<bool, StoreError> {
        let of = AlertsOf {
            kind: Some(AlertKind::NodeUnwell),
            ..AlertsOf::default()
        };
        let open = self.reader.alerts(&of, None, 1_000)?;
        Ok(open.iter().any(|alert| alert.key == *key))
    }
}

#[cfg(test)]
mod tests {
    use super::Finding::{Same, Unwell, Well};
    use super::*;

    #[test]
    fn what_three_looks_find_is_told_once_and_its_end_too() {
        let mut looks = Looks::default();
        let mut is_told = false;
        for (number, (is_well, expected)) in [
            (true, Same),
            (false, Same),
            (false, Same),
            (true, Same),
            (false, Same),
            (false, Same),
            (false, Unwell),
            (false, Same),
            (true, Same),
            (true, Same),
            (true, Well),
            (true, Same),
        ]
        .into_iter()
        .enumerate()
        {
            let found = looks.judge(is_well, is_told);
            assert_eq!(found, expected, "look {number}");
            match found {
                Unwell => is_told = true,
                Well => is_told = false,
                Same => {}
            }
        }
    }
}
