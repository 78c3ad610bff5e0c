//! What jobs report: the socket that they speak on, and the files that hold what they say until a server has it.
//!
//! Anybody on the machine may connect, so a thread of its own serves the socket: whatever is done to it costs the jobs
//! nothing but the processor's time. The first line is the hello; the lines behind it are not parsed. They go, as they
//! are but for secrets, into one file for each attempt, and are acknowledged by their number once they are on the disk.
//!
//! A file is `values/<run>.<attempt>` in the data directory, mode 0600: [`MAGIC`], then frames of
//! `{length u32, crc32 u32, read at (microseconds) i64, kind u8, body}`, all little-endian; the length counts the body
//! alone, the checksum covers everything after itself. A torn end is where the file ends.

mod access;
mod door;
mod file;
mod guests;
mod hello;
mod keeping;
mod lines;
mod masked;
mod pace;
mod results;
mod sync;
mod token;

pub(crate) use access::{Access, Accesses, Terms};
pub(crate) use door::{Bounds, open};
pub use file::{Kept, KeptLine, Page, ValuesFileError, list, read, remove};
pub(crate) use token::RunToken;

/// The first bytes of a file of reports: what it is, and the version of its form.
pub const MAGIC: [u8; 8] = *b"odinval1";

/// The longest line, without its end. What is longer is cut there.
pub const LINE_BYTES_MAX: usize = 64 << 10;
