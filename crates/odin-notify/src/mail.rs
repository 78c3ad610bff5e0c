//! Messages as mail, through one server. The library speaks SMTP; here is what is said and what an answer means.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use odin_model::SecretValue;
use odin_model::channel::{EmailTarget, MailSecurity};
use odin_model::delivery::Message;
use odin_outbound::{Bounds, OutboundError, TlsFlaw};

use crate::courier::Failed;
use crate::mail_address::{MailAddressError, mailbox};
use crate::render::{subject, text};

/// Answers to a login, which say nothing of the message.
const LOGIN_REFUSED: [u16; 5] = [530, 534, 535, 538, 554];

pub(crate) async fn send(
    target: &EmailTarget,
    password: Option<&SecretValue>,
    message: &Message,
    node: &str,
    bounds: &Bounds,
    steps: &mut Vec<String>,
) -> Result<String, Failed> {
    let mail = compose(target, message, node)?;
    let transport = transport(target, password, node, bounds)?;
    let place = format!("{}:{}", target.host, target.port);
    // A login is tried by itself first: its refusal says nothing of the message, and nothing of it was sent yet.
    match in_time(
        &place,
        bounds.connect,
        "greeting and login",
        transport.test_connection(),
    )
    .await?
    {
        Ok(true) => {}
        Ok(false) => {
            return Err(Failed::for_now(format!("{place} is not ready for mail")));
        }
        Err(error) => return Err(Failed::for_now(explained(target, &error))),
    }
    let security = match target.security {
        MailSecurity::Tls => "TLS",
        MailSecurity::StartTls => "STARTTLS",
        MailSecurity::Plain => "no TLS",
    };
    let login = target.login.as_ref();
    let login = login.map_or("no login".to_owned(), |it| {
        format!("logged in as {}", it.user)
    });
    steps.push(format!("connected to {place}, {security}, {login}"));
    match in_time(&place, bounds.exchange, "the message", transport.send(mail)).await? {
        Ok(response) => {
            let said: Vec<&str> = response.message().collect();
            let answer = format!("{} {}", response.code(), said.join(" "));
            let to = target.to.join(", ");
            steps.push(format!("sent message {} to {to}", message.id));
            steps.push(format!("{place} answered {answer}"));
            Ok(answer)
        }
        Err(error) => {
            let code = error.status().map(u16::from);
            let is_login = code.is_some_and(|code| LOGIN_REFUSED[..4].contains(&code));
            let reason = explained(target, &error);
            Err(match error.is_permanent() && !is_login {
                true => Failed::for_good(reason),
                false => Failed::for_now(reason),
            })
        }
    }
}

/// The library waits without end for a server that says nothing more.
async fn in_time<T>(
    place: &str,
    within: Duration,
    what: &str,
    work: impl Future<Output = T>,
) -> Result<T, Failed> {
    tokio::time::timeout(within, work).await.map_err(|_| {
        let seconds = within.as_secs_f64();
        Failed::for_now(format!("{place} did not finish {what} within {seconds}s"))
    })
}

/// The error with what caused it, and what to do about it where that is known: the library's own words name only the
/// step.
fn explained(target: &EmailTarget, error: &SmtpError) -> String {
    let place = format!("{}:{}", target.host, target.port);
    let host = target.host.trim_matches(['[', ']']);
    if let Some(flaw) = TlsFlaw::of(error, host) {
        return OutboundError::Tls { place, flaw }.to_string();
    }
    let mut words = format!("{place}: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words.push_str(": ");
            words.push_str(&cause_words);
        }
        source = cause.source();
    }
    // The library refuses before it says a word in clear.
    if target.security == MailSecurity::StartTls && error.is_client() {
        words.push_str(
            "; name the server as smtps://HOST:465 if it speaks TLS from the start, or as smtp+plain://HOST if nothing may be encrypted",
        );
    }
    words
}

fn compose(target: &EmailTarget, message: &Message, node: &str) -> Result<lettre::Message, Failed> {
    let bad =
        |error: MailAddressError| Failed::for_good(format!("the channel is no good: {error}"));
    let id = format!("<{}@{}>", message.id, domain(node));
    // RFC 3834: no vacation notice answers it.
    let auto_submitted = HeaderName::new_from_ascii_str("Auto-Submitted");
    let made_at: SystemTime =
        SystemTime::UNIX_EPOCH + Duration::from_secs(message.made_at.as_second().unsigned_abs());
    let mut builder = lettre::Message::builder()
        .from(mailbox(&target.from).map_err(bad)?)
        .subject(subject(message))
        .message_id(Some(id))
        .date(made_at)
        .raw_header(HeaderValue::new(
            auto_submitted,
            "auto-generated".to_owned(),
        ))
        .header(ContentType::TEXT_PLAIN);
    for to in &target.to {
        builder = builder.to(mailbox(to).map_err(bad)?);
    }
    builder
        .body(text(message))
        .map_err(|error| Failed::for_good(format!("the mail cannot be written: {error}")))
}

/// What stands after the `@` of a message's id, and how Odin greets a server.
fn domain(node: &str) -> String {
    let fit = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '-' | '.') {
        true => c,
        false => '-',
    };
    let name: String = node.chars().map(fit).collect();
    let name = name.trim_matches(['-', '.']);
    match name.is_empty() {
        true => "odin".to_owned(),
        false => name.to_owned(),
    }
}

fn transport(
    target: &EmailTarget,
    password: Option<&SecretValue>,
    node: &str,
    bounds: &Bounds,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, Failed> {
    let host = &target.host;
    let parameters = || {
        TlsParameters::new(host.clone())
            .map_err(|error| Failed::for_now(format!("no TLS with {host}: {error}")))
    };
    let tls = match target.security {
        MailSecurity::Tls => Tls::Wrapper(parameters()?),
        MailSecurity::StartTls => Tls::Required(parameters()?),
        MailSecurity::Plain => Tls::None,
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
        .port(target.port)
        .tls(tls)
        .hello_name(ClientId::Domain(domain(node)))
        .timeout(Some(bounds.connect));
    if let Some(login) = &target.login {
        let Some(password) = password else {
            return Err(Failed::for_now("the channel's password is not there"));
        };
        let password = String::from_utf8_lossy(password.expose().trim_ascii_end()).into_owned();
        transport = transport.credentials(Credentials::new(login.user.clone(), password));
    }
    Ok(transport.build())
}
