//! How long a receiver is waited for, and how much of its answer is read.

use std::time::Duration;

/// What one attempt may take. Each has an end of its own, and their sum is the end of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long the way to a connection may take: the host's address, TCP, and TLS.
    pub connect: Duration,
    /// How long an exchange may take, from its beginning, the connection included, to the end of the answer's head.
    pub exchange: Duration,
    /// How long the answer's body may take after its head.
    pub body: Duration,
    /// How many bytes of the answer's body are read; the rest is left, and the connection is not used again.
    pub answer_bytes_max: usize,
}

impl Default for Bounds {
    /// 10 s to connect, 30 s to an answer, 30 s more for its body, of which 64 KiB are read.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            exchange: Duration::from_secs(30),
            body: Duration::from_secs(30),
            answer_bytes_max: 64 * 1024,
        }
    }
}
