//! Real receivers on loopback that take messages and that fail in every way.

#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use odin_model::alert::{AlertEvent, EventKind};
use odin_model::channel::{EmailTarget, MailLogin, MailSecurity, WebhookTarget};
use odin_model::delivery::{DeliveryId, Message, MessageId};
use odin_model::{AlertId, AlertKind, ChannelName, SecretName, SecretValue};
use odin_notify::{Courier, Destination, Receipt, SendError, Trouble, sign};
use odin_outbound::Bounds;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

fn message() -> Message {
    let at: Timestamp = "2026-11-22T05:00:00Z".parse().unwrap();
    let event = AlertEvent {
        alert: AlertId(3),
        kind: AlertKind::Failure,
        event: EventKind::Opened,
        at,
        job: None,
        owner: None,
        node: None,
        run: None,
        count: 1,
        text: "`nightly` failed: exit code 3".to_owned(),
    };
    Message {
        id: MessageId {
            token: 7,
            generation: 0,
            delivery: DeliveryId(17),
        },
        channel: ChannelName::parse("ops").unwrap(),
        made_at: at,
        events: vec![event],
        more: 0,
        settled: Vec::new(),
    }
}

async fn send(to: Destination<'_>) -> Result<Receipt, SendError> {
    send_message(to, &message()).await
}

async fn send_message(to: Destination<'_>, message: &Message) -> Result<Receipt, SendError> {
    let now = "2026-11-22T05:00:10Z".parse().unwrap();
    Courier::new("master-node").send(to, message, now).await
}

/// What a mail server does at each step of its dialogue.
#[derive(Clone, Copy, Default)]
struct Script {
    greeting: Option<&'static str>,
    auth: Option<&'static str>,
    mail: Option<&'static str>,
    rcpt: Option<&'static str>,
    data_end: Option<&'static str>,
    /// Closes the connection after a line of the message.
    drops_in_data: bool,
    /// Reads a line of the message, and then nothing and says nothing.
    hangs_in_data: bool,
    /// Says no farewell.
    hangs_at_quit: bool,
    /// Says nothing, not even a greeting.
    hangs_at_once: bool,
}

/// A mail server; gives its port and the mail it has taken.
async fn mail_server(script: Script) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&taken);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                // A client that goes away ends the dialogue.
                let _ = talk(stream, script, &kept).await;
            });
        }
    });
    (port, taken)
}

async fn talk(
    stream: TcpStream,
    script: Script,
    taken: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    if script.hangs_at_once {
        std::future::pending::<()>().await;
    }
    let mut stream = BufReader::new(stream);
    let greeting = script.greeting.unwrap_or("220 ready");
    stream
        .write_all(format!("{greeting}\r\n").as_bytes())
        .await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let verb: String = line.chars().take(4).collect();
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => "250-test\r\n250 AUTH PLAIN LOGIN",
            "AUTH" => script.auth.unwrap_or("235 welcome"),
            "MAIL" => script.mail.unwrap_or("250 ok"),
            "RCPT" => script.rcpt.unwrap_or("250 ok"),
            "QUIT" if script.hangs_at_quit => std::future::pending().await,
            "QUIT" => "221 bye",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut mail).await? == 0 || script.drops_in_data {
                        return Ok(());
                    }
                    if script.hangs_in_data {
                        std::future::pending::<()>().await;
                    }
                }
                let answer = script.data_end.unwrap_or("250 queued as 42");
                if answer.starts_with("250") {
                    taken.lock().unwrap().push(mail);
                }
                answer
            }
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}

fn mail_to(port: u16, login: bool) -> EmailTarget {
    EmailTarget {
        to: vec!["ops@example.org".to_owned()],
        from: "Odin <odin@example.org>".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        security: MailSecurity::Plain,
        login: login.then(|| MailLogin {
            user: "odin".to_owned(),
            password: SecretName::parse("SMTP").unwrap(),
        }),
    }
}

#[tokio::test]
async fn mail_arrives_with_its_id_and_says_what_failed() {
    let (port, taken) = mail_server(Script::default()).await;
    let target = mail_to(port, false);
    let sent = send(Destination::Mail {
        target: &target,
        password: None,
    });
    assert_eq!(sent.await.unwrap().answer, "250 queued as 42");
    let mail = taken.lock().unwrap().concat();
    for expected in [
        "Message-ID: <odin_0000000000000007_0_17@master-node>",
        "Subject: [odin] `nightly` failed: exit code 3",
        "Auto-Submitted: auto-generated",
        "To: ops@example.org",
        "odin alerts ack a3",
    ] {
        assert!(mail.contains(expected), "{expected}\n{mail}");
    }
}

#[tokio::test]
async fn no_line_of_a_mail_is_longer_than_mail_allows_and_none_is_a_dot() {
    let long = "x".repeat(2_000);
    for text in [
        long.clone(),
        format!("ä{long}"),
        format!(".\r\n.\r\n{long}\n."),
    ] {
        let (port, taken) = mail_server(Script::default()).await;
        let target = mail_to(port, false);
        let to = Destination::Mail {
            target: &target,
            password: None,
        };
        let mut message = message();
        message.events[0].text = text;
        send_message(to, &message).await.unwrap();
        let mail = taken.lock().unwrap().concat();
        let body = mail.strip_suffix("\r\n.\r\n").unwrap();
        for line in body.split("\r\n") {
            assert!(line.len() <= 998 && line != ".", "{line}");
        }
        assert!(mail.contains("MIME-Version: 1.0\r\n"), "{mail}");
    }
}

#[tokio::test]
async fn what_a_mail_server_refuses_is_told_apart_from_one_that_is_not_well() {
    use Trouble::{ForGood, ForNow};
    let plain = Script::default();
    let scripts = [
        (
            Script {
                greeting: Some("554 go away"),
                ..plain
            },
            false,
            ForNow,
        ),
        (
            Script {
                greeting: Some("421 busy"),
                ..plain
            },
            false,
            ForNow,
        ),
        (
            Script {
                auth: Some("535 wrong password"),
                ..plain
            },
            true,
            ForNow,
        ),
        (
            Script {
                mail: Some("451 try later"),
                ..plain
            },
            false,
            ForNow,
        ),
        (
            Script {
                mail: Some("552 too large"),
                ..plain
            },
            false,
            ForGood,
        ),
        (
            Script {
                rcpt: Some("550 no such user"),
                ..plain
            },
            false,
            ForGood,
        ),
        (
            Script {
                data_end: Some("554 looks like spam"),
                ..plain
            },
            false,
            ForGood,
        ),
        (
            Script {
                data_end: Some("452 no space"),
                ..plain
            },
            false,
            ForNow,
        ),
        (
            Script {
                drops_in_data: true,
                ..plain
            },
            false,
            ForNow,
        ),
    ];
    let password = SecretValue::new(b"hunter22".to_vec()).unwrap();
    for (script, login, expected) in scripts {
        let (port, taken) = mail_server(script).await;
        let target = mail_to(port, login);
        let sent = send(Destination::Mail {
            target: &target,
            password: login.then_some(&password),
        });
        let error = sent.await.unwrap_err();
        assert_eq!(error.trouble, expected, "{error}");
        let said = format!("{error} {:?}", error.steps);
        assert!(!said.contains("hunter22"), "{said}");
        assert_eq!(taken.lock().unwrap().len(), 0, "{error}");
    }
}

#[tokio::test]
async fn a_mail_server_that_hangs_is_left_in_time_and_the_step_is_named() {
    let plain = Script::default();
    for (script, expected) in [
        (
            Script {
                hangs_at_once: true,
                ..plain
            },
            "did not finish greeting and login within 0.3s",
        ),
        (
            Script {
                hangs_in_data: true,
                ..plain
            },
            "did not finish the message within 0.3s",
        ),
    ] {
        let (port, taken) = mail_server(script).await;
        let target = mail_to(port, false);
        let to = Destination::Mail {
            target: &target,
            password: None,
        };
        // One step is short: it is the one that hangs, and nothing else can end it.
        let soon = Duration::from_millis(300);
        let mut bounds = Bounds::default();
        match script.hangs_at_once {
            true => bounds.connect = soon,
            false => bounds.exchange = soon,
        }
        let courier = Courier::with_bounds("master-node", bounds);
        let now = "2026-11-22T05:00:10Z".parse().unwrap();
        let error = courier.send(to, &message(), now).await.unwrap_err();
        assert_eq!(error.trouble, Trouble::ForNow, "{error}");
        assert!(error.to_string().ends_with(expected), "{error}");
        assert_eq!(taken.lock().unwrap().len(), 0);
    }
}

#[tokio::test]
async fn a_mail_server_that_hangs_after_it_took_a_message_has_taken_it() {
    let script = Script {
        hangs_at_quit: true,
        ..Script::default()
    };
    let (port, taken) = mail_server(script).await;
    let target = mail_to(port, false);
    let to = Destination::Mail {
        target: &target,
        password: None,
    };
    assert_eq!(send(to).await.unwrap().answer, "250 queued as 42");
    assert_eq!(taken.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_mail_server_without_starttls_gets_no_word_in_clear_and_the_way_out_is_named() {
    let (port, taken) = mail_server(Script::default()).await;
    let mut target = mail_to(port, true);
    target.security = MailSecurity::StartTls;
    let password = SecretValue::new(b"hunter22".to_vec()).unwrap();
    let to = Destination::Mail {
        target: &target,
        password: Some(&password),
    };
    let error = send(to).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::ForNow, "{error}");
    let said = error.to_string();
    for words in ["STARTTLS is not supported", "smtps://", "smtp+plain://"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(taken.lock().unwrap().len(), 0);
}

/// A web server that answers every request with these bytes; gives its port and the requests.
async fn web_server(answer: Option<&'static [u8]>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut read = Vec::new();
            // The body is JSON and ends the request.
            while !read.ends_with(b"}") {
                let mut piece = [0; 4096];
                match stream.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(bytes) => read.extend_from_slice(&piece[..bytes]),
                }
            }
            kept.lock().unwrap().push(String::from_utf8(read).unwrap());
            if let Some(answer) = answer {
                let _ = stream.write_all(answer).await;
            }
        }
    });
    (port, requests)
}

async fn post(port: u16, scheme: &str) -> Result<Receipt, SendError> {
    let target = WebhookTarget {
        url: format!("{scheme}://127.0.0.1:{port}/hook?a=b"),
        secret: None,
    };
    let key = SecretValue::new(b"sesame".to_vec()).unwrap();
    send(Destination::Webhook {
        target: &target,
        key: Some(&key),
    })
    .await
}

#[tokio::test]
async fn a_webhook_is_signed_and_taken_by_any_2xx() {
    let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 5\r\n\r\ndone\n";
    let (port, requests) = web_server(Some(answer)).await;
    let receipt = post(port, "http").await.unwrap();
    assert_eq!(receipt.answer, "202 Accepted: done");
    let request = requests.lock().unwrap().concat();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{head}");
    let key = SecretValue::new(b"sesame".to_vec()).unwrap();
    let at: Timestamp = "2026-11-22T05:00:10Z".parse().unwrap();
    let id = "odin_0000000000000007_0_17";
    let signature = sign(&key, id, at.as_second(), body.as_bytes());
    for expected in [
        format!("webhook-id: {id}"),
        format!("webhook-timestamp: {}", at.as_second()),
        format!("webhook-signature: {signature}"),
    ] {
        assert!(head.contains(&expected), "{expected}\n{head}");
    }
}

#[tokio::test]
async fn what_a_web_server_refuses_is_told_apart_from_one_that_is_not_well() {
    use Trouble::{ForGood, ForNow};
    let answers: [(&'static [u8], Trouble, &str); 7] = [
        (
            b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n",
            ForNow,
            "500",
        ),
        (
            b"HTTP/1.1 404 None\r\ncontent-length: 0\r\n\r\n",
            ForNow,
            "404",
        ),
        (
            b"HTTP/1.1 429 Slow\r\ncontent-length: 0\r\n\r\n",
            ForNow,
            "429",
        ),
        (
            b"HTTP/1.1 400 Bad\r\ncontent-length: 3\r\n\r\nwhy",
            ForGood,
            "why",
        ),
        (
            b"HTTP/1.1 302 Go\r\nlocation: http://127.0.0.1:1/x\r\ncontent-length: 0\r\n\r\n",
            ForNow,
            "redirects are not followed",
        ),
        (b"", ForNow, "connection"),
        (b"SSH-2.0-OpenSSH\r\n", ForNow, "does not answer in HTTP"),
    ];
    for (answer, expected, words) in answers {
        let (port, requests) = web_server(Some(answer)).await;
        let error = post(port, "http").await.unwrap_err();
        assert_eq!(error.trouble, expected, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(requests.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_or_speaks_no_tls_is_not_there_for_now() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap().port();
    drop(listener);
    let error = post(nobody, "http").await.unwrap_err();
    assert_eq!(error.trouble, Trouble::ForNow, "{error}");
    assert!(
        error.to_string().contains("nothing listens there"),
        "{error}"
    );
    // It greets in clear, which is no TLS.
    let (port, _) = mail_server(Script::default()).await;
    let error = post(port, "https").await.unwrap_err();
    assert_eq!(error.trouble, Trouble::ForNow, "{error}");
}
