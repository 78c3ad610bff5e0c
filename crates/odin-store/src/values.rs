//! How values are kept: the form of blocks and of the cells above them, which apply writes and readers read.
//!
//! A *series* is what a job reports by one name and kind; its results are one series, without a name. A *block* holds the points of one series that one command
//! brought of one attempt within one *slot* of time. Above the blocks stand *cells*: the smallest, largest, first and
//! last number of a series in a slot, and in 64, 4,096 and 262,144 slots, so that a picture of any length is drawn
//! from a few thousand rows. Cells hold no sums: the order in which numbers are added would show in them.

mod block;
mod cell;
pub(crate) mod cell_rows;
mod latest;
mod removal;

pub(crate) use block::{Block, Point, PointRef};
pub(crate) use cell::{Cell, LEVELS, level_for, width_of};
pub(crate) use latest::{Until, latest_in};
pub(crate) use removal::remove_of_runs;

/// How many bits of an instant's microseconds are within one slot: 16.8 seconds.
pub(crate) const SLOT_BITS: u32 = 24;

/// The slot that an instant is in.
pub(crate) fn slot_of(micros: i64) -> i64 {
    micros >> SLOT_BITS
}
