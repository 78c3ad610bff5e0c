//! Conditions on what a run reported, such as `price > 100 and not "url fetched" contains "example"`.
//!
//! ```text
//! condition  = all { "or" all }
//! all        = one { "and" one }
//! one        = "not" one | "(" condition ")" | name operator value | name "contains" text | name "exists"
//! operator   = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="
//! value      = number | "true" | "false" | text
//! name       = a word, or a text
//! text       = characters in "double" or 'single' quotes; \" \' \\ \n \t stand for themselves
//! ```
//!
//! A name stands for its latest value in the run. A comparison with a name that the run did not report, or with a value
//! of another type, does not hold, whatever its operator; so its `not` does.

mod decimal;
mod parse;
mod token;

use std::cmp::Ordering;
use std::ops::Range;

use odin_model::ValueData;

use crate::Mistake;

/// The longest condition, in bytes.
pub const FILTER_BYTES_MAX: usize = 4096;
/// How many comparisons a condition may have.
pub const COMPARISONS_MAX: usize = 32;
/// How deep parentheses and `not` may be nested.
pub const DEPTH_MAX: usize = 32;

/// A condition on the latest values of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueFilter {
    root: Node,
    names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Compare(String, Operator, Literal),
    Contains(String, String),
    Exists(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Number(String),
    Boolean(bool),
    Text(String),
}

/// Why a condition cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct FilterError {
    /// The bytes that are meant.
    pub span: Range<usize>,
    /// What is wrong with them.
    pub fault: FilterFault,
}

/// What is wrong with a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// There is nothing.
    #[error("the condition is empty")]
    Empty,
    /// Longer than [`FILTER_BYTES_MAX`].
    #[error("the condition has {bytes} bytes, and at most {FILTER_BYTES_MAX} are read")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// More than [`COMPARISONS_MAX`] comparisons.
    #[error("the condition has more than {COMPARISONS_MAX} comparisons")]
    TooMany,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("the condition is nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// A quote without an end.
    #[error("the text has no closing {quote}")]
    Unclosed {
        /// Which quote.
        quote: char,
    },
    /// A character that begins nothing.
    #[error("`{}` means nothing here", .0.escape_default())]
    Stray(char),
    /// A word that begins like a number and is none.
    #[error("`{0}` is not a number")]
    NotANumber(String),
    /// Something else should stand here.
    #[error("{found} stands where {expected} is expected")]
    Unexpected {
        /// What should.
        expected: &'static str,
        /// What does, in words.
        found: String,
    },
    /// A name of several words without quotes.
    #[error("`{0}` is followed by a word that is no operator")]
    NameOfWords(String),
    /// A name alone.
    #[error("`{0}` is compared with nothing")]
    NotCompared(String),
    /// A word where a value is expected.
    #[error("`{0}` is neither a number, nor true or false, nor a text in quotes")]
    BareText(String),
    /// True and false have no order.
    #[error("true and false have no order")]
    NoOrder,
}

impl FilterFault {
    /// The next step. Empty: there is none to give.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Empty => "Write a comparison, such as `price > 100`.".to_owned(),
            Self::Unclosed { quote } => {
                format!("Put {quote} at its end; inside the text write \\{quote}.")
            }
            Self::Stray('&' | '|' | '!') => "Write `and`, `or` and `not`.".to_owned(),
            Self::Stray(_) => "Put names and texts with such characters in quotes.".to_owned(),
            Self::NotANumber(word) => format!("A text stands in quotes: \"{word}\"."),
            Self::NameOfWords(_) => {
                "A name with spaces stands in quotes: \"url fetched\" = true.".to_owned()
            }
            Self::NotCompared(name) => {
                format!("Write `{name} = true`, or `{name} exists` for any value.")
            }
            Self::BareText(word) => format!("A text stands in quotes: \"{word}\"."),
            Self::NoOrder => "Compare them with `=` or `!=`.".to_owned(),
            Self::TooLong { .. } | Self::TooMany | Self::TooDeep => {
                "Ask in several questions, or read the values over the API.".to_owned()
            }
            Self::Unexpected { .. } => String::new(),
        }
    }
}

impl FilterError {
    /// Stable across releases.
    pub const CODE: &'static str = "request/bad-where";

    /// The mistake as it is told.
    #[must_use]
    pub fn mistake(&self) -> Mistake {
        Mistake {
            code: Self::CODE.to_owned(),
            message: self.fault.to_string(),
            span: Some([self.span.start, self.span.end]),
            help: Some(self.fault.help()).filter(|help| !help.is_empty()),
            ..Mistake::default()
        }
    }
}

impl ValueFilter {
    /// Reads a condition.
    ///
    /// # Errors
    /// What is wrong first, with its place.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let root = parse::parse(text)?;
        let mut names = Vec::new();
        root.add_names(&mut names);
        names.sort_unstable();
        names.dedup();
        Ok(Self { root, names })
    }

    /// The names that it asks for, in order, each once.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it holds for a run whose latest values `value_of` gives.
    #[must_use]
    pub fn holds<'v>(&self, value_of: impl Fn(&str) -> Option<&'v ValueData>) -> bool {
        self.root.holds(&value_of)
    }
}

impl Node {
    fn add_names(&self, names: &mut Vec<String>) {
        match self {
            Self::All(nodes) | Self::Any(nodes) => {
                nodes.iter().for_each(|node| node.add_names(names));
            }
            Self::Not(node) => node.add_names(names),
            Self::Compare(name, ..) | Self::Contains(name, _) | Self::Exists(name) => {
                names.push(name.clone());
            }
        }
    }

    fn holds<'v>(&self, value_of: &impl Fn(&str) -> Option<&'v ValueData>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(value_of)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(value_of)),
            Self::Not(node) => !node.holds(value_of),
            Self::Compare(name, operator, literal) => value_of(name)
                .and_then(|data| order(data, literal))
                .is_some_and(|order| operator.holds(order)),
            Self::Contains(name, part) => {
                value_of(name).is_some_and(|data| data.text().contains(part))
            }
            Self::Exists(name) => value_of(name).is_some(),
        }
    }
}

impl Operator {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// How a value stands to what it is compared with. `None`: they are of different types, or one is NaN.
fn order(data: &ValueData, literal: &Literal) -> Option<Ordering> {
    match (data, literal) {
        // Floats would make neighbours equal.
        (ValueData::Number(value), Literal::Number(number)) => decimal::order(value, number),
        (ValueData::Boolean(value), Literal::Boolean(it)) => Some(value.cmp(it)),
        (ValueData::Text(value), Literal::Text(text)) => Some(value.as_str().cmp(text)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn values() -> BTreeMap<&'static str, ValueData> {
        let number = |text: &str| ValueData::Number(text.to_owned());
        BTreeMap::from([
            ("price", number("101.50")),
            ("big", number("9007199254740993")),
            ("nan", number("NaN")),
            ("huge", number("1e400")),
            (
                "url fetched",
                ValueData::Text("https://example.org/a".into()),
            ),
            ("has rows", ValueData::Boolean(true)),
            ("and", number("1")),
            ("rows", ValueData::Json("[1,2]".into())),
        ])
    }

    #[test]
    fn a_condition_holds_for_the_values_that_it_describes() {
        let values = values();
        for (text, expected) in [
            ("price > 100", true),
            ("price>100", true),
            ("price = 101.5", true),
            ("price == 1.015e2", true),
            ("price <> 101.5", false),
            ("huge > 1e399 and huge < 1e401", true),
            ("price < -3", false),
            ("price >= 101.5 and price <= 101.5", true),
            ("big = 9007199254740993", true),
            ("big = 9007199254740992", false),
            ("big < 9007199254740994.5", true),
            ("nan = 1 or nan != 1 or nan < 1", false),
            ("\"has rows\" = true", true),
            ("'has rows' != false", true),
            ("NOT 'has rows' = true", false),
            ("\"url fetched\" contains \"example\"", true),
            ("'url fetched' contains 'Example'", false),
            ("'url fetched' = 'https://example.org/a'", true),
            ("'url fetched' > 'https'", true),
            ("rows contains '[1'", true),
            ("rows exists", true),
            ("'and' = 1", true),
            // Another type, or nothing at all.
            ("price = '101.50'", false),
            ("price != 'x'", false),
            ("'has rows' = 1", false),
            ("gone != 1", false),
            ("not gone = 1", true),
            ("gone exists", false),
            ("not (gone exists) and price exists", true),
            // `and` binds closer than `or`.
            ("price > 0 or gone exists and gone exists", true),
            ("(price > 0 or gone exists) and gone exists", false),
            ("not not price > 0", true),
        ] {
            let filter = ValueFilter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(filter.holds(|name| values.get(name)), expected, "{text}");
        }
    }

    #[test]
    fn the_names_are_asked_for_once_each() {
        let filter = ValueFilter::parse("b = 1 or (a > 2 and not b < 3) or 'c \\'d' exists");
        assert_eq!(filter.unwrap().names(), ["a", "b", "c 'd"]);
    }

    #[test]
    fn a_condition_that_cannot_be_read_says_where_and_what_to_write() {
        let nested = format!("{}a = 1{}", "(".repeat(33), ")".repeat(33));
        let many = vec!["a = 1"; 33].join(" or ");
        for (text, meant, message, help) in [
            ("", "", "the condition is empty", "`price > 100`"),
            ("  ", "", "the condition is empty", "`price > 100`"),
            (
                "price",
                "price",
                "`price` is compared with nothing",
                "`price exists`",
            ),
            (
                "price and a = 1",
                "price",
                "`price` is compared with nothing",
                "`price = true`",
            ),
            (
                "url fetched = 1",
                "url fetched",
                "followed by a word",
                "in quotes",
            ),
            (
                "price > ",
                "",
                "the end stands where a value is expected",
                "",
            ),
            ("state = done", "done", "`done` is neither", "\"done\""),
            ("a = 5x", "5x", "`5x` is not a number", "\"5x\""),
            (
                "a = 1 b = 2",
                "b",
                "`b` stands where `and`, `or` or the end is expected",
                "",
            ),
            ("(a = 1", "", "the end stands where `)` is expected", ""),
            (
                "a = 1)",
                ")",
                "`)` stands where `and`, `or` or the end is expected",
                "",
            ),
            ("> 1", ">", "`>` stands where a name is expected", ""),
            (
                "100 < price",
                "100",
                "`100` stands where a name is expected",
                "",
            ),
            ("a = \"x", "\"x", "no closing \"", "\\\""),
            ("a = 1 && b = 2", "&", "`&` means nothing here", "`and`"),
            ("ok < true", "<", "true and false have no order", "`!=`"),
            (
                "a contains 1",
                "1",
                "`1` stands where a text in quotes is expected",
                "",
            ),
            ("a = \u{1b}", "\u{1b}", "`\\u{1b}` means nothing", "quotes"),
            (&nested, "(", "nested deeper than 32", "API"),
            (&many, "a", "more than 32 comparisons", "API"),
        ] {
            let error = ValueFilter::parse(text).unwrap_err();
            let mistake = error.mistake();
            assert_eq!(&text[error.span.clone()], meant, "{text}: {error}");
            assert!(mistake.message.contains(message), "{text}: {error}");
            let told = mistake.help.unwrap_or_default();
            assert_eq!(help.is_empty(), told.is_empty(), "{text}: {told}");
            assert!(told.contains(help), "{text}: {told}");
        }
        let long = "a".repeat(5000);
        let error = ValueFilter::parse(&long).unwrap_err();
        assert_eq!(error.fault, FilterFault::TooLong { bytes: 5000 });
    }
}
