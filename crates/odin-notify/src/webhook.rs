//! Messages as HTTP requests, after the Standard Webhooks specification 1.0.

use jiff::Timestamp;
use odin_model::SecretValue;
use odin_model::channel::WebhookTarget;
use odin_model::delivery::Message;
use odin_outbound::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use odin_outbound::{Answer, Bounds, HttpAddress, HttpClient, StatusCode};

use crate::courier::{Failed, shown};
use crate::render::payload;
use crate::signature::sign;

pub(crate) async fn send(
    target: &WebhookTarget,
    key: Option<&SecretValue>,
    message: &Message,
    now: Timestamp,
    bounds: Bounds,
    steps: &mut Vec<String>,
) -> Result<String, Failed> {
    let address = HttpAddress::parse(&target.url)
        .map_err(|error| Failed::for_good(format!("the channel's address is no good: {error}")))?;
    let (place, path) = (address.place(), address.path().to_owned());
    let trusted = address
        .is_tls()
        .then(|| format!("{}'s certificate is trusted", address.host()));
    let mut client = HttpClient::new(address, bounds);
    client.connect().await?;
    steps.push(format!("connected to {place}"));
    steps.extend(trusted);
    let body = payload(message).to_string();
    let headers = headers(key, message, now, body.as_bytes());
    let answer = client.post(&path, headers, body.into()).await?;
    steps.push(match key {
        Some(_) => format!("sent message {}, signed", message.id),
        None => format!("sent message {}, not signed", message.id),
    });
    let said = summary(&answer);
    steps.push(format!("{place} answered {said}"));
    judge(&place, answer.status, said)
}

/// What a status means. The body may be late or cut: it is for people only.
fn judge(place: &str, status: StatusCode, said: String) -> Result<String, Failed> {
    match status {
        status if status.is_success() => Ok(said),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => {
            Err(Failed::for_good(format!("{place} answered {said}")))
        }
        status if status.is_redirection() => Err(Failed::for_now(format!(
            "{place} answered {said}; redirects are not followed: set the channel to where it is now"
        ))),
        _ => Err(Failed::for_now(format!("{place} answered {said}"))),
    }
}

fn headers(key: Option<&SecretValue>, message: &Message, now: Timestamp, body: &[u8]) -> HeaderMap {
    let id = message.id.to_string();
    let seconds = now.as_second();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("webhook-timestamp"), seconds.into());
    let signature = key.map(|key| sign(key, &id, seconds, body));
    let texts = [("webhook-id", Some(id)), ("webhook-signature", signature)];
    for (name, text) in texts {
        if let Some(text) = text {
            let value = HeaderValue::try_from(text).expect("ids and base64 are plain ASCII");
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers
}

/// Status, where a redirect points, and the beginning of the body, on one line.
fn summary(answer: &Answer) -> String {
    let mut line = answer.status.to_string();
    if let Some(to) = &answer.location {
        line.push_str(" to ");
        line.push_str(to);
    }
    let said = shown(&String::from_utf8_lossy(&answer.body));
    if !said.is_empty() {
        line.push_str(": ");
        line.push_str(&said);
    }
    line
}
