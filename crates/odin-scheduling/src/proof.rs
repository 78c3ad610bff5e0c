//! Is a ledger complete and true? Derives due times again from what a job was, and compares.
//!
//! A job's history is cut into [`Stretch`]es: from one change that bears on its due times to the next. Within a
//! stretch its due times are the first one, which the state held, and those that follow it by the schedule of the
//! version then in force. [`Audit`] walks over them beside the ledger's rows; ranges are counted, not listed.

mod audit;
mod expected;
mod report;
mod stretch;

pub use audit::{Audit, Evidence, RunFacts};
pub use report::{FINDINGS_MAX, Finding, Flaw, Lateness, PERIODS_MAX, Report, Undetermined};
pub use stretch::{Rule, Stretch, Until, check_changes, stretches};
