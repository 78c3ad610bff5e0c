//! Reads the time zone database of a machine: a directory of TZif files (RFC 9636).

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;

use super::TimeZonesError;

/// More files than this are no time zone database; the real one has some 600.
const FILES_MAX: usize = 4096;
/// No zone's file is larger; real ones have at most 4 kB.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// `America/Argentina/Ushuaia` has three levels.
const LEVELS_MAX: usize = 4;
/// The same zones again, without and with leap seconds.
const OTHER_COPIES: [&str; 2] = ["posix", "right"];

/// All zones of a directory, by name in lower case.
pub(super) fn zones(dir: &Path) -> Result<BTreeMap<String, TimeZone>, TimeZonesError> {
    let mut zones = BTreeMap::new();
    let mut pending = vec![(dir.to_owned(), String::new(), 1)];
    let mut files = 0;
    while let Some((dir, prefix, level)) = pending.pop() {
        for entry in fs::read_dir(&dir).map_err(|source| unreadable(&dir, &source))? {
            let path = entry.map_err(|source| unreadable(&dir, &source))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            files += 1;
            if files > FILES_MAX {
                return Err(TimeZonesError::TooManyFiles {
                    dir,
                    max: FILES_MAX,
                });
            }
            let name = format!("{prefix}{name}");
            // A link that leads nowhere is no zone.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                if level < LEVELS_MAX && !OTHER_COPIES.contains(&name.as_str()) {
                    pending.push((path, name + "/", level + 1));
                }
            } else if metadata.is_file()
                && let Some(zone) = zone(&path, &name)?
            {
                zones.insert(name.to_ascii_lowercase(), zone);
            }
        }
    }
    if zones.is_empty() {
        return Err(TimeZonesError::NoZones {
            dir: dir.to_owned(),
        });
    }
    Ok(zones)
}

/// The zone of a file; `None` for files that are something else, such as `zone.tab`.
fn zone(path: &Path, name: &str) -> Result<Option<TimeZone>, TimeZonesError> {
    let mut data = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut data))
        .map_err(|source| unreadable(path, &source))?;
    if !data.starts_with(b"TZif") {
        return Ok(None);
    }
    if name == "UTC" {
        return Ok(Some(TimeZone::UTC));
    }
    match TimeZone::tzif(name, &data) {
        Ok(zone) => Ok(Some(zone)),
        Err(source) => Err(TimeZonesError::Unreadable {
            path: path.to_owned(),
            detail: source.to_string(),
        }),
    }
}

/// What a directory says about its version: `+VERSION`, or the first line of `tzdata.zi`.
pub(super) fn version(dir: &Path) -> Option<String> {
    let first_line = |file: &str| {
        let mut text = String::new();
        fs::File::open(dir.join(file))
            .ok()?
            .take(64)
            .read_to_string(&mut text)
            .ok()?;
        Some(text.lines().next()?.trim().to_owned())
    };
    let version = first_line("+VERSION").or_else(|| {
        Some(
            first_line("tzdata.zi")?
                .strip_prefix("# version ")?
                .to_owned(),
        )
    })?;
    is_version(&version).then_some(version)
}

/// `2026e`: a year and letters.
fn is_version(text: &str) -> bool {
    let letters = text.trim_start_matches(|c: char| c.is_ascii_digit());
    text.len() - letters.len() == 4
        && letters.len() <= 3
        && letters.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn unreadable(path: &Path, source: &std::io::Error) -> TimeZonesError {
    TimeZonesError::Unreadable {
        path: PathBuf::from(path),
        detail: source.to_string(),
    }
}
