//! The calendars that are there to be referred to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::days::Calendar;
use super::name::CalendarName;

/// The calendars that schedules may refer to, by name.
///
/// Cloning copies the names and shares the calendars.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendars {
    by_name: BTreeMap<CalendarName, Arc<Calendar>>,
}

impl Calendars {
    /// No calendars: a schedule that refers to one is refused.
    pub const NONE: &'static Calendars = &Calendars {
        by_name: BTreeMap::new(),
    };

    /// Adds a calendar, or replaces the one of that name.
    pub fn insert(&mut self, name: CalendarName, calendar: impl Into<Arc<Calendar>>) {
        self.by_name.insert(name, calendar.into());
    }

    /// The calendar of a name.
    pub fn get(&self, name: &CalendarName) -> Option<&Arc<Calendar>> {
        self.by_name.get(name)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &CalendarName> {
        self.by_name.keys()
    }

    /// Whether there is no calendar.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// At most three names that are near, the nearest first.
    pub(crate) fn suggestions(&self, name: &CalendarName) -> Vec<String> {
        let mut near: Vec<(usize, &str)> = self
            .names()
            .map(|known| {
                let slips = strsim::damerau_levenshtein(known.as_str(), name.as_str());
                (slips, known.as_str())
            })
            .filter(|(slips, known)| *slips <= 3.min(known.len() / 3 + 1))
            .collect();
        near.sort_unstable();
        near.into_iter()
            .take(3)
            .map(|(_, known)| known.to_owned())
            .collect()
    }
}

impl FromIterator<(CalendarName, Arc<Calendar>)> for Calendars {
    fn from_iter<I: IntoIterator<Item = (CalendarName, Arc<Calendar>)>>(named: I) -> Self {
        Self {
            by_name: named.into_iter().collect(),
        }
    }
}
