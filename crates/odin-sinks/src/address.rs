//! Addresses of receivers, checked before they are kept.

use odin_model::sink::{METRICS_EVERY_SECONDS, SinkSpec, SinkTarget};
use odin_outbound::HttpAddress;
use odin_outbound::header::HeaderName;

/// The smallest file that is rotated.
const ROTATE_BYTES_MIN: u64 = 4 * 1024;

/// The longest path of a file, so that the suffix of a full one fits into what Linux takes (4,095).
const PATH_BYTES_MAX: usize = 4_000;
/// The longest name of a file, so that the suffix of a full one fits into what file systems take (255).
const NAME_BYTES_MAX: usize = 240;
/// How many full files are kept at most.
const KEEP_MAX: u32 = 1_000;

/// Why a sink cannot be what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an address of an HTTP receiver.
    #[error(transparent)]
    Http(#[from] odin_outbound::AddressError),
    /// Another scheme than a database's.
    #[error("the address begins with {wanted}")]
    Scheme {
        /// What it would begin with.
        wanted: &'static str,
    },
    /// A password would be shown in lists and logs.
    #[error("the address holds a password: keep it in a secret, and name that with --secret")]
    HasPassword,
    /// A file's path that is not absolute: nobody would know from where it counts.
    #[error(
        "{0:?} is not an absolute path: begin it with `/`, such as /var/log/odin/records.jsonl"
    )]
    NotAbsolute(String),
    /// A path that ends as a directory's.
    #[error("{0:?} is a directory: name a file in it, such as {0}records.jsonl")]
    Directory(String),
    /// A path with `..` in it.
    #[error("{0:?} goes up by `..`: write the path that it comes to")]
    GoesUp(String),
    /// A path that no file can have.
    #[error(
        "a path of {bytes} bytes is too long: at most {PATH_BYTES_MAX}, and {NAME_BYTES_MAX} of its last part"
    )]
    PathTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A path with a null character or a line's end, in which no list or log would show it as it is.
    #[error("{0:?} has a control character in it: name the file without it")]
    ControlInPath(String),
    /// So many files that nobody would look at them, and each rotation touches all.
    #[error("{count} full files are too many to keep: at most {KEEP_MAX}")]
    KeepsTooMany {
        /// How many.
        count: u32,
    },
    /// Files so small that each holds a record or two.
    #[error("a file of {bytes} bytes is too small: at least {ROTATE_BYTES_MIN}")]
    RotatesTooSoon {
        /// The size.
        bytes: u64,
    },
    /// Metrics too often, or so seldom that nobody would see them.
    #[error(
        "metrics cannot go there every {seconds} s: every {} to {} s",
        METRICS_EVERY_SECONDS.start(),
        METRICS_EVERY_SECONDS.end()
    )]
    MetricsEvery {
        /// How often.
        seconds: u32,
    },
    /// Not a database that can be connected to.
    #[error("the address of the database: {0}")]
    Database(String),
    /// A header's name, a user, an organisation, a bucket or a database that cannot be said in a request.
    #[error("{what} cannot be {text:?}")]
    BadName {
        /// What it would be.
        what: &'static str,
        /// What was given.
        text: String,
    },
}

/// Checks what a sink says before it is kept.
///
/// # Errors
/// When nothing could ever be sent by it.
pub fn check(spec: &SinkSpec) -> Result<(), AddressError> {
    if let Some(seconds) = spec.metrics_every_seconds
        && !METRICS_EVERY_SECONDS.contains(&seconds)
    {
        return Err(AddressError::MetricsEvery { seconds });
    }
    match &spec.target {
        SinkTarget::InfluxV2 { url, org, bucket } => {
            http(url)?;
            named("an organisation", org)?;
            named("a bucket", bucket)
        }
        SinkTarget::InfluxV3 { url, database } => {
            http(url)?;
            named("a database", database)
        }
        SinkTarget::RemoteWrite { url, user } => {
            http(url)?;
            user.as_ref().map_or(Ok(()), |user| named("a user", user))
        }
        SinkTarget::Otlp { url, header } => {
            http(url)?;
            let Some(header) = header else {
                return Ok(());
            };
            let is_name = HeaderName::from_bytes(header.as_bytes()).is_ok();
            is_name.then_some(()).ok_or_else(|| bad("a header", header))
        }
        SinkTarget::Postgres { url } => crate::postgres::config(url, None).map(|_| ()),
        SinkTarget::File {
            path,
            rotate_bytes,
            keep,
        } => {
            file_path(path)?;
            if *rotate_bytes < ROTATE_BYTES_MIN {
                return Err(AddressError::RotatesTooSoon {
                    bytes: *rotate_bytes,
                });
            }
            if *keep > KEEP_MAX {
                return Err(AddressError::KeepsTooMany { count: *keep });
            }
            Ok(())
        }
    }
}

fn file_path(path: &str) -> Result<(), AddressError> {
    let (bytes, name) = (path.len(), path.rsplit('/').next().unwrap_or(path));
    if bytes > PATH_BYTES_MAX || name.len() > NAME_BYTES_MAX {
        return Err(AddressError::PathTooLong { bytes });
    }
    if path.chars().any(char::is_control) {
        return Err(AddressError::ControlInPath(path.to_owned()));
    }
    if !path.starts_with('/') {
        return Err(AddressError::NotAbsolute(path.to_owned()));
    }
    if path.ends_with('/') {
        return Err(AddressError::Directory(path.to_owned()));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(AddressError::GoesUp(path.to_owned()));
    }
    Ok(())
}

fn bad(what: &'static str, text: &str) -> AddressError {
    AddressError::BadName {
        what,
        text: text.to_owned(),
    }
}

fn named(what: &'static str, text: &str) -> Result<(), AddressError> {
    let fits = !text.is_empty() && text.len() <= 255 && !text.chars().any(char::is_control);
    fits.then_some(()).ok_or_else(|| bad(what, text))
}

/// Reads an `http` or `https` address.
fn http(text: &str) -> Result<HttpAddress, AddressError> {
    Ok(HttpAddress::parse(text)?)
}

/// A text in a URL's query.
pub(crate) fn in_query(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_holds_any_text() {
        assert_eq!(in_query("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }

    #[track_caller]
    fn refused(target: SinkTarget, expected: &str) {
        let spec = SinkSpec {
            target,
            secret: None,
            values: true,
            runs: true,
            metrics_every_seconds: None,
            kinds: Vec::new(),
            jobs: Vec::new(),
        };
        let said = check(&spec).map_err(|error| error.to_string());
        assert_eq!(said, Err(expected.to_owned()));
    }

    #[test]
    fn a_path_that_no_file_can_have_is_refused_with_the_next_step() {
        let file = |path: &str, keep: u32| SinkTarget::File {
            path: path.to_owned(),
            rotate_bytes: 1 << 20,
            keep,
        };
        for (path, expected) in [
            (
                "",
                "\"\" is not an absolute path: begin it with `/`, such as /var/log/odin/records.jsonl",
            ),
            (
                "a/b",
                "\"a/b\" is not an absolute path: begin it with `/`, such as /var/log/odin/records.jsonl",
            ),
            (
                "/",
                "\"/\" is a directory: name a file in it, such as /records.jsonl",
            ),
            (
                "/var/log/",
                "\"/var/log/\" is a directory: name a file in it, such as /var/log/records.jsonl",
            ),
            (
                "/var/../x",
                "\"/var/../x\" goes up by `..`: write the path that it comes to",
            ),
            (
                "/a\nb",
                "\"/a\\nb\" has a control character in it: name the file without it",
            ),
        ] {
            refused(file(path, 5), expected);
        }
        let long = "a path of 301 bytes is too long: at most 4000, and 240 of its last part";
        refused(file(&format!("/{}", "x".repeat(300)), 5), long);
        refused(
            file("/x", 1_001),
            "1001 full files are too many to keep: at most 1000",
        );
    }

    #[test]
    fn a_port_that_there_is_not_is_refused_wherever_it_stands() {
        let port = "port 99999 is not one: a port is a number from 1 to 65535";
        let url = || "http://h:99999".to_owned();
        refused(
            SinkTarget::Otlp {
                url: url(),
                header: None,
            },
            port,
        );
        refused(
            SinkTarget::RemoteWrite {
                url: url(),
                user: None,
            },
            port,
        );
        let postgres = |url: &str| SinkTarget::Postgres {
            url: url.to_owned(),
        };
        refused(
            postgres("postgres://a@h:99999/db"),
            "the address of the database: invalid value for option `port`; write it as postgres://USER@HOST:PORT/DATABASE",
        );
        let port = "port 0 is not one: a port is a number from 1 to 65535";
        refused(postgres("postgres://a@h:0/db"), port);
    }
}
