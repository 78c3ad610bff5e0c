//! The plainest calculator there is: it looks at every minute (or second) of a stretch of time,
//! asks jiff what the local clock shows, and asks of the parts of a schedule whether that is due.
//!
//! A random [`model::Model`] prints itself as text and knows its own meaning, so nothing of
//! the crate under test takes part until [`compare`] holds its answers against the walk.

pub(crate) mod calendars;
pub(crate) mod clock;
pub(crate) mod compare;
pub(crate) mod cron;
pub(crate) mod draw;
pub(crate) mod generate;
pub(crate) mod model;
pub(crate) mod text;
pub(crate) mod walk;
