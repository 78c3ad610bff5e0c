//! The compressed stream of a backup: zstd, with the head and the data of each member in frames of their own. Each frame
//! has its own checksum, so damage shows in the member that has it, and a reader of zstd sees one stream.

use std::io::{self, Write};

use zstd::stream::write::Encoder;

/// The head of a member of a tar.
const HEAD_BYTES: u64 = 512;
/// Fast, and about half the size: bundles and output are compressed or random already where they are large.
const LEVEL: i32 = 3;

/// Writes frames.
pub(super) struct Frames<W: Write> {
    /// `None` only while a frame ends.
    encoder: Option<Encoder<'static, W>>,
    /// Bytes of the present frame, before compression.
    written: u64,
    is_head: bool,
}

impl<W: Write> Frames<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        Ok(Self {
            encoder: Some(encoder(out)?),
            written: 0,
            is_head: true,
        })
    }

    /// The next bytes are the head of a member.
    pub(super) fn next_member(&mut self) -> io::Result<()> {
        self.next_frame()?;
        self.is_head = true;
        Ok(())
    }

    fn next_frame(&mut self) -> io::Result<()> {
        if self.written > 0 {
            let ended = self.encoder.take().expect("frames follow each other");
            self.encoder = Some(encoder(ended.finish()?)?);
            self.written = 0;
        }
        Ok(())
    }

    /// Ends the last frame.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.encoder
            .take()
            .expect("frames follow each other")
            .finish()
    }
}

impl<W: Write> Write for Frames<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut part = bytes;
        if self.is_head {
            let left = HEAD_BYTES - self.written;
            if left == 0 {
                self.next_frame()?;
                self.is_head = false;
            } else {
                part = &bytes[..bytes.len().min(usize::try_from(left).expect("512 at most"))];
            }
        }
        let encoder = self.encoder.as_mut().expect("frames follow each other");
        let written = encoder.write(part)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn encoder<W: Write>(out: W) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}
