//! Mail servers and addresses as people write them.

use lettre::Address;
use lettre::message::Mailbox;
use odin_model::channel::MailSecurity;

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub security: MailSecurity,
    /// By which name it knows Odin. `None`: it does not ask.
    pub user: Option<String>,
}

/// Why a text names no mail server or nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailAddressError {
    /// Another scheme.
    #[error(
        "a mail server's address begins with `smtp://` (STARTTLS), `smtps://` (TLS) or `smtp+plain://` (neither)"
    )]
    Scheme,
    /// No host, or a port that is no number.
    #[error("a mail server's address is `smtp://[user@]host[:port]`")]
    Shape,
    /// A password, which lists would show.
    #[error("a mail server's address holds no password: name the secret that does")]
    Password,
    /// Not a mail address.
    #[error("`{0}` is not a mail address")]
    Address(String),
}

impl MailServer {
    /// Reads `smtp://user@mail.example.org:587`, `smtps://…` or `smtp+plain://…`. `%40` stands for an `@` in the
    /// user's name.
    ///
    /// # Errors
    /// When it names no server, or holds a password.
    pub fn parse(text: &str) -> Result<Self, MailAddressError> {
        use MailAddressError as E;
        let all = [
            MailSecurity::Tls,
            MailSecurity::StartTls,
            MailSecurity::Plain,
        ];
        let (scheme, rest) = text.split_once("://").ok_or(E::Scheme)?;
        let mut all = all.into_iter();
        let security = all.find(|it| it.scheme() == scheme).ok_or(E::Scheme)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(E::Password);
        }
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| E::Shape)?)
            }
            _ => (place, security.port()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(is_plain) || user == Some("") {
            return Err(E::Shape);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            security,
            user: user.map(|user| user.replace("%40", "@")),
        })
    }
}

/// Checks a mail address: `ops@example.org`, or `Ops <ops@example.org>`.
///
/// # Errors
/// When nothing could be sent to it.
pub fn check_address(text: &str) -> Result<(), MailAddressError> {
    mailbox(text).map(|_| ())
}

pub(crate) fn mailbox(text: &str) -> Result<Mailbox, MailAddressError> {
    let parsed = match text.contains('<') {
        true => text.parse::<Mailbox>().ok(),
        false => text
            .parse::<Address>()
            .ok()
            .map(|address| Mailbox::new(None, address)),
    };
    let is_one_line = !text.chars().any(char::is_control);
    parsed
        .filter(|_| is_one_line)
        .ok_or_else(|| MailAddressError::Address(text.chars().take(100).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_read_with_its_security_and_never_with_a_password() {
        use MailAddressError as E;
        let server = |host: &str, port, security, user: Option<&str>| {
            Ok(MailServer {
                host: host.to_owned(),
                port,
                security,
                user: user.map(ToOwned::to_owned),
            })
        };
        use MailSecurity::{Plain, StartTls, Tls};
        for (text, expected) in [
            (
                "smtp://mail.example.org",
                server("mail.example.org", 587, StartTls, None),
            ),
            (
                "smtps://odin@mail:4650/",
                server("mail", 4650, Tls, Some("odin")),
            ),
            (
                "smtps://odin%40example.org@mail",
                server("mail", 465, Tls, Some("odin@example.org")),
            ),
            (
                "smtp+plain://127.0.0.1:2525",
                server("127.0.0.1", 2525, Plain, None),
            ),
            ("smtp+plain://[::1]:25", server("::1", 25, Plain, None)),
            ("smtp+plain://[::1]", server("::1", 25, Plain, None)),
            ("mail.example.org", Err(E::Scheme)),
            ("imap://mail", Err(E::Scheme)),
            ("smtp://", Err(E::Shape)),
            ("smtp://mail:port", Err(E::Shape)),
            ("smtp://@mail", Err(E::Shape)),
            ("smtp://ma il", Err(E::Shape)),
            ("smtp://odin:hunter22@mail", Err(E::Password)),
        ] {
            assert_eq!(MailServer::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn an_address_is_one_that_mail_can_go_to() {
        for text in ["ops@example.org", "Ops <ops@example.org>", "root@localhost"] {
            assert_eq!(check_address(text), Ok(()), "{text}");
        }
        for text in [
            "",
            "ops",
            "@example.org",
            "a@b\r\nRCPT TO:<c@d>",
            "a@b, c@d",
        ] {
            assert!(check_address(text).is_err(), "{text:?}");
        }
    }
}
