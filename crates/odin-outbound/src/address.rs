//! Addresses of HTTP receivers, checked before they are kept.

use hyper::Uri;
use hyper::http::uri::Authority;

/// The longest address, in bytes.
pub const URL_BYTES_MAX: usize = 2_000;

/// Why a text is no address of an HTTP receiver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not read as a URL, or names no host.
    #[error("{0:?} is not a URL")]
    NotUrl(String),
    /// A port that there is not.
    #[error("port {0} is not one: a port is a number from 1 to 65535")]
    BadPort(String),
    /// Neither `http` nor `https`.
    #[error("the address begins with http:// or https://")]
    Scheme,
    /// It holds a name or a password, which lists and logs would show.
    #[error(
        "the address holds a user or a password: keep it in a secret, and name that with --secret"
    )]
    HasLogin,
    /// Longer than is taken.
    #[error("the address has {bytes} bytes; at most {URL_BYTES_MAX} are taken")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

/// Where HTTP requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAddress {
    /// A name or an IP address, the latter without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
    /// What stands in the `Host` header.
    pub(crate) authority: String,
    /// The path and query, as written.
    path: String,
}

impl HttpAddress {
    /// Reads an `http` or `https` address.
    ///
    /// # Errors
    /// When no request could go there.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.len() > URL_BYTES_MAX {
            return Err(AddressError::TooLong { bytes: text.len() });
        }
        let not_url = || AddressError::NotUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| not_url())?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            // `example.org:8080` reads as a scheme's name too, and `/hook` has none.
            Some(_) | None => return Err(AddressError::Scheme),
        };
        let authority = uri.authority().ok_or_else(not_url)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::HasLogin);
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(not_url());
        }
        let port = port(authority, if is_tls { 443 } else { 80 })?;
        Ok(Self {
            host,
            port,
            is_tls,
            authority: authority.as_str().to_owned(),
            path: uri
                .path_and_query()
                .map_or("/", |it| it.as_str())
                .to_owned(),
        })
    }

    /// The host, as people read it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Host and port, as people read them.
    #[must_use]
    pub fn place(&self) -> String {
        place(&self.host, self.port)
    }

    /// Whether it is spoken to over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The path and query, as written; `/` where there are none.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The port that an address names, or the one that is usual.
fn port(authority: &Authority, usual: u16) -> Result<u16, AddressError> {
    // The library's own `port` is silent about one that there is not.
    let named = authority.as_str().strip_prefix(authority.host());
    match named.and_then(|rest| rest.strip_prefix(':')) {
        None | Some("") => Ok(usual),
        Some(port) => match port.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(AddressError::BadPort(port.to_owned())),
        },
    }
}

/// Host and port, the host in brackets where it has colons of its own.
pub(crate) fn place(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_where_a_request_can_go() {
        use AddressError as E;
        let not_url = |text: &str| E::NotUrl(text.to_owned());
        for (text, expected) in [
            ("ftp://example.org", E::Scheme),
            ("example.org/hook", not_url("example.org/hook")),
            ("/hook", E::Scheme),
            ("https://user:pass@example.org", E::HasLogin),
            ("https://user@example.org", E::HasLogin),
            ("https:///x", not_url("https:///x")),
            ("http://h:99999", E::BadPort("99999".to_owned())),
            ("https://[::1]:65536/x", E::BadPort("65536".to_owned())),
            ("http://h:0/x", E::BadPort("0".to_owned())),
            ("http://h:-1/x", E::BadPort("-1".to_owned())),
            ("", not_url("")),
        ] {
            assert_eq!(HttpAddress::parse(text), Err(expected), "{text:?}");
        }
        let long = format!("http://x/{}", "a".repeat(URL_BYTES_MAX));
        let bytes = long.len();
        assert_eq!(HttpAddress::parse(&long), Err(E::TooLong { bytes }));
    }

    #[test]
    fn an_address_has_its_parts() {
        for (text, place, path) in [
            ("https://example.org", "example.org:443", "/"),
            (
                "http://127.0.0.1:8080/hook?a=b",
                "127.0.0.1:8080",
                "/hook?a=b",
            ),
            ("https://[::1]:8443/a/?b=c", "[::1]:8443", "/a/?b=c"),
            ("http://x/", "x:80", "/"),
        ] {
            let address = HttpAddress::parse(text).unwrap();
            assert_eq!((address.place().as_str(), address.path()), (place, path));
        }
    }
}
