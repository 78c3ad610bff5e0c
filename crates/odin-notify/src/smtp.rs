//! A conversation with a mail server: one connection for each message. The library knows the words of SMTP; here is which
//! are said, and what an answer to each of them means.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use odin_model::SecretValue;
use odin_model::channel::{EmailTarget, MailLogin, MailSecurity};
use odin_outbound::{Bounds, OutboundError, TlsFlaw, connector, dial, with_causes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::courier::Failed;
use crate::starttls;

/// Answers that are about who is there, and not about the message: a login that is wanted, too weak, wrong, or not to be
/// made in clear.
const LOGIN_CODES: [u16; 4] = [530, 534, 535, 538];
/// How long a server's farewell is waited for. The message is taken by then, whatever it says.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// A server that is ready for a message.
pub(crate) struct MailSession {
    connection: AsyncSmtpConnection,
    place: String,
}

/// What a server made of a message's recipients.
#[derive(Default)]
pub(crate) struct Taken {
    /// Its words, where it took the message for anybody.
    pub(crate) answer: Option<String>,
    /// For whom.
    pub(crate) by: Vec<String>,
    /// Whom it refused for good, and why.
    pub(crate) refused: Vec<(String, SmtpError)>,
    /// Whom it put off, and why.
    pub(crate) put_off: Vec<(String, SmtpError)>,
}

impl MailSession {
    /// Connects, and logs in where the target has a login. Nothing of a message is said yet, and nothing at all in clear
    /// where the target is reached over TLS, but for a greeting and the wish for TLS.
    pub(crate) async fn open(
        target: &EmailTarget,
        password: Option<&SecretValue>,
        hello: &str,
        bounds: &Bounds,
    ) -> Result<Self, Failed> {
        let place = place(target);
        let stream = secured(target, hello, bounds).await?;
        let hello = ClientId::Domain(hello.to_owned());
        let greeted = AsyncSmtpConnection::connect_with_transport(stream, &hello).await;
        let mut session = match greeted {
            Ok(connection) => Self { connection, place },
            Err(error) => return Err(Failed::for_now(explained(&place, &error))),
        };
        if let Some(login) = &target.login {
            session.log_in(login, password).await?;
        }
        Ok(session)
    }

    async fn log_in(
        &mut self,
        login: &MailLogin,
        password: Option<&SecretValue>,
    ) -> Result<(), Failed> {
        let Some(password) = password else {
            return Err(Failed::for_now("the channel's password is not there"));
        };
        let user = &login.user;
        let password = String::from_utf8_lossy(password.expose().trim_ascii_end()).into_owned();
        let credentials = Credentials::new(user.clone(), password);
        let logged_in = self.connection.auth(DEFAULT_MECHANISMS, &credentials).await;
        let Err(error) = logged_in else { return Ok(()) };
        let why = explained(&self.place, &error);
        let secret = &login.password;
        Err(Failed::for_now(match error.status().map(u16::from) {
            Some(code) if LOGIN_CODES.contains(&code) => format!(
                "{why}; it does not take {user}'s login: check the user in the channel's address, and the secret `{secret}`"
            ),
            None if error.is_client() => format!(
                "{}: it offers no login by PLAIN or LOGIN here; leave the user out of the channel's address if it needs none",
                self.place
            ),
            _ => why,
        }))
    }

    /// Hands the message over for some of its recipients. One whom the server refuses, for good or for now, keeps it from
    /// no other.
    pub(crate) async fn deliver(
        &mut self,
        mail: &lettre::Message,
        recipients: &[&Address],
    ) -> Result<Taken, Failed> {
        let envelope = mail.envelope();
        let bytes = mail.formatted();
        let has_foreign = envelope
            .from()
            .into_iter()
            .chain(recipients.iter().copied())
            .any(|address| !AsRef::<str>::as_ref(address).is_ascii());
        let parameters = self.parameters(has_foreign, bytes.is_ascii())?;
        let begun = self
            .connection
            .command(Mail::new(envelope.from().cloned(), parameters));
        begun.await.map_err(|error| self.failed(&error))?;
        let mut taken = Taken::default();
        for &to in recipients {
            let named = Rcpt::new(to.clone(), Vec::new());
            let Err(error) = self.connection.command(named).await else {
                taken.by.push(to.to_string());
                continue;
            };
            // A connection that broke, or a login that is wanted, is about all of them.
            if error.status().is_none() || is_about_login(&error) {
                return Err(self.failed(&error));
            }
            match error.is_permanent() {
                true => taken.refused.push((to.to_string(), error)),
                false => taken.put_off.push((to.to_string(), error)),
            }
        }
        if taken.by.is_empty() {
            return Ok(taken);
        }
        let asked = self.connection.command(Data).await;
        asked.map_err(|error| self.failed(&error))?;
        match self.connection.message(&bytes).await {
            Ok(response) => {
                taken.answer = Some(words_of(&response));
                Ok(taken)
            }
            Err(error) if error.status().is_some() => Err(self.failed(&error)),
            Err(error) => Err(Failed::for_now(format!(
                "{} said nothing of the message before the connection ended, and may have taken it: it gets it again, with the same Message-ID ({})",
                self.place,
                with_causes(&error)
            ))),
        }
    }

    /// What the server is told of a message, as far as it has to be able to take it.
    fn parameters(&self, has_foreign: bool, is_ascii: bool) -> Result<Vec<MailParameter>, Failed> {
        let can = |extension| self.connection.server_info().supports_feature(extension);
        let mut parameters = Vec::new();
        if has_foreign {
            if !can(Extension::SmtpUtfEight) {
                return Err(Failed::for_good(format!(
                    "{} takes addresses in ASCII only (it has no SMTPUTF8): use ones that are",
                    self.place
                )));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !is_ascii && can(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    /// Takes leave, which changes nothing any more.
    pub(crate) async fn close(mut self) {
        let _ = tokio::time::timeout(FAREWELL_MAX, self.connection.quit()).await;
    }

    /// What a refusal means for the message.
    pub(crate) fn failed(&self, error: &SmtpError) -> Failed {
        let why = explained(&self.place, error);
        match is_about_login(error) {
            true => Failed::for_now(format!(
                "{why}; it wants a login: name a user in the channel's address, and the secret that is the password"
            )),
            false if error.is_permanent() => Failed::for_good(why),
            false => Failed::for_now(why),
        }
    }
}

/// Host and port.
pub(crate) fn place(target: &EmailTarget) -> String {
    match target.host.contains(':') {
        true => format!("[{}]:{}", target.host, target.port),
        false => format!("{}:{}", target.host, target.port),
    }
}

/// A connection on which the server is the next to speak.
async fn secured(
    target: &EmailTarget,
    hello: &str,
    bounds: &Bounds,
) -> Result<Box<dyn AsyncTokioStream>, Failed> {
    let mut stream = dial(&target.host, target.port, bounds).await?;
    let greeting: &'static [u8] = match target.security {
        MailSecurity::Plain => return Ok(Box::new(stream)),
        MailSecurity::Tls => b"",
        MailSecurity::StartTls => {
            let asked = starttls::ask(&mut stream, &place(target), hello).await;
            asked.map_err(|error| Failed::for_now(error.to_string()))?;
            // The server does not greet again, and the library waits for a greeting.
            b"220 greeted\r\n"
        }
    };
    let peer = peer_of(&stream, target)?;
    let stream = connector().await?.connect(&target.host, stream).await;
    let stream = stream.map_err(|error| {
        let flaw = TlsFlaw::of(&error, &target.host);
        let place = place(target);
        Failed::from(match flaw {
            Some(flaw) => OutboundError::Tls { place, flaw },
            None => OutboundError::Broken {
                place,
                reason: error.to_string(),
            },
        })
    })?;
    Ok(Box::new(Secured {
        peer,
        greeting,
        stream,
    }))
}

fn peer_of(stream: &TcpStream, target: &EmailTarget) -> Result<SocketAddr, OutboundError> {
    stream.peer_addr().map_err(|error| OutboundError::Broken {
        place: place(target),
        reason: error.to_string(),
    })
}

/// A connection over TLS, with what is read first.
#[derive(Debug)]
struct Secured<S> {
    peer: SocketAddr,
    greeting: &'static [u8],
    stream: S,
}

impl<S> AsyncTokioStream for Secured<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Secured<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let (now, later) = self
            .greeting
            .split_at(self.greeting.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Secured<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn is_about_login(error: &SmtpError) -> bool {
    let code = error.status().map(u16::from);
    code.is_some_and(|code| LOGIN_CODES.contains(&code))
}

fn words_of(response: &Response) -> String {
    let said: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), said.join(" "))
}

/// Why something failed, for people.
pub(crate) fn explained(place: &str, error: &SmtpError) -> String {
    format!("{place}: {}", with_causes(error))
}
