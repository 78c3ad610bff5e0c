//! Messages as mail, through one server.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use odin_model::SecretValue;
use odin_model::channel::{EmailTarget, MailSecurity};
use odin_model::delivery::Message;
use odin_outbound::Bounds;

use crate::courier::Failed;
use crate::mail_address::{MailAddressError, mailbox};
use crate::render::{subject, text};
use crate::smtp::{MailSession, place};

pub(crate) async fn send(
    target: &EmailTarget,
    password: Option<&SecretValue>,
    message: &Message,
    node: &str,
    bounds: &Bounds,
    steps: &mut Vec<String>,
) -> Result<String, Failed> {
    let mail = compose(target, message, node)?;
    let place = place(target);
    let hello = domain(node);
    let opening = MailSession::open(target, password, &hello, bounds);
    let opening = in_time(&place, bounds.connect, "greeting and login", opening);
    let mut session = opening.await?;
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
    let delivering = session.deliver(&mail);
    let taken = in_time(&place, bounds.exchange, "the message", delivering).await?;
    session.close().await;
    let to = target.to.join(", ");
    steps.push(format!("sent message {} to {to}", message.id));
    steps.push(format!("{place} answered {}", taken.answer));
    if taken.refused.is_empty() {
        return Ok(taken.answer);
    }
    let but = format!("but did not take it for {}", taken.refused.join("; "));
    steps.push(but.clone());
    Ok(format!("{}, {but}", taken.answer))
}

/// The library waits without end for a server that says nothing more.
async fn in_time<T>(
    place: &str,
    within: Duration,
    what: &str,
    work: impl Future<Output = Result<T, Failed>>,
) -> Result<T, Failed> {
    let done = tokio::time::timeout(within, work).await;
    done.unwrap_or_else(|_| {
        let seconds = within.as_secs_f64();
        Err(Failed::for_now(format!(
            "{place} did not finish {what} within {seconds}s"
        )))
    })
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
        // What looks like an encoded word (RFC 2047) would be read as what it stands for.
        .subject(subject(message).replace("=?", "= ?"))
        .message_id(Some(id))
        .date(made_at)
        .raw_header(HeaderValue::new(
            auto_submitted,
            "auto-generated".to_owned(),
        ))
        // Without it the text's encoding is none (RFC 2045), and the library adds it to mail of several parts only.
        .header(MIME_VERSION_1_0)
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
