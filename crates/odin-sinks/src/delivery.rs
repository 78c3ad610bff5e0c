//! A batch to its receiver. A record that is refused for good must not hold up those behind it: the batch is halved
//! until it stands alone, and it is passed over.

use crate::{Known, Record, Sender, Unsent};

/// How many single records of a batch are looked for. Beyond it, parts of at most [`PART_MAX`] that are refused are passed
/// over whole.
const SINGLED_OUT_MAX: u64 = 50;
/// How many records are passed over together for one of them that may be good: what a batch that is refused throughout
/// costs is a request for each of these parts, and one for each two, four, and so on of them.
const PART_MAX: usize = 32;
/// The longest description of a record that was passed over, in bytes.
const TITLE_BYTES_MAX: usize = 600;

/// What became of a batch that is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// How many records were taken.
    pub sent: u64,
    /// How many were refused for good.
    pub skipped: u64,
    /// The last of those, with the receiver's words.
    pub last_skipped: Option<String>,
}

/// Sends records in their order. Those that have no place in the receiver's form are left out, and not counted.
///
/// A receiver that has not taken anything yet, or nothing of this batch, may refuse whatever it is asked for: it is sent
/// `trial` before a record is passed over for good.
///
/// # Errors
/// [`Unsent::NotNow`]: some were sent, perhaps; all of them are to come again.
pub async fn deliver(
    sender: &mut Sender,
    known: &mut Known,
    mut records: Vec<Record>,
    trial: &Record,
) -> Result<Delivered, Unsent> {
    sender.keep_fitting(&mut records, known);
    let done = deliver_fitting(sender, known, &records, trial).await;
    if done.is_err() {
        known.takes = false;
    }
    done
}

async fn deliver_fitting(
    sender: &mut Sender,
    known: &mut Known,
    records: &[Record],
    trial: &Record,
) -> Result<Delivered, Unsent> {
    let mut delivered = Delivered::default();
    let mut singled_out = 0;
    // Whether the receiver took something of this batch, or the trial.
    let mut took = false;
    // Parts that are still to be sent, the first last.
    let mut parts = vec![records];
    while let Some(part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        let small = match singled_out < SINGLED_OUT_MAX {
            true => 1,
            false => PART_MAX,
        };
        match sender.send(part, known).await {
            Ok(()) => {
                (took, known.takes) = (true, true);
                delivered.sent += part.len() as u64;
            }
            Err(Unsent::Refused(reason)) if part.len() <= small => {
                if !known.takes {
                    try_out(sender, trial, &reason).await?;
                    (took, known.takes) = (true, true);
                }
                singled_out += 1;
                skip(&mut delivered, part, &reason);
            }
            Err(Unsent::Refused(_)) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(Unsent::Partly { rejected, reason }) => {
                (took, known.takes) = (true, true);
                let count = part.len() as u64;
                let rejected = rejected.min(count);
                delivered.sent += count - rejected;
                delivered.skipped += rejected;
                delivered.last_skipped =
                    Some(cut(&format!("{rejected} of {count} records: {reason}")));
            }
            Err(later @ Unsent::NotNow { .. }) => return Err(later),
        }
    }
    if let Some(reason) = delivered.last_skipped.as_ref().filter(|_| !took) {
        try_out(sender, trial, reason).await?;
    }
    Ok(delivered)
}

/// Whether the receiver takes the trial: then what it refused is at fault, and not the receiver.
async fn try_out(sender: &mut Sender, trial: &Record, refused: &str) -> Result<(), Unsent> {
    match sender.send_trial(trial).await {
        Ok(()) => Ok(()),
        Err(later @ Unsent::NotNow { .. }) => Err(later),
        Err(Unsent::Refused(_) | Unsent::Partly { .. }) => Err(Unsent::not_now(format!(
            "{refused}; it refuses the record of `odin sink test` too, so nothing is passed over: look at the sink's \
             address, also at its path"
        ))),
    }
}

fn skip(delivered: &mut Delivered, part: &[Record], reason: &str) {
    let title = part.last().map(Record::title).unwrap_or_default();
    delivered.skipped += part.len() as u64;
    delivered.last_skipped = Some(cut(&format!("{title}: {reason}")));
}

/// The beginning of a text, at a character's end.
pub(crate) fn cut(text: &str) -> String {
    let mut end = text.len().min(TITLE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let shown = text[..end].chars();
    shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use odin_model::ValueData;

    use super::*;
    use crate::record::tests::value;
    use crate::sender::Scripted;

    /// The place of the trial.
    const TRIAL: u32 = 1_000;

    fn numbered(index: u32) -> Record {
        let data = ValueData::Number("1".to_owned());
        value(index, &format!("n{index}"), data)
    }

    fn batch() -> Vec<Record> {
        (0..100).map(numbered).collect()
    }

    async fn check(takes: bool, poisoned: &[u32], counts: (u64, u64), trials: usize) {
        let mut sender = Sender::scripted(Scripted {
            poisoned: poisoned.iter().copied().collect::<BTreeSet<_>>(),
            taken: Vec::new(),
        });
        let mut known = Known {
            takes,
            ..Known::default()
        };
        let trial = numbered(TRIAL);
        let delivering = deliver(&mut sender, &mut known, batch(), &trial);
        let delivered = delivering.await.unwrap();
        assert_eq!(
            (delivered.sent, delivered.skipped),
            counts,
            "{takes} {poisoned:?}"
        );
        let mut taken = sender.into_scripted().unwrap().taken;
        let all = taken.len();
        taken.retain(|place| *place != TRIAL);
        assert_eq!(all - taken.len(), trials, "{takes} {poisoned:?}");
        assert!(taken.is_sorted(), "in their order");
        assert_eq!(taken.len() as u64, counts.0);
        if let [.., last] = poisoned {
            let said = delivered.last_skipped.unwrap();
            assert!(said.contains(&format!("\"n{last}\"")), "{said}");
        }
    }

    #[tokio::test]
    async fn a_poisoned_record_is_passed_over_and_named_and_the_others_go() {
        for takes in [false, true] {
            check(takes, &[], (100, 0), 0).await;
            // Unless it has taken something before, the receiver is tried.
            check(takes, &[0], (99, 1), usize::from(!takes)).await;
            check(takes, &[99], (99, 1), 0).await;
            check(takes, &[13, 14, 77], (97, 3), 0).await;
        }
    }

    #[tokio::test]
    async fn where_all_records_but_the_trial_are_refused_the_search_has_an_end() {
        let all: Vec<u32> = (0..100).collect();
        check(false, &all, (0, 100), 1).await;
        check(true, &all, (0, 100), 1).await;
    }

    #[tokio::test]
    async fn where_many_are_refused_few_good_ones_go_with_each() {
        let mut sender = Sender::scripted(Scripted {
            poisoned: (0..60).chain([700]).collect(),
            taken: Vec::new(),
        });
        let records = (0..1_000).map(numbered).collect();
        let (mut known, trial) = (Known::default(), numbered(TRIAL));
        let delivering = deliver(&mut sender, &mut known, records, &trial);
        let delivered = delivering.await.unwrap();
        assert_eq!(delivered.sent + delivered.skipped, 1_000);
        let (bad, parts) = (61, 2);
        let good_lost = delivered.skipped - bad;
        assert!(good_lost <= parts * PART_MAX as u64, "{delivered:?}");
    }

    #[tokio::test]
    async fn a_receiver_that_refuses_the_trial_too_fails_and_costs_no_record() {
        for takes in [false, true] {
            let mut sender = Sender::scripted(Scripted {
                poisoned: (0..=TRIAL).collect(),
                taken: Vec::new(),
            });
            let mut known = Known {
                takes,
                ..Known::default()
            };
            let trial = numbered(TRIAL);
            match deliver(&mut sender, &mut known, batch(), &trial).await {
                Err(Unsent::NotNow { reason, .. }) => {
                    assert!(reason.contains("poison"), "{reason}");
                    assert!(reason.contains("address"), "{reason}");
                }
                other => panic!("{other:?}"),
            }
            assert!(!known.takes, "it is tried again before the next");
        }
    }
}
