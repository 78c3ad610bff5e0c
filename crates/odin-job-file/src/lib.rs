//! Reads job files, with the place of every mistake.
//!
//! * [`read`] turns the text of a file into a [`JobFile`], or into all its [`Mistakes`] with codes, places and next
//!   steps. It looks at nothing but the text.
//! * [`bundle`] collects the files that a job file names into one archive, and checks archives that arrive.
//! * [`template`](template()) writes the files that `odin generate` makes.
//! * [`schema`](schema()) and [`reference`](reference()) describe the keys, from the same table that the reader uses.
//!
//! ```
//! use odin_job_file::{Defaults, line_and_column, read};
//!
//! let text = "job:\n  name: report\n  schedule: every Wendesday at 09:00\n  command: [df, -h]\n";
//! let mistakes = read(text, &Defaults::default()).expect_err("the day is misspelt");
//! let mistake = &mistakes.list()[0];
//! assert_eq!(mistake.code, "schedule/unknown-word");
//! assert_eq!(&text[mistake.span.clone()], "Wendesday");
//! assert_eq!(line_and_column(text, mistake.span.start), (3, 19));
//!
//! let text = text.replace("Wendesday", "Wednesday");
//! let file = read(&text, &Defaults::default()).expect("nothing else is wrong");
//! assert_eq!(file.spec("Europe/Dublin").schedule, "every Wednesday at 09:00");
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod alerting;
pub mod bundle;
mod choice;
mod document;
mod duration;
mod environment;
mod execution;
mod fault;
mod fields;
mod keep;
mod key;
mod keys;
pub mod language;
pub mod mistake;
mod policies;
mod program;
mod read;
mod reference;
mod schedule;
mod schema;
mod secrets;
mod shape;
mod size;
mod suggestion;
pub mod template;
mod text;
mod unknown_key;
mod value_bounds;
mod words;

pub use duration::DURATION_MAX;
pub use fault::FILE_BYTES_MAX;
pub use language::Language;
pub use mistake::{Mistake, Mistakes, Severity, line_and_column};
pub use program::go_binary_of;
pub use read::{Defaults, JobFile, Purpose, SPEC_BYTES_MAX, read};
pub use reference::reference;
pub use schema::schema;
pub use size::parse as parse_size;
pub use suggestion::nearest;
pub use template::{Template, template};
