//! The languages that a job can name.

use crate::suggestion::nearest;

/// A language that has a name of its own in job files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `python`, whatever that is on the node.
    Python,
    /// `python3`.
    Python3,
    /// `node`.
    Node,
    /// `bash`.
    Bash,
    /// `sh`.
    Sh,
    /// `go`: compiled on the deployer's machine.
    Go,
}

impl Language {
    /// All of them, in the order in which help lists them.
    pub const ALL: [Self; 6] = [
        Self::Python3,
        Self::Python,
        Self::Node,
        Self::Bash,
        Self::Sh,
        Self::Go,
    ];

    /// The language of a name, as job files and `odin generate` write it.
    ///
    /// # Errors
    /// When the name is another one.
    pub fn parse(name: &str) -> Result<Self, LanguageError> {
        if let Some(language) = Self::ALL.into_iter().find(|it| it.name() == name) {
            return Ok(language);
        }
        if name == "rust" {
            return Err(LanguageError::NotSupportedYet { name: "rust" });
        }
        Err(LanguageError::Unknown {
            name: crate::fault::quoted(name),
            suggestion: suggestion(name),
        })
    }

    /// Its name in the job file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Python3 => "python3",
            Self::Node => "node",
            Self::Bash => "bash",
            Self::Sh => "sh",
            Self::Go => "go",
        }
    }

    /// The ending of its source files, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Python | Self::Python3 => "py",
            Self::Node => "js",
            Self::Bash | Self::Sh => "sh",
            Self::Go => "go",
        }
    }
}

/// Why a name is not a language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LanguageError {
    /// Nothing that Odin knows.
    #[error("`{name}` is not a language that Odin knows")]
    Unknown {
        /// The name, shortened.
        name: String,
        /// What was probably meant.
        suggestion: Option<&'static str>,
    },
    /// It comes in a later version.
    #[error("`{name}` is not supported yet")]
    NotSupportedYet {
        /// The name.
        name: &'static str,
    },
}

impl LanguageError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "file/unknown-language",
            Self::NotSupportedYet { .. } => "file/not-supported-yet",
        }
    }

    /// The next thing to do, as a sentence.
    #[must_use]
    pub fn help(&self) -> String {
        let known = names().join(", ");
        match self {
            Self::Unknown {
                suggestion: Some(suggestion),
                ..
            } => format!("Did you mean `{suggestion}`? Known are {known}."),
            Self::Unknown { .. } | Self::NotSupportedYet { .. } => format!("Known are {known}."),
        }
    }
}

/// The names of all languages.
pub(crate) fn names() -> Vec<&'static str> {
    Language::ALL.into_iter().map(Language::name).collect()
}

/// What people call them elsewhere.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("py", "python3"),
    ("python2", "python3"),
    ("js", "node"),
    ("javascript", "node"),
    ("nodejs", "node"),
    ("golang", "go"),
    ("shell", "sh"),
    ("zsh", "bash"),
];

pub(crate) fn suggestion(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, meant)) = OTHER_NAMES.iter().find(|(other, _)| *other == lower) {
        return Some(meant);
    }
    nearest(&lower, names())
}
