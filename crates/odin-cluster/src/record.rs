//! The forms in which the log's own values are stored and sent: postcard, declared here and not in openraft, so
//! that a new openraft cannot change what is on disk. Enum variants are stored by position: add at the end.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::raft_types::{self, EntryPayload, LogId, Membership, Payload, StoredMembership, Vote};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogIdRecord {
    pub(crate) term: u64,
    pub(crate) index: u64,
}

impl From<LogId> for LogIdRecord {
    fn from(id: LogId) -> Self {
        Self {
            term: id.leader_id.term,
            index: id.index,
        }
    }
}

impl From<LogIdRecord> for LogId {
    fn from(record: LogIdRecord) -> Self {
        raft_types::log_id(record.term, record.index)
    }
}

/// For which node a vote of a term is, and whether a quorum has given theirs to it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VoteRecord {
    pub(crate) term: u64,
    pub(crate) node: u64,
    pub(crate) committed: bool,
}

impl From<Vote> for VoteRecord {
    fn from(vote: Vote) -> Self {
        Self {
            term: vote.leader_id.term,
            node: vote.leader_id.voted_for,
            committed: vote.committed,
        }
    }
}

impl From<VoteRecord> for Vote {
    fn from(record: VoteRecord) -> Self {
        if record.committed {
            Self::new_committed(record.term, record.node)
        } else {
            Self::new(record.term, record.node)
        }
    }
}

/// Who is in the cluster: one set of voters, two while it changes, and all nodes, learners included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MembershipRecord {
    voters: Vec<BTreeSet<u64>>,
    nodes: BTreeSet<u64>,
}

impl From<&Membership> for MembershipRecord {
    fn from(membership: &Membership) -> Self {
        Self {
            voters: membership.get_joint_config().clone(),
            nodes: membership.nodes().map(|(node, ())| *node).collect(),
        }
    }
}

impl From<MembershipRecord> for Membership {
    fn from(record: MembershipRecord) -> Self {
        let nodes: BTreeMap<u64, ()> = record.nodes.into_iter().map(|node| (node, ())).collect();
        Self::new_with_defaults(record.voters, nodes.into_keys())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredMembershipRecord {
    /// The entry that made it so; none before the first.
    at: Option<LogIdRecord>,
    membership: MembershipRecord,
}

impl From<&StoredMembership> for StoredMembershipRecord {
    fn from(stored: &StoredMembership) -> Self {
        Self {
            at: stored.log_id().map(Into::into),
            membership: stored.membership().into(),
        }
    }
}

impl From<StoredMembershipRecord> for StoredMembership {
    fn from(record: StoredMembershipRecord) -> Self {
        Self::new(record.at.map(Into::into), record.membership.into())
    }
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PayloadRecord {
    /// A new leader's first entry.
    Blank,
    Command(#[serde(with = "byte_string")] Bytes),
    Membership(MembershipRecord),
}

impl From<EntryPayload> for PayloadRecord {
    fn from(payload: EntryPayload) -> Self {
        match payload {
            EntryPayload::Blank => Self::Blank,
            EntryPayload::Normal(Payload(command)) => Self::Command(command),
            EntryPayload::Membership(membership) => Self::Membership((&membership).into()),
        }
    }
}

impl From<PayloadRecord> for EntryPayload {
    fn from(record: PayloadRecord) -> Self {
        match record {
            PayloadRecord::Blank => Self::Blank,
            PayloadRecord::Command(command) => Self::Normal(Payload(command)),
            PayloadRecord::Membership(membership) => Self::Membership(membership.into()),
        }
    }
}

/// How far the state has come: what the machine stores as its mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) applied: LogIdRecord,
    pub(crate) membership: StoredMembershipRecord,
}

/// The first byte of a mark, of a snapshot's description and of a frame. A new form gets a new number.
pub(crate) const VERSION: u8 = 1;

/// Why stored or sent bytes were refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("it is in form {0}, and this version of Odin knows form {VERSION}")]
    Version(u8),
    #[error("it is damaged: {0}")]
    Damaged(#[from] postcard::Error),
    #[error("it is empty")]
    Empty,
}

/// The version byte and the value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION])
        .expect("a vector takes any length, and no record refuses to be written")
}

/// The value of bytes made by [`encode`].
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
        Some((&other, _)) => Err(DecodeError::Version(other)),
        None => Err(DecodeError::Empty),
    }
}

/// [`Bytes`] as one byte string instead of a sequence of numbers.
pub(crate) mod byte_string {
    use std::fmt;

    use bytes::Bytes;
    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Bytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        struct ByteString;
        impl Visitor<'_> for ByteString {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte string")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes::copy_from_slice(bytes))
            }
        }
        deserializer.deserialize_bytes(ByteString)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(value: &impl Serialize, stored: &Expect) {
        let hex: Vec<String> = encode(value)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        stored.assert_eq(&hex.join(" "));
    }

    fn membership() -> Membership {
        Membership::new_with_defaults(vec![BTreeSet::from([1, 2])], [1, 2, 3])
    }

    /// A change here cannot read what an older version wrote: add a variant or a version instead.
    #[test]
    fn the_stored_form_stays_as_it_is() {
        check(
            &VoteRecord::from(Vote::new_committed(300, 2)),
            &expect!["01 ac 02 02 01"],
        );
        check(&PayloadRecord::Blank, &expect!["01 00"]);
        check(
            &PayloadRecord::Command(Bytes::from_static(b"ab")),
            &expect!["01 01 02 61 62"],
        );
        check(
            &PayloadRecord::Membership((&membership()).into()),
            &expect!["01 02 01 02 01 02 03 01 02 03"],
        );
        let stored = StoredMembership::new(Some(raft_types::log_id(1, 0)), membership());
        let mark = Mark {
            applied: raft_types::log_id(3, 9).into(),
            membership: (&stored).into(),
        };
        check(&mark, &expect!["01 03 09 01 01 00 01 02 01 02 03 01 02 03"]);
    }

    #[test]
    fn records_read_back_as_they_were() {
        let stored = StoredMembership::new(Some(raft_types::log_id(1, 0)), membership());
        let bytes = encode(&StoredMembershipRecord::from(&stored));
        assert_eq!(
            StoredMembership::from(decode::<StoredMembershipRecord>(&bytes).unwrap()),
            stored
        );
        for vote in [Vote::new(4, 7), Vote::new_committed(4, 7)] {
            assert_eq!(
                Vote::from(decode::<VoteRecord>(&encode(&VoteRecord::from(vote))).unwrap()),
                vote
            );
        }
    }

    #[test]
    fn other_versions_and_damage_are_refused() {
        assert!(matches!(decode::<VoteRecord>(&[]), Err(DecodeError::Empty)));
        assert!(matches!(
            decode::<VoteRecord>(&[9, 1, 1, 1]),
            Err(DecodeError::Version(9))
        ));
        assert!(matches!(
            decode::<VoteRecord>(&[VERSION, 1]),
            Err(DecodeError::Damaged(_))
        ));
    }
}
