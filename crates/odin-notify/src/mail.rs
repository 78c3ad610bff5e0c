//! Messages as mail, through one server.

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::transport::smtp::Error as SmtpError;
use odin_model::SecretValue;
use odin_model::channel::{EmailTarget, MailSecurity};
use odin_model::delivery::{Message, SettledRecipient};
use odin_outbound::Bounds;

use crate::courier::{Failed, Trouble, shown};
use crate::mail_address::{MailAddressError, mailbox};
use crate::render::{subject, text};
use crate::smtp::{MailSession, Taken, explained, place};

pub(crate) async fn send(
    target: &EmailTarget,
    password: Option<&SecretValue>,
    message: &Message,
    node: &str,
    bounds: &Bounds,
    steps: &mut Vec<String>,
) -> Result<String, Failed> {
    let mail = compose(target, message, node)?;
    let is_open = |to: &Address| {
        message
            .settled
            .iter()
            .all(|it| it.address != to.to_string())
    };
    let to = mail.envelope().to().iter();
    let recipients: Vec<&Address> = to.filter(|to| is_open(to)).collect();
    if recipients.is_empty() {
        let words = "all recipients of the channel have it".to_owned();
        return Ok(told(words, &message.settled, steps));
    }
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
    let delivering = session.deliver(&mail, &recipients);
    let taken = in_time(&place, bounds.exchange, "the message", delivering).await?;
    let judged = judge(&session, &place, message, taken, steps);
    session.close().await;
    judged
}

/// What became of a message, some of whose recipients may have it from an earlier attempt.
fn judge(
    session: &MailSession,
    place: &str,
    message: &Message,
    taken: Taken,
    steps: &mut Vec<String>,
) -> Result<String, Failed> {
    let words = |(to, error): &(String, SmtpError)| format!("{to}: {}", explained(place, error));
    let got_it = taken.by.join(", ");
    if let Some(answer) = &taken.answer {
        steps.push(format!("sent message {} to {got_it}", message.id));
        steps.push(format!("{place} answered {answer}"));
    }
    let reached = taken.by.iter().map(|address| SettledRecipient {
        address: address.clone(),
        refused: None,
    });
    let refused = taken.refused.iter().map(|it| SettledRecipient {
        address: it.0.clone(),
        refused: Some(shown(&explained(place, &it.1))),
    });
    let settled: Vec<SettledRecipient> = reached.chain(refused).collect();
    let has_anybody = taken.answer.is_some() || !message.settled.is_empty();
    if !taken.put_off.is_empty() {
        let put_off: Vec<String> = taken.put_off.iter().map(words).collect();
        let put_off = format!("put off for {}", put_off.join("; "));
        return Err(Failed {
            trouble: Trouble::ForNow,
            reason: match taken.answer {
                Some(_) => format!("taken for {got_it}; {put_off}"),
                None => put_off,
            },
            settled: match has_anybody {
                true => settled,
                false => Vec::new(),
            },
        });
    }
    if let (false, Some((_, error))) = (has_anybody, taken.refused.first()) {
        return Err(session.failed(error));
    }
    let answer = taken.answer.unwrap_or("the others have it".to_owned());
    let all: Vec<_> = message.settled.iter().cloned().chain(settled).collect();
    Ok(told(answer, &all, steps))
}

/// An answer, with whom the message was refused for.
fn told(answer: String, settled: &[SettledRecipient], steps: &mut Vec<String>) -> String {
    let refused = settled.iter().filter_map(|it| {
        let why = it.refused.as_ref()?;
        Some(format!("{}: {why}", it.address))
    });
    let refused: Vec<String> = refused.collect();
    if refused.is_empty() {
        return answer;
    }
    let but = format!("but did not take it for {}", refused.join("; "));
    steps.push(but.clone());
    format!("{answer}, {but}")
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
