//! What a key may have been meant to be that no section has.

use crate::key::{Support, find, of_section};
use crate::shape::Section;
use crate::suggestion::nearest;

/// What other tools call a key, and people who come from them.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("cron", "schedule"),
    ("when", "schedule"),
    ("every", "schedule"),
    ("run", "runs"),
    ("tz", "timezone"),
    ("zone", "timezone"),
    ("time_zone", "timezone"),
    ("lang", "language"),
    ("script", "file"),
    ("code", "file"),
    ("cmd", "command"),
    ("exec", "command"),
    ("desc", "description"),
    ("title", "name"),
    ("arguments", "args"),
    ("environment", "env"),
    ("variables", "env"),
    ("secret", "secrets"),
    ("credentials", "secrets"),
    ("misfire", "missed"),
    ("catch_up", "missed"),
    ("overlap", "concurrency"),
    ("retry", "retries"),
];

/// The next step after a key that the section does not have.
pub(crate) fn help_for_unknown(section: Section, name: &str) -> String {
    let lower = name.to_lowercase();
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == lower);
    let meant = other
        .map(|(_, meant)| *meant)
        .filter(|meant| find(section, meant).is_some())
        .or_else(|| nearest(name, of_section(section).map(|key| key.name)));
    if let Some(meant) = meant {
        return format!("Did you mean `{meant}`?");
    }
    // A key in the wrong mapping is as common as a misspelt one.
    if section == Section::Top && find(Section::Job, &lower).is_some() {
        return format!("Indent `{lower}` below `job:`.");
    }
    if section == Section::Job && find(Section::Top, &lower).is_some() {
        return format!("`{lower}` stands beside `job:`, without indentation.");
    }
    let known: Vec<&str> = of_section(section)
        .filter(|key| key.support == Support::Now)
        .map(|key| key.name)
        .collect();
    format!("The keys of {} are: {}.", section.title(), known.join(", "))
}
