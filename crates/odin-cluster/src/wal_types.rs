//! raft-log's parameters: how votes and entries look in the log's files.
//!
//! These forms are on disk: an entry is a kind, a length and that many bytes. raft-log puts a checksum around each.

use std::cmp::Ordering;
use std::io::{self, Read, Write};

use bytes::Bytes;
use codeq::{Decode, Encode};

use crate::raft_types::{EntryPayload, Payload, Vote};
use crate::record::{MembershipRecord, VoteRecord, decode, encode};

/// An entry longer than this is damage: commands are limited to far less.
const PAYLOAD_BYTES_MAX: u32 = 16 * 1024 * 1024;

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct WalTypes;

impl raft_log::Types for WalTypes {
    /// Term and index.
    type LogId = (u64, u64);
    type LogPayload = StoredPayload;
    type Vote = StoredVote;
    type Callback = Flushed;
    /// Which node the log belongs to.
    type UserData = u64;

    fn log_index(id: &(u64, u64)) -> u64 {
        id.1
    }

    fn payload_size(payload: &StoredPayload) -> u64 {
        u64::try_from(payload.bytes.len()).expect("a length fits 64 bits")
    }
}

/// What happens when a write is on the disk, or failed. Called on raft-log's thread: it must not wait for the log.
pub(crate) struct Flushed(pub(crate) Box<dyn FnOnce(io::Result<()>) + Send>);

impl raft_log::Callback for Flushed {
    fn send(self, result: io::Result<()>) {
        (self.0)(result);
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredVote(pub(crate) Vote);

impl PartialOrd for StoredVote {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.0.partial_cmp(&other.0)
    }
}

impl Encode for StoredVote {
    fn encode<W: Write>(&self, writer: W) -> io::Result<usize> {
        encode(&VoteRecord::from(self.0)).encode(writer)
    }
}

impl Decode for StoredVote {
    fn decode<R: Read>(reader: R) -> io::Result<Self> {
        let bytes = Vec::<u8>::decode(reader)?;
        let record: VoteRecord = decode(&bytes).map_err(damaged)?;
        Ok(Self(record.into()))
    }
}

/// What an entry says, as its kind and its bytes. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPayload {
    kind: u8,
    bytes: Bytes,
}

const BLANK: u8 = 0;
const COMMAND: u8 = 1;
const MEMBERSHIP: u8 = 2;

impl From<EntryPayload> for StoredPayload {
    fn from(payload: EntryPayload) -> Self {
        match payload {
            EntryPayload::Blank => Self {
                kind: BLANK,
                bytes: Bytes::new(),
            },
            EntryPayload::Normal(Payload(bytes)) => Self {
                kind: COMMAND,
                bytes,
            },
            EntryPayload::Membership(membership) => Self {
                kind: MEMBERSHIP,
                bytes: encode(&MembershipRecord::from(&membership)).into(),
            },
        }
    }
}

impl TryFrom<StoredPayload> for EntryPayload {
    type Error = io::Error;

    fn try_from(stored: StoredPayload) -> io::Result<Self> {
        match stored.kind {
            BLANK => Ok(Self::Blank),
            COMMAND => Ok(Self::Normal(Payload(stored.bytes))),
            MEMBERSHIP => {
                let record: MembershipRecord = decode(&stored.bytes).map_err(damaged)?;
                Ok(Self::Membership(record.into()))
            }
            other => Err(damaged(format!(
                "an entry of kind {other}, which this version of Odin does not know"
            ))),
        }
    }
}

impl Encode for StoredPayload {
    fn encode<W: Write>(&self, mut writer: W) -> io::Result<usize> {
        let length = u32::try_from(self.bytes.len()).map_err(damaged)?;
        let mut written = self.kind.encode(&mut writer)?;
        written += length.encode(&mut writer)?;
        writer.write_all(&self.bytes)?;
        Ok(written + self.bytes.len())
    }
}

impl Decode for StoredPayload {
    fn decode<R: Read>(mut reader: R) -> io::Result<Self> {
        let kind = u8::decode(&mut reader)?;
        let length = u32::decode(&mut reader)?;
        if length > PAYLOAD_BYTES_MAX {
            return Err(damaged(format!("an entry of {length} bytes")));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(damaged)?];
        reader.read_exact(&mut bytes)?;
        Ok(Self {
            kind,
            bytes: bytes.into(),
        })
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(payload: &EntryPayload, stored: &Expect) {
        let mut bytes = Vec::new();
        let record = StoredPayload::from(payload.clone());
        assert_eq!(record.encode(&mut bytes).unwrap(), bytes.len());
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        stored.assert_eq(&hex.join(" "));
        let read =
            EntryPayload::try_from(StoredPayload::decode(bytes.as_slice()).unwrap()).unwrap();
        assert!(&read == payload, "{read}");
    }

    /// A change here cannot read what an older version wrote: add a kind instead.
    #[test]
    fn the_form_on_disk_stays_as_it_is() {
        check(&EntryPayload::Blank, &expect!["00 00 00 00 00"]);
        check(
            &EntryPayload::Normal(Payload(Bytes::from_static(b"ab"))),
            &expect!["01 00 00 00 02 61 62"],
        );
        let membership = openraft::Membership::new_with_defaults(vec![[1].into()], [1]);
        check(
            &EntryPayload::Membership(membership),
            &expect!["02 00 00 00 06 01 01 01 01 01 01"],
        );
    }

    #[test]
    fn an_absurd_length_is_damage_and_not_an_allocation() {
        let error = StoredPayload::decode([1, 255, 255, 255, 255].as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
