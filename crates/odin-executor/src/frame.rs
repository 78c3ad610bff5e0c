//! Length-delimited frames: four bytes of little-endian length, one that says how the body is written, and the body in
//! postcard. That one never changed: an executor of another version must be able to read a hello, and the version of
//! what is said is [`PROTOCOL`](crate::protocol::PROTOCOL).

use odin_model::codec::DecodeError;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::{Zeroize, Zeroizing};

/// The longest frame. The longest message is a launch with its environment, or a batch of events; both stay below.
pub const FRAME_BYTES_MAX: usize = 4 << 20;

const HEADER: usize = 4;
/// The first byte of a body.
const POSTCARD: u8 = 2;

/// Why bytes are not frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The peer announced more than [`FRAME_BYTES_MAX`].
    #[error("a message of {bytes} bytes was announced; at most {FRAME_BYTES_MAX} are allowed")]
    TooLong {
        /// What it announced.
        bytes: usize,
    },
    /// The body is not a message.
    #[error("a message cannot be read: {0}")]
    Body(#[from] DecodeError),
}

/// Appends one frame to `out`.
///
/// # Errors
/// When the value is longer than [`FRAME_BYTES_MAX`]; `out` is unchanged then.
pub fn append<T: Serialize>(out: &mut Vec<u8>, value: &T) -> Result<(), FrameError> {
    let mut body = Zeroizing::new(Vec::new());
    *body = postcard::to_extend(value, vec![POSTCARD])
        .expect("messages are plain data, which postcard always writes");
    let length = u32::try_from(body.len())
        .ok()
        .filter(|_| body.len() <= FRAME_BYTES_MAX);
    let length = length.ok_or(FrameError::TooLong { bytes: body.len() })?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&body);
    Ok(())
}

/// Bytes as they arrive, cut into frames.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    taken: usize,
}

impl FrameBuffer {
    /// Adds what arrived.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` until more arrives.
    ///
    /// # Errors
    /// When the peer sent what is not a frame. The connection cannot go on.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let rest = &self.bytes[self.taken..];
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length =
            usize::try_from(u32::from_le_bytes(*header)).expect("32 bits fit a Linux usize");
        if length > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong { bytes: length });
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let value = match body.split_first() {
            Some((&POSTCARD, body)) => postcard::from_bytes(body)
                .map_err(|error| DecodeError::Damaged(error.to_string()))?,
            Some((&found, _)) => return Err(DecodeError::Newer { found }.into()),
            None => return Err(DecodeError::Empty.into()),
        };
        // A launch may have had secrets in it.
        self.bytes[self.taken..self.taken + HEADER + length].zeroize();
        self.taken += HEADER + length;
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
            // A burst of launches must not keep its memory for the months that follow.
            self.bytes.shrink_to(64 << 10);
        }
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_whole_however_they_are_cut() {
        let mut bytes = Vec::new();
        for text in ["", "one", "two and a half"] {
            append(&mut bytes, &text).unwrap();
        }
        for size in 1..=bytes.len() {
            let (mut buffer, mut found) = (FrameBuffer::default(), Vec::new());
            for piece in bytes.chunks(size) {
                buffer.extend(piece);
                while let Some(text) = buffer.take::<String>().unwrap() {
                    found.push(text);
                }
            }
            assert_eq!(found, ["", "one", "two and a half"], "pieces of {size}");
        }
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_it_is_waited_for() {
        let mut buffer = FrameBuffer::default();
        buffer.extend(&u32::MAX.to_le_bytes());
        assert_eq!(
            buffer.take::<String>(),
            Err(FrameError::TooLong { bytes: 0xffff_ffff })
        );
    }
}
