//! A batch to its receiver. A record that is refused for good must not hold up those behind it: the batch is halved
//! until it stands alone, and it is passed over.

use crate::{Record, Sender, Unsent};

/// How many single records of a batch are looked for. Beyond it, parts that are refused are passed over whole.
const SINGLED_OUT_MAX: u64 = 50;
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

/// Sends records in their order.
///
/// # Errors
/// [`Unsent::NotNow`]: some were sent, perhaps; all of them are to come again.
pub async fn deliver(sender: &mut Sender, records: &[Record]) -> Result<Delivered, Unsent> {
    let mut delivered = Delivered::default();
    let mut singled_out = 0;
    // Parts that are still to be sent, the first last.
    let mut parts = vec![records];
    while let Some(part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        match sender.send(part).await {
            Ok(()) => delivered.sent += part.len() as u64,
            Err(Unsent::Refused(reason)) if part.len() == 1 || singled_out >= SINGLED_OUT_MAX => {
                singled_out += 1;
                skip(&mut delivered, part, &reason);
            }
            Err(Unsent::Refused(_)) => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(Unsent::Partly { rejected, reason }) => {
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
    Ok(delivered)
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

    async fn check(poisoned: &[u32], sent: u64, skipped: u64) {
        let records: Vec<_> = (0..100)
            .map(|index| {
                value(
                    index,
                    &format!("n{index}"),
                    ValueData::Number("1".to_owned()),
                )
            })
            .collect();
        let mut sender = Sender::scripted(Scripted {
            poisoned: poisoned.iter().copied().collect::<BTreeSet<_>>(),
            taken: Vec::new(),
        });
        let delivered = deliver(&mut sender, &records).await.unwrap();
        assert_eq!(
            (delivered.sent, delivered.skipped),
            (sent, skipped),
            "{poisoned:?}"
        );
        let scripted = sender.into_scripted().unwrap();
        assert!(scripted.taken.is_sorted(), "in their order");
        assert_eq!(scripted.taken.len() as u64, sent);
        if let [.., last] = poisoned {
            let said = delivered.last_skipped.unwrap();
            assert!(said.contains(&format!("\"n{last}\"")), "{said}");
        }
    }

    #[tokio::test]
    async fn a_poisoned_record_is_passed_over_and_named_and_the_others_go() {
        check(&[], 100, 0).await;
        check(&[0], 99, 1).await;
        check(&[99], 99, 1).await;
        check(&[13, 14, 77], 97, 3).await;
    }

    #[tokio::test]
    async fn where_everything_is_refused_the_search_has_an_end() {
        let all: Vec<u32> = (0..100).collect();
        check(&all, 0, 100).await;
    }
}
