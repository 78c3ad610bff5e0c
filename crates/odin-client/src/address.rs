//! Where a server may be: what a person writes, and the order in which places are tried.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Which node to speak to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `unix:PATH`: this socket.
    Socket(PathBuf),
    /// `http://HOST[:PORT]`: over TCP, where a token is needed.
    Http {
        /// A name or an address; an IPv6 address without its brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// `:PORT`: the node of this machine that listens on the port. It is asked for its socket, and the socket is
    /// used, so that no token is sent to whoever holds the port.
    Port(u16),
    /// Nothing was said: the first of these sockets on which somebody listens.
    Sockets(Vec<PathBuf>),
}

/// Why a text is not a server's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Neither of the two forms.
    #[error("`{0}` is not a server's address: write `http://HOST:PORT` or `unix:PATH`")]
    Form(String),
    /// `https://…`.
    #[error(
        "https is not supported yet: use the socket (`unix:PATH`), or `http://` on this machine"
    )]
    Tls,
    /// Not a port.
    #[error("`{0}` is not a port: write `:3939`")]
    Port(String),
}

impl Target {
    /// Reads `http://HOST[:PORT]` (port 80 when there is none) or `unix:PATH`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse_server(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError::Form(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(bad()),
                path => Ok(Self::Socket(path.into())),
            };
        }
        if text.starts_with("https://") {
            return Err(AddressError::Tls);
        }
        let authority = text.strip_prefix("http://").ok_or_else(bad)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = split_authority(authority).ok_or_else(bad)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(plain) {
            return Err(bad());
        }
        let port = match port {
            None => 80,
            Some(port) => parse_port_number(port).ok_or_else(bad)?,
        };
        Ok(Self::Http {
            host: host.to_owned(),
            port,
        })
    }

    /// Reads `:PORT`, `PORT`, `127.0.0.1:PORT` or `localhost:PORT`.
    ///
    /// # Errors
    /// When it is none of these: another machine is named with its whole address.
    pub fn parse_port(text: &str) -> Result<Self, AddressError> {
        let digits = ["localhost:", "127.0.0.1:", ":"]
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))
            .unwrap_or(text);
        parse_port_number(digits)
            .map(Self::Port)
            .ok_or_else(|| AddressError::Port(text.to_owned()))
    }
}

/// `[::1]:80`, `host:80` or `host`.
fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        return match after {
            "" => Some((host, None)),
            after => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    match authority.split_once(':') {
        None => Some((authority, None)),
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
    }
}

/// A port that can be connected to: no sign, not zero.
fn parse_port_number(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|&port: &u16| plain && port != 0)
}

/// The address of a port of this machine.
pub(crate) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
            Self::Http { host, port } if host.contains(':') => write!(f, "http://[{host}]:{port}"),
            Self::Http { host, port } => write!(f, "http://{host}:{port}"),
            Self::Port(port) => write!(f, "127.0.0.1:{port}"),
            Self::Sockets(paths) => {
                for (position, path) in paths.iter().enumerate() {
                    let separator = if position == 0 { "" } else { ", " };
                    write!(f, "{separator}{}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        read: fn(&str) -> Result<Target, AddressError>,
        text: &str,
        expected: Result<&str, &str>,
    ) {
        let found = read(text)
            .map(|target| format!("{target:?}"))
            .map_err(|error| error.to_string());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{text}: {found}"),
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_server_is_a_url_or_a_socket() {
        for (text, expected) in [
            ("unix:/run/o.sock", Ok(r#"Socket("/run/o.sock")"#)),
            ("unix:///run/o.sock", Ok(r#"Socket("/run/o.sock")"#)),
            ("unix:o.sock", Ok(r#"Socket("o.sock")"#)),
            (
                "http://127.0.0.1:3939",
                Ok(r#"Http { host: "127.0.0.1", port: 3939 }"#),
            ),
            ("http://host/", Ok(r#"Http { host: "host", port: 80 }"#)),
            (
                "http://[::1]:3939",
                Ok(r#"Http { host: "::1", port: 3939 }"#),
            ),
            ("unix:", Err("not a server's address")),
            ("", Err("not a server's address")),
            (":3939", Err("not a server's address")),
            ("http://", Err("not a server's address")),
            ("http://::1", Err("not a server's address")),
            ("http://a b", Err("not a server's address")),
            ("http://a@b", Err("not a server's address")),
            ("http://h:99999", Err("not a server's address")),
            ("http://h:+1", Err("not a server's address")),
            ("http://h/path", Err("not a server's address")),
            ("https://h", Err("https is not supported yet")),
        ] {
            check(Target::parse_server, text, expected);
        }
    }

    #[test]
    fn a_port_is_one_of_this_machine() {
        for (text, expected) in [
            (":3939", Ok("Port(3939)")),
            ("3939", Ok("Port(3939)")),
            ("localhost:1", Ok("Port(1)")),
            ("127.0.0.1:65535", Ok("Port(65535)")),
            (":0", Err("not a port")),
            ("", Err("not a port")),
            (":", Err("not a port")),
            (":65536", Err("not a port")),
            (":-1", Err("not a port")),
            ("10.0.0.1:3939", Err("not a port")),
            ("::3939", Err("not a port")),
        ] {
            check(Target::parse_port, text, expected);
        }
    }
}
