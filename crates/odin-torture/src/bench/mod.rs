//! The figures of a whole server, each beside this machine's raw ones or the design's target, in one run.

mod chain;
mod idle;
mod lateness;
mod mass;
mod populate;
mod proposals;
mod rate;
mod raw;
mod sinks;
pub(crate) mod values;

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use crate::arguments::Arguments;
use crate::outcome::Outcome;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Processes of one raw measurement, and jobs due at one instant.
    pub(crate) herd: usize,
    /// How long a rate is measured.
    pub(crate) window: Duration,
    /// Jobs of a large server.
    pub(crate) registered: u64,
    /// Jobs of one instant that take minutes.
    pub(crate) mass: u64,
    /// Proposals of one measurement.
    pub(crate) proposals: usize,
    /// Values that are reported.
    pub(crate) values: u64,
}

const FULL: Size = Size {
    herd: 1000,
    window: Duration::from_secs(15),
    registered: 100_000,
    mass: 100_000,
    proposals: 20_000,
    values: 1_000_000,
};
const QUICK: Size = Size {
    herd: 200,
    window: Duration::from_secs(4),
    registered: 2_000,
    mass: 2_000,
    proposals: 1_000,
    values: 20_000,
};

pub(crate) async fn run(arguments: &Arguments) -> Outcome<()> {
    let size = if arguments.quick { QUICK } else { FULL };
    let size = Size {
        registered: arguments.jobs.unwrap_or(size.registered),
        ..size
    };
    let wanted = |name: &str| arguments.only.as_deref().is_none_or(|only| only == name);
    let raw = raw::measure(size.herd)?;
    println!(
        "raw: {:.0} processes a second, posix_spawn and wait with both outputs piped, {} in flight",
        raw.rate, raw.in_flight
    );
    if wanted("rate") {
        part(
            "process runs per second, recorded durably with output",
            rate::measure(arguments, size, &raw),
        )
        .await?;
    }
    if wanted("herd") {
        part(
            "jobs due at one instant",
            lateness::herd(arguments, size, &raw),
        )
        .await?;
    }
    if wanted("one") {
        part(
            "one job on an unloaded node",
            lateness::one(arguments, size),
        )
        .await?;
    }
    if wanted("beside") {
        part(
            "jobs of each second beside what the server does for itself",
            Box::pin(lateness::beside(arguments, size)),
        )
        .await?;
    }
    if wanted("chain") {
        part("a chain of linked jobs", chain::measure(arguments)).await?;
    }
    if wanted("proposals") {
        part(
            "durable proposals per second, applied to SQLite and answered",
            proposals::measure(size),
        )
        .await?;
    }
    if wanted("values") {
        part(
            "values per second, from processes into the store",
            values::measure(arguments, size),
        )
        .await?;
    }
    if wanted("sinks") {
        part(
            "values per second, from the store to each kind of sink",
            sinks::measure(arguments, size),
        )
        .await?;
    }
    if wanted("idle") {
        part("idle and start-up", idle::measure(arguments, size)).await?;
    }
    // It takes minutes: only when it is asked for.
    if arguments.only.as_deref() == Some("herd100k") {
        part(
            "a hundred thousand jobs due at one instant",
            mass::measure(arguments, size, &raw),
        )
        .await?;
    }
    Ok(())
}

async fn part(title: &str, figures: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    println!("\n{title}");
    figures.await
}

pub(crate) fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "the real servers' clock is the machine's"
    )]
    Timestamp::now()
}

/// The value below which `share` of the sorted `values` are.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let last = values.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let place = (last as f64 * share).round() as usize;
    values.get(place.min(last)).copied().unwrap_or(f64::NAN)
}
