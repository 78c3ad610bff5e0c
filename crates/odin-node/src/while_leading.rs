//! What only the leader does: work that begins with each term of this node and ends with it.

use std::time::Duration;

use odin_cluster::{Leadership, Log, Term};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a new leader may take to apply what its log holds before it tries again.
const CATCH_UP: Duration = Duration::from_secs(60);
/// How long is waited before it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Does `work` in each term in which this node leads, until `stop`.
///
/// The work is dropped at whatever await it is when its term or the server ends: it has to be such that this loses
/// nothing. Where it ends by itself while the term goes on, it begins again.
pub(crate) async fn while_leading<W>(
    mut leadership: watch::Receiver<Leadership>,
    stop: CancellationToken,
    work: impl Fn(Term) -> W,
) where
    W: Future<Output = ()>,
{
    loop {
        let now = *leadership.borrow_and_update();
        let changed = async {
            match now {
                Leadership::Leading { term } => tokio::select! {
                    () = left(&mut leadership, term) => {}
                    () = work(term) => {}
                },
                Leadership::NoLeader | Leadership::Following(_) => {
                    if leadership.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = changed => {}
        }
    }
}

/// Resolves when this node leads no longer in `term`.
async fn left(leadership: &mut watch::Receiver<Leadership>, term: Term) {
    let still = |now: &Leadership| *now == Leadership::Leading { term };
    // A closed channel means a stopped log: its last word was that nobody leads.
    let _ = leadership.wait_for(|now| !still(now)).await;
}

/// Whether this node's state holds all that its log did when it became the leader: what an earlier leader decided must
/// be applied here before anything is decided on top of it. Where it does not, a moment has passed.
pub(crate) async fn caught_up(log: &Log, term: Term) -> bool {
    let caught_up = async {
        let index = log.confirm().await.map_err(|error| error.to_string())?;
        let applied = log.wait_applied(index, CATCH_UP).await;
        applied.map_err(|error| error.to_string())
    };
    match caught_up.await {
        Ok(()) => true,
        Err(reason) => {
            tracing::debug!(%term, reason, "did not begin to lead");
            tokio::time::sleep(AGAIN).await;
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use odin_model::NodeId;
    use tokio::sync::mpsc;

    use super::*;

    /// Says when it is dropped.
    struct Said(mpsc::UnboundedSender<String>, String);

    impl Drop for Said {
        fn drop(&mut self) {
            let _ = self.0.send(format!("{} ended", self.1));
        }
    }

    #[tokio::test]
    async fn work_lasts_as_long_as_its_term_and_no_longer_than_the_server() {
        let leading = |term| Leadership::Leading { term: Term(term) };
        let (changes, leadership) = watch::channel(Leadership::NoLeader);
        let (says, mut said) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let work = move |term: Term| {
            let said = Said(says.clone(), format!("term {term}"));
            async move {
                let _ = said.0.send(format!("{} began", said.1));
                // The work of the third term ends by itself, and begins again.
                if term == Term(3) {
                    tokio::task::yield_now().await;
                    return;
                }
                std::future::pending::<()>().await;
            }
        };
        let task = tokio::spawn(while_leading(leadership, stop.clone(), work));
        for (now, expected) in [
            (leading(1), &["term 1 began"][..]),
            (leading(2), &["term 1 ended", "term 2 began"]),
            (Leadership::Following(NodeId(7)), &["term 2 ended"]),
            (
                leading(3),
                &["term 3 began", "term 3 ended", "term 3 began"],
            ),
        ] {
            changes.send(now).unwrap();
            for words in expected {
                assert_eq!(said.recv().await.unwrap(), *words);
            }
        }
        stop.cancel();
        task.await.unwrap();
    }
}
