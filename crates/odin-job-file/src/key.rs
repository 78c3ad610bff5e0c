//! One key of a job file, as the table of keys has it, and how it is found there.

use crate::keys::KEYS;
use crate::shape::{Section, Shape};

/// Whether this version does what a key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    Now,
    /// Refused: a key that is accepted and ignored would be a lie.
    NotYet,
}

/// The default of a key that has none.
pub(crate) const REQUIRED: &str = "required";

/// One key.
pub(crate) struct Key {
    pub(crate) section: Section,
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) support: Support,
    /// What counts without it, in Markdown; [`REQUIRED`] for those without a default.
    pub(crate) default: &'static str,
    /// An example of its value, in YAML.
    pub(crate) example: &'static str,
    pub(crate) meaning: &'static str,
}

pub(crate) const fn key(
    section: Section,
    name: &'static str,
    shape: Shape,
    default: &'static str,
    example: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        section,
        name,
        shape,
        support: Support::Now,
        default,
        example,
        meaning,
    }
}

pub(crate) const fn later(section: Section, name: &'static str, meaning: &'static str) -> Key {
    Key {
        section,
        name,
        shape: Shape::Later,
        support: Support::NotYet,
        default: "",
        example: "",
        meaning,
    }
}

pub(crate) fn find(section: Section, name: &str) -> Option<&'static Key> {
    KEYS.iter()
        .find(|key| key.section == section && key.name == name)
}

pub(crate) fn of_section(section: Section) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.section == section)
}
