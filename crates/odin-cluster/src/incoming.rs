//! Receives a snapshot in pieces. One at a time: a newer one takes the place of an unfinished one.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::frame::{Chunk, SnapshotId};
use crate::snapshot::{SnapshotDirectory, SnapshotFile};

/// The snapshot being received, if one is.
#[derive(Default)]
pub(crate) struct Incoming {
    transfer: Option<Transfer>,
}

struct Transfer {
    id: SnapshotId,
    file: File,
    path: PathBuf,
    written: u64,
    crc: crc32fast::Hasher,
}

/// What became of a piece.
pub(crate) enum Received {
    /// The next piece must begin here.
    Wants(u64),
    /// That was the last, and the checksum is right.
    Whole(SnapshotFile),
}

impl Incoming {
    /// Takes one piece. A piece that does not follow the last one is dropped, and the answer says what would.
    pub(crate) fn take(
        &mut self,
        chunk: &Chunk,
        directory: &SnapshotDirectory,
    ) -> io::Result<Received> {
        let wanted = match &self.transfer {
            Some(transfer) if transfer.id == chunk.id => transfer.written,
            Some(_) | None => 0,
        };
        let mut transfer = match self
            .transfer
            .take_if(|_| wanted == chunk.offset && wanted > 0)
        {
            Some(transfer) => transfer,
            None if chunk.offset == 0 => Transfer::begin(chunk.id.clone(), directory)?,
            None => return Ok(Received::Wants(wanted)),
        };
        transfer.file.write_all(&chunk.data)?;
        transfer.crc.update(&chunk.data);
        transfer.written += u64::try_from(chunk.data.len()).expect("a length fits 64 bits");
        if transfer.written < transfer.id.bytes {
            let wanted = transfer.written;
            self.transfer = Some(transfer);
            return Ok(Received::Wants(wanted));
        }
        // What came out of it is not what was sent: from the beginning.
        if transfer.written != transfer.id.bytes || transfer.crc.finalize() != transfer.id.crc {
            return Ok(Received::Wants(0));
        }
        transfer.file.sync_all()?;
        SnapshotFile::open(transfer.path, transfer.id.bytes, transfer.id.crc).map(Received::Whole)
    }
}

impl Transfer {
    fn begin(id: SnapshotId, directory: &SnapshotDirectory) -> io::Result<Self> {
        let path = directory.incoming()?;
        let file = File::create_new(&path)?;
        Ok(Self {
            id,
            file,
            path,
            written: 0,
            crc: crc32fast::Hasher::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft_types::StoredMembership;
    use crate::record::VoteRecord;

    fn id(contents: &[u8], term: u64) -> SnapshotId {
        SnapshotId {
            vote: VoteRecord {
                term,
                node: 1,
                committed: true,
            },
            last: None,
            membership: (&StoredMembership::default()).into(),
            bytes: contents.len().try_into().unwrap(),
            crc: crc32fast::hash(contents),
        }
    }

    fn take(
        incoming: &mut Incoming,
        directory: &SnapshotDirectory,
        id: &SnapshotId,
        offset: u64,
        data: &str,
    ) -> String {
        let data = data.as_bytes().to_vec().into();
        match incoming
            .take(
                &Chunk {
                    id: id.clone(),
                    offset,
                    data,
                },
                directory,
            )
            .unwrap()
        {
            Received::Wants(offset) => format!("wants {offset}"),
            Received::Whole(file) => format!(
                "whole: {}",
                String::from_utf8(file.read_at(0, 100).unwrap()).unwrap()
            ),
        }
    }

    #[test]
    fn pieces_make_a_snapshot_only_in_order_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let directory = SnapshotDirectory::open(dir.path()).unwrap();
        let (mut incoming, first, second) = (Incoming::default(), id(b"abcdef", 1), id(b"ghi", 2));
        for (id, offset, data, outcome) in [
            (&first, 3, "def", "wants 0"),
            (&first, 0, "abc", "wants 3"),
            (&first, 5, "f", "wants 3"),
            (&second, 0, "gh", "wants 2"),
            (&first, 3, "def", "wants 0"),
            (&second, 2, "x", "wants 0"),
            (&second, 0, "gh", "wants 2"),
            (&second, 0, "gh", "wants 2"),
            (&second, 2, "i", "whole: ghi"),
        ] {
            let got = take(&mut incoming, &directory, id, offset, data);
            assert_eq!(got, outcome, "{data} at {offset}");
        }
    }
}
