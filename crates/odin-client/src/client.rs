//! The client: requests that are repeated while that helps and is safe.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, IF_MATCH};
use hyper::{Method, Request, Response};
use odin_wire::IDEMPOTENCY_KEY;
use tokio::time::{Instant, sleep};

use crate::address::Target;
use crate::error::{CarriedOut, ClientError};
use crate::exchange::Endpoint;
use crate::find;
use crate::reply;

/// How long a request waits for a leader, or for a server that starts, in all its repetitions.
pub(crate) const LEADER_TIME_MAX: Duration = Duration::from_secs(10);
/// How long the head of an answer may take. The server itself waits up to 10 s for a leader.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// The pause before the first repetition; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause between two repetitions.
const PAUSE_MAX: Duration = Duration::from_millis(800);

/// How often an answer is asked for whose body breaks off.
const BODIES_MAX: u32 = 3;

/// A bearer token. Never printed.
#[derive(Clone)]
pub struct Token(HeaderValue);

/// A text that cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is one line of printable ASCII")]
pub struct TokenError;

impl Token {
    /// A token as its file or its owner has it; white space around it does not count.
    ///
    /// # Errors
    /// When it is empty or has characters that no header can carry.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError);
        }
        let mut value = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| TokenError)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Makes a creation count once, however often it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey([u8; 16]);

impl IdempotencyKey {
    /// A key from bits that the caller has drawn at random.
    #[must_use]
    pub fn from_bits(bits: [u8; 16]) -> Self {
        Self(bits)
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A request as it can be sent again.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The body and its content type.
    pub(crate) body: Option<(Bytes, &'static str)>,
    pub(crate) key: Option<IdempotencyKey>,
    /// The revision that the asker saw.
    pub(crate) if_match: Option<u64>,
    pub(crate) last_event_id: Option<String>,
    pub(crate) patience: Duration,
}

impl Call {
    pub(crate) fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            body: None,
            key: None,
            if_match: None,
            last_event_id: None,
            patience: ANSWER_TIME_MAX,
        }
    }

    pub(crate) fn get(path: String) -> Self {
        Self::new(Method::GET, path)
    }

    /// The same call with a JSON body.
    pub(crate) fn with_json(mut self, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("what is sent is plain data");
        self.body = Some((body.into(), "application/json"));
        self
    }

    /// A creation or an action: counts once.
    pub(crate) fn post(path: String, key: IdempotencyKey) -> Self {
        Self {
            key: Some(key),
            ..Self::new(Method::POST, path)
        }
    }

    /// Whether sending it twice does what sending it once does.
    fn counts_once(&self) -> bool {
        let repeatable = [Method::GET, Method::PUT, Method::DELETE];
        self.key.is_some() || repeatable.contains(&self.method)
    }

    fn request(&self, host: &str, token: Option<&Token>) -> Request<Full<Bytes>> {
        let (bytes, kind) = self.body.clone().unwrap_or_default();
        let mut request = Request::new(Full::new(bytes));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.parse().expect("paths are made here, and escaped");
        let mut set = |name, value: String| {
            let value = HeaderValue::try_from(value).expect("headers are made here, of ASCII");
            request.headers_mut().insert(name, value);
        };
        set(HOST, host.to_owned());
        set(
            ACCEPT,
            "application/json, application/problem+json, */*".to_owned(),
        );
        if !kind.is_empty() {
            set(CONTENT_TYPE, kind.to_owned());
        }
        if let Some(key) = self.key {
            set(
                IDEMPOTENCY_KEY.parse().expect("a header's name"),
                key.to_string(),
            );
        }
        if let Some(revision) = self.if_match {
            set(IF_MATCH, revision.to_string());
        }
        if let Some(id) = &self.last_event_id
            && let Ok(id) = HeaderValue::try_from(id)
        {
            request.headers_mut().insert("last-event-id", id);
        }
        if let Some(token) = token {
            request.headers_mut().insert(AUTHORIZATION, token.0.clone());
        }
        request
    }
}

/// A node that answers.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) endpoint: Endpoint,
    token: Option<Token>,
}

impl Client {
    /// Finds the node.
    ///
    /// # Errors
    /// When nobody listens there, or this user may not ask it.
    pub async fn find(target: &Target, token: Option<Token>) -> Result<Self, ClientError> {
        let endpoint = find::endpoint(target, token.as_ref()).await?;
        Ok(Self { endpoint, token })
    }

    /// Where the node was found, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        self.endpoint.to_string()
    }

    /// The answer to a call, or its problem.
    pub(crate) async fn answer(&self, call: &Call) -> Result<Response<Incoming>, ClientError> {
        let token = match self.endpoint {
            // The kernel says who asks: a token would only be one more thing to lose.
            Endpoint::Socket { .. } => None,
            Endpoint::Tcp { .. } => self.token.as_ref(),
        };
        repeated(&self.endpoint, token, call).await
    }

    /// A deletion. What an attempt without a reply may have deleted counts as deleted when it is gone.
    pub(crate) async fn delete(&self, call: &Call) -> Result<(), ClientError> {
        match self.answer(call).await {
            Ok(_) | Err(ClientError::GoneAfterLostReply) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The body of the answer to a call, of at most so many bytes. A body that breaks off is asked for again.
    pub(crate) async fn bytes(&self, call: &Call, bytes_max: usize) -> Result<Bytes, ClientError> {
        for _ in 1..BODIES_MAX {
            let answer = self.answer(call).await?;
            match reply::body(&self.place(), answer, bytes_max).await {
                Err(ClientError::Lost { .. }) if call.counts_once() => {}
                body => return body.map_err(|error| told_precisely(error, call, true)),
            }
        }
        let answer = self.answer(call).await?;
        let body = reply::body(&self.place(), answer, bytes_max).await;
        body.map_err(|error| told_precisely(error, call, true))
    }

    /// The answer to a call as JSON.
    pub(crate) async fn json<T: serde::de::DeserializeOwned>(
        &self,
        call: &Call,
    ) -> Result<T, ClientError> {
        let body = self.bytes(call, reply::JSON_BYTES_MAX).await?;
        reply::json(&self.place(), &body)
    }
}

/// Sends a call until it has an answer that repeating would not change, at most for [`LEADER_TIME_MAX`].
///
/// A server that is not there at the first attempt is an error at once; one that goes away afterwards is waited for.
pub(crate) async fn repeated(
    endpoint: &Endpoint,
    token: Option<&Token>,
    call: &Call,
) -> Result<Response<Incoming>, ClientError> {
    let deadline = Instant::now() + LEADER_TIME_MAX;
    let (mut pause, mut attempts, mut was_lost) = (PAUSE_MIN, 0_u32, false);
    loop {
        let result = match endpoint
            .send(call.request(&endpoint.host(), token), call.patience)
            .await
        {
            Ok(answer) => reply::success(&endpoint.to_string(), answer).await,
            Err(error) => Err(error),
        };
        let error = match result {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if !helps_to_repeat(&error, call, attempts) || Instant::now() + pause >= deadline {
            return Err(told_precisely(error, call, was_lost));
        }
        was_lost |= matches!(error, ClientError::Lost { .. });
        attempts += 1;
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Whether the same request may have a better answer in a moment, and cannot count twice.
fn helps_to_repeat(error: &ClientError, call: &Call, attempts: u32) -> bool {
    match error {
        // A 503 may come after the change was proposed: nobody knows then whether it will be applied.
        ClientError::Refused(problem) => problem.status == 503 && call.counts_once(),
        ClientError::Lost { .. } => call.counts_once(),
        ClientError::NotRunning { .. } => attempts > 0 && call.counts_once(),
        _ => false,
    }
}

/// What an error says about a change depends on the call and on the attempts before.
fn told_precisely(error: ClientError, call: &Call, was_lost: bool) -> ClientError {
    let changes_nothing = call.method == Method::GET;
    match error {
        ClientError::Lost { place, detail, .. } if changes_nothing => ClientError::Lost {
            place,
            detail,
            carried_out: CarriedOut::No,
        },
        ClientError::TimedOut { place, after, .. } if changes_nothing => ClientError::TimedOut {
            place,
            after,
            carried_out: CarriedOut::No,
        },
        ClientError::Refused(problem)
            if was_lost && call.method == Method::DELETE && problem.status == 404 =>
        {
            ClientError::GoneAfterLostReply
        }
        // The server went away while it had the request.
        ClientError::NotRunning { place } if was_lost && !changes_nothing => ClientError::Lost {
            place,
            detail: "the server went away".to_owned(),
            carried_out: CarriedOut::Perhaps,
        },
        error => error,
    }
}
