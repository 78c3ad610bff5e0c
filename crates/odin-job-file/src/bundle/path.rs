//! Names of files in a bundle.

use std::fmt;

/// The name of a file or directory in a bundle: relative, `/` between its components, never above the bundle.
///
/// No component is empty, `.` or `..`; none is longer than [`BundlePath::COMPONENT_BYTES_MAX`]; there are no
/// control characters. So it can be joined to any directory without leaving it, and printed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundlePath(String);

/// Why a text cannot name a file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Nothing.
    #[error("it names nothing")]
    Empty,
    /// It begins with `/`.
    #[error("it is an absolute path")]
    Absolute,
    /// A component is `..`.
    #[error("it leads upwards by `..`")]
    Upwards,
    /// A component is empty or `.`.
    #[error("it has an empty component or a `.`")]
    NotPlain,
    /// A control character, or one that changes how a terminal shows its neighbours.
    #[error("it holds the character {character:?}")]
    Character {
        /// The character.
        character: char,
    },
    /// A component or the whole is too long.
    #[error(
        "it is longer than {} bytes, or a part of it than {}",
        BundlePath::BYTES_MAX,
        BundlePath::COMPONENT_BYTES_MAX
    )]
    TooLong,
}

impl BundlePath {
    /// The longest component, in bytes: what Linux file systems take.
    pub const COMPONENT_BYTES_MAX: usize = 255;
    /// The longest name, in bytes.
    pub const BYTES_MAX: usize = 1024;

    /// Checks a name that is written in its one form.
    ///
    /// # Errors
    /// When it is not a plain relative name.
    pub fn parse(text: &str) -> Result<Self, PathFault> {
        if text.is_empty() {
            return Err(PathFault::Empty);
        }
        if text.starts_with('/') {
            return Err(PathFault::Absolute);
        }
        if let Some(character) = text.chars().find(|c| is_unfit(*c)) {
            return Err(PathFault::Character { character });
        }
        if text.len() > Self::BYTES_MAX {
            return Err(PathFault::TooLong);
        }
        for component in text.split('/') {
            match component {
                ".." => return Err(PathFault::Upwards),
                "" | "." => return Err(PathFault::NotPlain),
                long if long.len() > Self::COMPONENT_BYTES_MAX => return Err(PathFault::TooLong),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// Checks a name as a person writes it: `./x`, `data/` and `a//b` are brought into their one form.
    ///
    /// # Errors
    /// As [`BundlePath::parse`]; `..` is refused even where it would stay inside.
    pub fn from_written(text: &str) -> Result<Self, PathFault> {
        if text.starts_with('/') {
            return Err(PathFault::Absolute);
        }
        // Bounded before it is taken apart: the text may be as long as the file.
        if text.len() > 2 * Self::BYTES_MAX {
            return Err(PathFault::TooLong);
        }
        let components: Vec<&str> = text
            .split('/')
            .filter(|component| !matches!(*component, "" | "."))
            .collect();
        Self::parse(&components.join("/"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that holds it; `None` at the top of the bundle.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once('/')?;
        Some(Self(parent.to_owned()))
    }

    /// The name of something in this directory.
    pub(crate) fn join(&self, name: &str) -> Result<Self, PathFault> {
        Self::parse(&format!("{}/{name}", self.0))
    }
}

/// Control characters, and those that make a name look like another in a terminal.
pub(crate) fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_inside_its_bundle() {
        use PathFault as F;
        let long = "x".repeat(256);
        let deep = "x/".repeat(600) + "x";
        for (text, expected) in [
            ("a.py", Ok("a.py")),
            ("./a.py", Ok("a.py")),
            ("a//b/./c/", Ok("a/b/c")),
            ("..a", Ok("..a")),
            ("Börse.py", Ok("Börse.py")),
            ("", Err(F::Empty)),
            (".", Err(F::Empty)),
            ("./", Err(F::Empty)),
            ("/etc/passwd", Err(F::Absolute)),
            ("..", Err(F::Upwards)),
            ("../a", Err(F::Upwards)),
            ("a/../b", Err(F::Upwards)),
            ("a\nb", Err(F::Character { character: '\n' })),
            ("a\0b", Err(F::Character { character: '\0' })),
            (
                "a\u{202e}b",
                Err(F::Character {
                    character: '\u{202e}',
                }),
            ),
            (long.as_str(), Err(F::TooLong)),
            (deep.as_str(), Err(F::TooLong)),
        ] {
            let read = BundlePath::from_written(text);
            assert_eq!(
                read.as_ref().map(BundlePath::as_str),
                expected.as_ref().copied(),
                "{text:?}"
            );
        }
        for text in ["./a", "a/", "a//b", "a/."] {
            assert_eq!(BundlePath::parse(text), Err(F::NotPlain), "{text}");
        }
    }
}
