//! Addresses of receivers, checked before they are kept.

use odin_model::sink::{METRICS_EVERY_SECONDS, SinkSpec, SinkTarget};
use odin_outbound::HttpAddress;
use odin_outbound::header::HeaderName;

/// The smallest file that is rotated.
const ROTATE_BYTES_MIN: u64 = 4 * 1024;

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
    /// A file's path that is not absolute, or has `..` in it.
    #[error("{0:?} is not an absolute path")]
    NotAbsolute(String),
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
            path, rotate_bytes, ..
        } => {
            let is_plain = path.starts_with('/') && !path.ends_with('/') && !path.contains('\0');
            if !is_plain || path.split('/').any(|part| part == "..") {
                return Err(AddressError::NotAbsolute(path.clone()));
            }
            if *rotate_bytes < ROTATE_BYTES_MIN {
                return Err(AddressError::RotatesTooSoon {
                    bytes: *rotate_bytes,
                });
            }
            Ok(())
        }
    }
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
}
