//! What a job file's values look like: its mappings, and the forms that a key's value may have.

use crate::document::{Node, Value};

/// A mapping that has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Top,
    Provider,
    Job,
    Missed,
    Timeout,
    Limits,
    OnCancel,
    Dst,
    Retries,
    Concurrency,
    Notify,
    Expect,
    Bounds,
    Keep,
}

impl Section {
    /// As a message names it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Top => "a job file",
            Self::Provider => "`provider`",
            Self::Job => "`job`",
            Self::Missed => "`missed`",
            Self::Timeout => "`timeout`",
            Self::Limits => "`limits`",
            Self::OnCancel => "`on_cancel`",
            Self::Dst => "`dst`",
            Self::Retries => "`retries`",
            Self::Concurrency => "`concurrency`",
            Self::Notify => "`notify`",
            Self::Expect => "`expect`",
            Self::Bounds => "the bounds of a value",
            Self::Keep => "`keep`",
        }
    }
}

/// What can be written as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Text,
    Path,
    Duration,
    Count,
    /// Bytes with a unit.
    Size,
    /// A number of cores.
    Cores,
    /// Any finite number.
    Number,
    Truth,
    /// A whole number with or without a minus.
    Integer,
    Choice(&'static [&'static str]),
    ChoiceList(&'static [&'static str]),
    TextList,
    PathList,
    /// A mapping from names to text.
    TextMapping,
    /// A mapping from names to sections.
    Sections(Section),
    TextOrList,
    Section(Section),
    ChoiceOrSection(&'static [&'static str], Section),
    DurationOrSection(Section),
    CountOrSection(Section),
    CommandOrSection(Section),
    /// A list of names, or a mapping from names to one of these words.
    NamesOrChoices(&'static [&'static str]),
    /// Whatever it will be: the key is refused before its value is looked at.
    Later,
}

impl Shape {
    /// As a message says it, after "must be".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Text | Self::Choice(_) | Self::Later => "text",
            Self::Path => "the path of a file",
            Self::Duration => "a duration such as `10m`",
            Self::Count | Self::Integer => "a whole number",
            Self::Size => "a size such as `512MiB`",
            Self::Cores => "a number of cores such as `1.5`",
            Self::Number => "a number such as `-1.5`",
            Self::Truth => "`true` or `false`",
            Self::TextList | Self::ChoiceList(_) => "a list of texts, such as `[one, two]`",
            Self::PathList => "a list of paths, such as `[lib, data.csv]`",
            Self::TextMapping => "a mapping of names to texts, such as `{REGION: eu}`",
            Self::Sections(_) => {
                "a mapping of names to mappings, such as `{price: {min: 1, max: 1000}}`"
            }
            Self::TextOrList => "text for a shell, or a list without one",
            Self::Section(_) => "a mapping of keys to values",
            Self::ChoiceOrSection(..) => "text or a mapping",
            Self::DurationOrSection(_) => "a duration such as `10m`, or a mapping",
            Self::NamesOrChoices(_) => {
                "a list of names, or a mapping such as `{API_KEY: env, TLS_KEY: file}`"
            }
            Self::CountOrSection(_) => "a whole number, or a mapping",
            Self::CommandOrSection(_) => "text for a shell, a list without one, or a mapping",
        }
    }

    /// Whether a value has this shape; what it says is looked at later.
    pub(crate) fn accepts(self, node: &Node) -> bool {
        let text_list = |items: &[Node]| {
            items
                .iter()
                .all(|item| matches!(item.value, Value::Scalar(_) | Value::Refused))
        };
        match (&node.value, self) {
            (Value::Refused, _) => true,
            (
                Value::Scalar(_),
                Self::Text
                | Self::Path
                | Self::Duration
                | Self::Count
                | Self::Size
                | Self::Cores
                | Self::Number
                | Self::Truth
                | Self::Integer
                | Self::Choice(_)
                | Self::TextOrList
                | Self::ChoiceOrSection(..)
                | Self::DurationOrSection(_)
                | Self::CountOrSection(_)
                | Self::CommandOrSection(_),
            ) => true,
            // An empty value is an empty collection: what it lacks is told by its key.
            (
                Value::Scalar(scalar),
                Self::TextList
                | Self::ChoiceList(_)
                | Self::PathList
                | Self::TextMapping
                | Self::Sections(_)
                | Self::NamesOrChoices(_)
                | Self::Section(_),
            ) => scalar.is_null(),
            (
                Value::List(items),
                Self::TextList
                | Self::ChoiceList(_)
                | Self::PathList
                | Self::TextOrList
                | Self::NamesOrChoices(_)
                | Self::CommandOrSection(_),
            ) => text_list(items),
            (Value::Mapping(entries), Self::TextMapping | Self::NamesOrChoices(_)) => entries
                .iter()
                .all(|entry| matches!(entry.value.value, Value::Scalar(_) | Value::Refused)),
            (Value::Mapping(entries), Self::Sections(_)) => entries
                .iter()
                .all(|entry| matches!(entry.value.value, Value::Mapping(_) | Value::Refused)),
            (
                Value::Mapping(_),
                Self::Section(_)
                | Self::ChoiceOrSection(..)
                | Self::DurationOrSection(_)
                | Self::CountOrSection(_)
                | Self::CommandOrSection(_),
            ) => true,
            (Value::Scalar(_) | Value::List(_) | Value::Mapping(_), _) => false,
        }
    }
}
