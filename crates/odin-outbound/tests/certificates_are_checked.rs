//! Receivers whose certificates are good, and bad in every way. Whom the machine trusts is what `SSL_CERT_FILE` names,
//! as an operator may set it: the test starts itself again with one of its own.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use odin_outbound::header::HeaderMap;
use odin_outbound::{Bounds, HttpAddress, HttpClient, OutboundError, StatusCode, TlsFlaw};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

const TRUSTED: &str = "SSL_CERT_FILE";
const AGAIN: &str = "ODIN_TEST_TRUSTS_ITS_OWN";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment of a test that runs cannot be changed"
)]
fn a_certificate_is_trusted_or_it_is_said_what_is_wrong_with_it() {
    if std::env::var_os(AGAIN).is_some() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(check_all(Path::new(&std::env::var_os(TRUSTED).unwrap())));
    }
    let folder = tempfile::tempdir().unwrap();
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_certificate_is_trusted_or_it_is_said_what_is_wrong_with_it",
        ])
        .args(["--nocapture"])
        .env(AGAIN, "1")
        .env(TRUSTED, folder.path().join("trusted.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let wrong = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}{wrong}");
    assert!(said.contains("1 passed"), "it ran nothing: {said}");
}

/// What a receiver shows, of `certificates/`.
fn config(name: &str) -> ServerConfig {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates");
    let file = |ending: &str| folder.join(format!("{name}.{ending}"));
    let certificate = CertificateDer::from_pem_file(file("pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// A receiver that answers 204; `None` speaks no TLS, and greets.
async fn receiver(shows: Option<&str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = shows.map(|name| TlsAcceptor::from(Arc::new(config(name))));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(acceptor) = acceptor.clone() else {
                let _ = stream.write_all(b"220 mail.example.org ready\r\n").await;
                continue;
            };
            tokio::spawn(async move {
                let mut stream = acceptor.accept(stream).await.ok()?;
                let mut read = Vec::new();
                while !read.ends_with(b"{}") {
                    let bytes = stream.read_buf(&mut read).await.ok()?;
                    (bytes > 0).then_some(())?;
                }
                stream
                    .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                    .await
                    .ok()
            });
        }
    });
    port
}

async fn post(url: &str, bounds: Bounds) -> Result<StatusCode, OutboundError> {
    let mut client = HttpClient::new(HttpAddress::parse(url).unwrap(), bounds);
    let answer = client.post("/", HeaderMap::new(), "{}".into()).await?;
    Ok(answer.status)
}

async fn check(shows: Option<&str>, expected: Result<(), TlsFlaw>) {
    let port = receiver(shows).await;
    let url = format!("https://localhost:{port}");
    let expected = expected.map(|()| StatusCode::NO_CONTENT);
    let place = format!("localhost:{port}");
    let expected = expected.map_err(|flaw| OutboundError::Tls { place, flaw });
    assert_eq!(post(&url, Bounds::default()).await, expected);
}

async fn check_all(trusted: &Path) {
    // Nobody is trusted yet.
    let port = receiver(None).await;
    let error = post(&format!("https://localhost:{port}"), Bounds::default()).await;
    assert!(
        matches!(error, Err(OutboundError::TrustsNobody { .. })),
        "{error:?}"
    );

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates");
    std::fs::copy(folder.join("trusted.pem"), trusted).unwrap();
    let at = |text: &str| Some(text.parse().unwrap());
    let other = TlsFlaw::OtherHost {
        host: "localhost".to_owned(),
        presented: vec!["hooks.example.org".to_owned()],
    };
    for (shows, expected) in [
        (Some("good"), Ok(())),
        (Some("unknown"), Err(TlsFlaw::UnknownIssuer)),
        (Some("alone"), Err(TlsFlaw::UnknownIssuer)),
        (Some("authority"), Err(TlsFlaw::Authority)),
        (
            Some("expired"),
            Err(TlsFlaw::Expired(at("2020-01-01T00:00:00Z"))),
        ),
        (
            Some("early"),
            Err(TlsFlaw::NotYetValid(at("3000-01-01T00:00:00Z"))),
        ),
        (Some("other"), Err(other)),
        (None, Err(TlsFlaw::NotTls)),
    ] {
        check(shows, expected).await;
    }

    // One that signed for itself is trusted by itself, and not for its name: that of the other is the same.
    let trust = |name: &str| std::fs::copy(folder.join(name), trusted).unwrap();
    trust("alone.pem");
    check(Some("alone"), Ok(())).await;
    trust("authority.pem");
    check(Some("alone"), Err(TlsFlaw::UnknownIssuer)).await;
    check(Some("authority"), Err(TlsFlaw::Authority)).await;
    trust("trusted.pem");

    // An IP address is a name too.
    let port = receiver(Some("good")).await;
    let url = format!("https://127.0.0.1:{port}");
    assert_eq!(
        post(&url, Bounds::default()).await,
        Ok(StatusCode::NO_CONTENT)
    );

    // Spoken to in clear, it answers with an alert of TLS.
    let url = format!("http://127.0.0.1:{port}");
    let error = post(&url, Bounds::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("should be https://"), "{error}");

    // One that takes the connection and never says a word of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = silent.local_addr().unwrap().to_string();
    let after = Duration::from_millis(300);
    let bounds = Bounds {
        connect: after,
        ..Bounds::default()
    };
    let error = post(&format!("https://{place}"), bounds).await.unwrap_err();
    assert_eq!(error, OutboundError::NotConnectedInTime { place, after });
}
