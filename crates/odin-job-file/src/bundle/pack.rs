//! Files to one archive.

use std::io::{self, Write};

use odin_model::BundleHash;
use sha2::{Digest, Sha256};

use crate::bundle::archive::{self, END};
use crate::bundle::collect::{Bundle, Item};
use crate::bundle::error::BundleError;
use crate::bundle::{Entry, EntryKind, PACKED_BYTES_MAX};

/// zstd's own default: more costs the deployer time and saves few bytes of source code.
const LEVEL: i32 = 3;

/// A bundle as it is sent and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedBundle {
    /// Its name: the SHA-256 of the canonical tar.
    pub hash: BundleHash,
    /// The tar as one zstd frame.
    pub bytes: Vec<u8>,
    /// What its files come to, in bytes.
    pub unpacked_bytes: u64,
}

impl Bundle {
    /// Packs the files. The same files have the same hash, whenever and wherever they are packed.
    ///
    /// # Errors
    /// [`BundleError::PackedTooLarge`].
    pub fn pack(&self) -> Result<PackedBundle, BundleError> {
        let encoder = encoder().map_err(archive::read_error)?;
        let mut out = Hashed {
            hash: Sha256::new(),
            encoder,
        };
        let mut unpacked_bytes = 0;
        for (path, item) in self.items() {
            let (kind, content): (_, &[u8]) = match item {
                Item::Directory => (EntryKind::Directory, &[]),
                Item::File { mode, content } => (
                    EntryKind::File {
                        mode: *mode,
                        bytes: content.len() as u64,
                    },
                    content,
                ),
            };
            let bytes = content.len() as u64;
            unpacked_bytes += bytes;
            let entry = Entry {
                path: path.clone(),
                kind,
            };
            out.put(&archive::header_of(&entry))?;
            out.put(content)?;
            out.put(&END[..archive::padding(bytes)])?;
        }
        out.put(&END)?;
        let bytes = out.encoder.finish().map_err(archive::read_error)?;
        if bytes.len() as u64 > PACKED_BYTES_MAX {
            return Err(BundleError::PackedTooLarge);
        }
        Ok(PackedBundle {
            hash: BundleHash(out.hash.finalize().into()),
            bytes,
            unpacked_bytes,
        })
    }
}

fn encoder() -> io::Result<zstd::stream::write::Encoder<'static, Vec<u8>>> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

/// Hashes what goes into the compressor.
struct Hashed {
    hash: Sha256,
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
}

impl Hashed {
    fn put(&mut self, bytes: &[u8]) -> Result<(), BundleError> {
        self.hash.update(bytes);
        self.encoder.write_all(bytes).map_err(archive::read_error)?;
        // Looked at on the way: the rest of a bundle that is too large already is not worth packing.
        if self.encoder.get_ref().len() as u64 > PACKED_BYTES_MAX {
            return Err(BundleError::PackedTooLarge);
        }
        Ok(())
    }
}
