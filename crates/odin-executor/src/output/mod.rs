//! What attempts print: kept in the result while it is small, in one file per attempt beyond that.
//!
//! A file is `output/<run>.<attempt>` in the data directory, mode 0600: [`MAGIC`], then frames of
//! `{length u32, crc32 u32, read at (microseconds) i64, bytes before u64, stream u8, bytes}`, all little-endian; the
//! length counts the bytes alone, the checksum covers everything after itself. No frame crosses a multiple of 256 KiB:
//! one that would is written as two, and where a block has no room for a frame with a byte it ends in zeros. So a frame
//! begins at each such multiple and says how many bytes of output come before it, and a place in the middle of a long
//! file is found by halving. One file per attempt makes retention an unlink and lets
//! a reader skip from frame to frame; a torn end is where the file ends.

mod capture;
mod file;

pub(crate) use capture::Capture;
pub use file::{OutputError, Page, Place, end, find, read, remove};

/// The first bytes of an output file: what it is, and the version of its form.
pub const MAGIC: [u8; 8] = *b"odinout2";

/// The longest frame's bytes. Readers refuse longer ones, so damage cannot make them allocate.
pub const FRAME_BYTES_MAX: usize = 64 << 10;
