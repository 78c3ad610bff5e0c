//! Says in full sentences what a schedule does.

use crate::english;
use crate::schedule::Schedule;

/// Every sentence about a schedule.
pub(crate) fn explain(schedule: &Schedule) -> String {
    english::canonical(schedule)
}
