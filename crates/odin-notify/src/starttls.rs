//! STARTTLS (RFC 3207): what is said in clear before a mail server is spoken to over TLS.
//!
//! The library's own way goes on with whatever it has read in clear as if it had come over TLS, so that somebody on the
//! way could answer in the server's name. Here anything that comes with the server's word is a reason to leave.

use std::io;

use odin_outbound::OutboundError;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// The longest answer that is read, in bytes. RFC 5321 has lines of 512, and servers offer some dozen extensions.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

/// Why a server is not spoken to over TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartTlsError {
    /// It does not offer it.
    #[error(
        "STARTTLS is not supported by {place}; name the server as smtps://HOST:465 if it speaks TLS from the start, or as smtp+plain://HOST if nothing may be encrypted"
    )]
    NotOffered {
        /// Host and port.
        place: String,
    },
    /// It answered something else than what goes on.
    #[error("{place} answered {step} with {answer}")]
    Refused {
        /// Host and port.
        place: String,
        /// What it was told.
        step: &'static str,
        /// Its words.
        answer: String,
    },
    /// Bytes in clear came after its word that TLS begins.
    #[error(
        "{place} said more in clear after it agreed to TLS, as somebody in between would; nothing was sent"
    )]
    SaidMore {
        /// Host and port.
        place: String,
    },
    /// The connection broke.
    #[error(transparent)]
    Broken(OutboundError),
}

/// Greets a mail server that waits for it, and has it go over to TLS. After that the first word is the client's.
pub(crate) async fn ask<S>(stream: &mut S, place: &str, hello: &str) -> Result<(), StartTlsError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let broken = |error: io::Error| {
        StartTlsError::Broken(OutboundError::Broken {
            place: place.to_owned(),
            reason: error.to_string(),
        })
    };
    let expect = |step, code: &str, answer: String| match answer.starts_with(code) {
        true => Ok(answer),
        false => Err(StartTlsError::Refused {
            place: place.to_owned(),
            step,
            answer,
        }),
    };
    let mut stream = BufReader::new(stream);
    let greeting = answer(&mut stream).await.map_err(broken)?;
    expect("the connection", "220", greeting)?;
    let line = format!("EHLO {hello}\r\n");
    stream.write_all(line.as_bytes()).await.map_err(broken)?;
    let offered = answer(&mut stream).await.map_err(broken)?;
    let offered = expect("EHLO", "250", offered)?;
    let is_offered = |line: &str| {
        let word = line.get(4..).unwrap_or_default().trim();
        word.eq_ignore_ascii_case("STARTTLS")
    };
    if !offered.lines().any(is_offered) {
        return Err(StartTlsError::NotOffered {
            place: place.to_owned(),
        });
    }
    stream.write_all(b"STARTTLS\r\n").await.map_err(broken)?;
    let agreed = answer(&mut stream).await.map_err(broken)?;
    expect("STARTTLS", "220", agreed)?;
    match stream.buffer().is_empty() {
        true => Ok(()),
        false => Err(StartTlsError::SaidMore {
            place: place.to_owned(),
        }),
    }
}

/// All lines of an answer: each but the last has a `-` after its code.
async fn answer<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let begin = bytes.len();
        let room = ANSWER_BYTES_MAX - bytes.len() as u64;
        let read = (&mut *stream)
            .take(room)
            .read_until(b'\n', &mut bytes)
            .await?;
        if read == 0 || bytes.last() != Some(&b'\n') {
            return Err(match bytes.len() as u64 == ANSWER_BYTES_MAX {
                true => io::Error::new(io::ErrorKind::InvalidData, "its answer does not end"),
                false => io::ErrorKind::UnexpectedEof.into(),
            });
        }
        if bytes.get(begin + 3) != Some(&b'-') {
            return Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to a server that speaks so, one text for each word of the client, and what came of it.
    async fn check(says: &[&str], expected: &str) {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let says: Vec<String> = says.iter().map(|&text| text.to_owned()).collect();
        let speaking = tokio::spawn(async move {
            let mut server = BufReader::new(server);
            let mut heard = String::new();
            for (number, text) in says.iter().enumerate() {
                if number > 0 && server.read_line(&mut heard).await.unwrap() == 0 {
                    break;
                }
                // A client that left hears nothing.
                let _ = server.write_all(text.as_bytes()).await;
            }
            drop(server.get_mut().shutdown().await);
            server.read_to_string(&mut heard).await.unwrap();
            heard
        });
        let done = ask(&mut client, "mail:587", "node").await;
        drop(client);
        let heard = speaking.await.unwrap();
        let said = match done {
            Ok(()) => "TLS".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(format!("{heard:?} {said}"), expected);
    }

    const OFFERS: &str = "250-mail\r\n250-SIZE 1000\r\n250 starttls\r\n";

    #[tokio::test]
    async fn nothing_but_a_greeting_is_said_before_a_server_agrees_to_tls() {
        for (says, expected) in [
            (
                &["220-one moment\r\n220 mail\r\n", OFFERS, "220 go\r\n"][..],
                r#""EHLO node\r\nSTARTTLS\r\n" TLS"#,
            ),
            (
                &["554 go away\r\n"],
                r#""" mail:587 answered the connection with 554 go away"#,
            ),
            (
                &["220 mail\r\n", "250-mail\r\n250 SIZE STARTTLS\r\n"],
                r#""EHLO node\r\n" STARTTLS is not supported by mail:587; name the server as smtps://HOST:465 if it speaks TLS from the start, or as smtp+plain://HOST if nothing may be encrypted"#,
            ),
            (
                &["220 mail\r\n", OFFERS, "454 not now\r\n"],
                r#""EHLO node\r\nSTARTTLS\r\n" mail:587 answered STARTTLS with 454 not now"#,
            ),
        ] {
            check(says, expected).await;
        }
    }

    #[tokio::test]
    async fn what_comes_in_clear_after_the_word_that_tls_begins_is_not_taken_for_the_servers() {
        let more = "220 go\r\n250-mail\r\n250 AUTH PLAIN\r\n";
        let expected = r#""EHLO node\r\nSTARTTLS\r\n" mail:587 said more in clear after it agreed to TLS, as somebody in between would; nothing was sent"#;
        check(&["220 mail\r\n", OFFERS, more], expected).await;
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_or_never_is_left() {
        let endless = "250-and more\r\n".repeat(2_000);
        for (says, expected) in [
            (
                &["220 mail"][..],
                r#""" the connection to mail:587 broke: unexpected end of file"#,
            ),
            (
                &["220 mail\r\n", &endless],
                r#""EHLO node\r\n" the connection to mail:587 broke: its answer does not end"#,
            ),
        ] {
            check(says, expected).await;
        }
    }
}
