//! How a command ends, and the exit code that says so.

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The job or the operation failed.
    Failed = 1,
    /// Refused input or usage.
    Refused = 2,
    /// No server, or no leader.
    Unavailable = 3,
    /// Not found.
    NotFound = 4,
    /// Not permitted.
    NotPermitted = 5,
    /// Somebody or something else was first.
    Conflict = 6,
}

impl Exit {
    /// The exit code that goes with an HTTP status.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Done,
            400 | 422 => Self::Refused,
            401 | 403 => Self::NotPermitted,
            404 => Self::NotFound,
            409 | 412 => Self::Conflict,
            503 => Self::Unavailable,
            _ => Self::Failed,
        }
    }

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}
