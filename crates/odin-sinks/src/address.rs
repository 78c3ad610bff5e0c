//! Addresses of receivers, checked before they are kept.

use hyper::Uri;
use odin_model::sink::{SinkSpec, SinkTarget};

/// The longest address.
const URL_BYTES_MAX: usize = 2_000;
/// The smallest file that is rotated.
const ROTATE_BYTES_MIN: u64 = 4 * 1024;

/// Why a sink cannot be what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not read as a URL.
    #[error("{0:?} is not a URL")]
    NotUrl(String),
    /// Another scheme than the receiver's.
    #[error("the address begins with {wanted}")]
    Scheme {
        /// What it would begin with.
        wanted: &'static str,
    },
    /// A password would be shown in lists and logs.
    #[error("the address holds a password: keep it in a secret, and name that with --secret")]
    HasPassword,
    /// Longer than is taken.
    #[error("the address has {bytes} bytes; at most {URL_BYTES_MAX} are taken")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A file's path that is not absolute, or has `..` in it.
    #[error("{0:?} is not an absolute path")]
    NotAbsolute(String),
    /// Files so small that each holds a record or two.
    #[error("a file of {bytes} bytes is too small: at least {ROTATE_BYTES_MIN}")]
    RotatesTooSoon {
        /// The size.
        bytes: u64,
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

/// Where HTTP requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
    /// What stands in the `Host` header.
    pub(crate) authority: String,
    /// The path and query, without a slash at its end.
    pub(crate) path: String,
}

/// Checks what a sink says before it is kept.
///
/// # Errors
/// When nothing could ever be sent by it.
pub fn check(spec: &SinkSpec) -> Result<(), AddressError> {
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
            let is_name = hyper::header::HeaderName::from_bytes(header.as_bytes()).is_ok();
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
pub(crate) fn http(text: &str) -> Result<HttpAddress, AddressError> {
    let wanted = "http:// or https://";
    if text.len() > URL_BYTES_MAX {
        return Err(AddressError::TooLong { bytes: text.len() });
    }
    let not_url = || AddressError::NotUrl(text.to_owned());
    let uri: Uri = text.parse().map_err(|_| not_url())?;
    let is_tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) | None => return Err(AddressError::Scheme { wanted }),
    };
    let authority = uri.authority().ok_or_else(not_url)?;
    if authority.as_str().contains('@') {
        return Err(AddressError::HasPassword);
    }
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    if host.is_empty() {
        return Err(not_url());
    }
    let path = uri.path_and_query().map_or("", |it| it.as_str());
    Ok(HttpAddress {
        host,
        port: authority
            .port_u16()
            .unwrap_or(if is_tls { 443 } else { 80 }),
        is_tls,
        authority: authority.as_str().to_owned(),
        path: path.trim_end_matches('/').to_owned(),
    })
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
    fn an_address_is_where_a_request_can_go() {
        use AddressError as E;
        let wanted = "http:// or https://";
        for (text, expected) in [
            ("ftp://example.org", E::Scheme { wanted }),
            ("/hook", E::Scheme { wanted }),
            ("https://user:pass@example.org", E::HasPassword),
            ("", E::NotUrl(String::new())),
        ] {
            assert_eq!(http(text), Err(expected), "{text:?}");
        }
        let address = http("https://[::1]:8443/a/?b=c").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("::1", 8443));
        assert_eq!(address.path, "/a/?b=c");
        assert_eq!(http("http://x/").unwrap().path, "");
    }

    #[test]
    fn a_query_holds_any_text() {
        assert_eq!(in_query("a b&c=ü"), "a%20b%26c%3D%C3%BC");
    }
}
