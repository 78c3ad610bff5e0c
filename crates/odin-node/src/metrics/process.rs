//! What the kernel says of this process, under the names that Prometheus' own client libraries use.

use std::fs;

use odin_metrics::{Family, Number};

/// What can be read; what cannot is left out.
pub(crate) fn families() -> Vec<Family> {
    let mut families = Vec::new();
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        let open = entries.count().saturating_sub(1) as u64;
        let help = "Descriptors that the server has open";
        let open = Number::Whole(open);
        families.push(Family::gauge("process_open_fds", help, open));
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if let Some(limit) = limit.current {
        let help = "Descriptors that the server may have open";
        let limit = Number::Whole(limit);
        families.push(Family::gauge("process_max_fds", help, limit));
    }
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else {
        return families;
    };
    let Some(numbers) = Numbers::parse(&stat) else {
        return families;
    };
    let ticks = ticks_per_second();
    let help = "Processor time of the server, in user and system mode";
    let cpu = Number::Fraction((numbers.user + numbers.system) / ticks);
    families.push(Family::counter("process_cpu_seconds", help, cpu));
    let page = rustix::param::page_size() as u64;
    let help = "Memory of the server that is in use";
    let resident = Number::Whole(numbers.resident * page);
    families.push(Family::gauge(
        "process_resident_memory_bytes",
        help,
        resident,
    ));
    if let Some(boot) = booted_at() {
        let help = "When the server was started, in seconds since 1970";
        let started = Number::Fraction(boot + numbers.start / ticks);
        families.push(Family::gauge("process_start_time_seconds", help, started));
    }
    families
}

fn ticks_per_second() -> f64 {
    let ticks = rustix::param::clock_ticks_per_second();
    f64::from(u32::try_from(ticks).unwrap_or(100).max(1))
}

/// Seconds since 1970.
fn booted_at() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())
}

#[derive(Debug, PartialEq)]
struct Numbers {
    user: f64,
    system: f64,
    start: f64,
    /// Pages.
    resident: u64,
}

impl Numbers {
    /// The fields of `/proc/self/stat`, whose second is in parentheses and may hold anything. See proc(5).
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<_> = rest.split_ascii_whitespace().collect();
        // The first of them is field 3.
        let field = |number: usize| fields.get(number - 3);
        Some(Self {
            user: field(14)?.parse().ok()?,
            system: field(15)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
            resident: field(24)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_counted_after_a_name_that_holds_anything() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 9 0 0 0 14 15 0 0 20 0 1 0 22 23 24 25 0";
        let expected = Numbers {
            user: 14.0,
            system: 15.0,
            start: 22.0,
            resident: 24,
        };
        assert_eq!(Numbers::parse(stat), Some(expected));
        assert_eq!(Numbers::parse("7 (a) S 1"), None);
        assert_eq!(Numbers::parse(""), None);
    }
}
