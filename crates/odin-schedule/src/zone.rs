//! Finds time zones by name in the bundled IANA database.

use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::error::{ScheduleError, ScheduleErrorKind, quote};

/// Finds a time zone by its IANA name, whatever the case of its letters.
///
/// The database is the one compiled into the program, so that every machine gives
/// the same answer.
///
/// # Errors
/// [`ScheduleErrorKind::UnknownZone`] with the nearest names; the span covers `name`.
pub fn find_zone(name: &str) -> Result<TimeZone, ScheduleError> {
    database().get(name).map_err(|_| {
        let kind = ScheduleErrorKind::UnknownZone {
            name: quote(name),
            suggestions: suggestions(name),
        };
        ScheduleError::new(kind, 0..name.len())
    })
}

/// The name to print for a zone: its IANA name, else its fixed offset.
pub(crate) fn zone_name(zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => match zone.to_fixed_offset() {
            Ok(offset) => offset.to_string(),
            Err(_) => "a zone without a name".to_owned(),
        },
    }
}

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

/// At most three names that are near: the same city first, then similar spelling.
fn suggestions(name: &str) -> Vec<String> {
    let wanted = quote(name).to_ascii_lowercase().replace(' ', "_");
    let city = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let wanted_city = city(&wanted);
    let mut near: Vec<(usize, String)> = database()
        .available()
        .filter_map(|candidate| {
            let candidate = candidate.as_str();
            let lower = candidate.to_ascii_lowercase();
            let distance = if city(&lower) == wanted_city {
                0
            } else {
                strsim::damerau_levenshtein(&lower, &wanted)
                    .min(1 + strsim::damerau_levenshtein(&city(&lower), &wanted_city))
            };
            (distance <= 3.min(wanted_city.len() / 3 + 1)).then(|| (distance, candidate.to_owned()))
        })
        .collect();
    near.sort();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Result<&str, &[&str]>) {
        match (find_zone(name), expected) {
            (Ok(zone), Ok(expected)) => assert_eq!(zone.iana_name(), Some(expected)),
            (Err(error), Err(expected)) => {
                let ScheduleErrorKind::UnknownZone { suggestions, .. } = error.kind else {
                    panic!("{name}: {:?}", error.kind);
                };
                for expected in expected {
                    assert!(
                        suggestions.iter().any(|it| it == expected),
                        "{suggestions:?}"
                    );
                }
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }

    #[test]
    fn zones_are_found_by_name_in_any_case_and_near_names_are_suggested() {
        check("Europe/Dublin", Ok("Europe/Dublin"));
        check("america/new_york", Ok("America/New_York"));
        check("utc", Ok("UTC"));
        check("Dublin", Err(&["Europe/Dublin"]));
        check("Europe/Dubln", Err(&["Europe/Dublin"]));
        check("America/NewYork", Err(&["America/New_York"]));
        check("Nowhere/Atall-1234567", Err(&[]));
        check("", Err(&[]));
    }
}
