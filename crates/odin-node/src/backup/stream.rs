//! A backup on its way to a client: a thread of its own writes, as fast as the client takes.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use bytes::Bytes;
use odin_executor::fault::{self, Point};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::collect::Collected;

/// How large a piece is.
const PIECE_BYTES: usize = 256 * 1024;
/// How many pieces wait for the client; then the writer waits.
const PIECES_MAX: usize = 4;

/// Writes what was collected, piece by piece, and tells `over` at the end whether all of it was taken. `turn` is given back when nothing of it is left.
pub(crate) fn stream(
    collected: Collected,
    key: PathBuf,
    over: impl FnOnce(bool) + Send + 'static,
    turn: OwnedSemaphorePermit,
) -> mpsc::Receiver<io::Result<Bytes>> {
    let (pieces, receiver) = mpsc::channel(PIECES_MAX);
    // The thread ends with the backup or with the client: nobody waits for it.
    drop(tokio::task::spawn_blocking(move || {
        fault::reach(Point::ServerBackupMiddle);
        let out = BufWriter::with_capacity(PIECE_BYTES, Pieces(pieces.clone()));
        let written = collected.write(out, &key);
        over(written.is_ok());
        match written {
            Ok(()) => tracing::info!("a backup was sent"),
            Err(error) => {
                tracing::warn!(%error, "a backup broke off");
                // Who has gone away does not want to know.
                let _ = pieces.blocking_send(Err(io::Error::other(error.to_string())));
            }
        }
        drop(collected);
        drop(turn);
    }));
    receiver
}

struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        self.0
            .blocking_send(Ok(piece))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client went away"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
