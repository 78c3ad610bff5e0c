//! TLS to receivers, with the certificates that the machine trusts.

use std::error::Error;
use std::io;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{ServerName, UnixTime};
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

use crate::{OutboundError, TlsFlaw};

/// What speaks TLS as a client: 1.2 or 1.3, with certificates checked against the machine's.
#[derive(Clone)]
pub struct Connector(tokio_rustls::TlsConnector);

/// Makes a [`Connector`]. To be made anew for each connection: a certificate that was added since the start counts, and
/// connections are few. Where `SSL_CERT_FILE` or `SSL_CERT_DIR` is set, those are the machine's certificates.
///
/// # Errors
/// When the machine has no certificates to trust.
pub async fn connector() -> Result<Connector, OutboundError> {
    let nobody = |reason: String| OutboundError::TrustsNobody { reason };
    let read = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
    let found = read.await.map_err(|error| nobody(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map(ToString::to_string);
        return Err(nobody(why.unwrap_or_else(|| "none were found".to_owned())));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| nobody(error.to_string()))?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(Connector(tokio_rustls::TlsConnector::from(Arc::new(
        config,
    ))))
}

impl Connector {
    /// Speaks TLS over a connection to `host`, a name or an IP address without brackets.
    ///
    /// # Errors
    /// What keeps it from being spoken; [`TlsFlaw::of`] tells.
    pub async fn connect<S>(&self, host: &str, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            let words = format!("{host:?} is no name that a certificate could have");
            io::Error::new(io::ErrorKind::InvalidInput, words)
        })?;
        self.0.connect(name, stream).await
    }
}

impl TlsFlaw {
    /// What an error says of TLS, wherever in its causes that stands. `None`: it is about something else.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static), host: &str) -> Option<Self> {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(known) = cause.downcast_ref::<rustls::Error>() {
                return Some(Self::of_rustls(known, host));
            }
            // An I/O error's own cause is not among its sources.
            let inner = cause
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref);
            if let Some(known) = inner.and_then(|it| it.downcast_ref::<rustls::Error>()) {
                return Some(Self::of_rustls(known, host));
            }
            next = cause.source();
        }
        None
    }

    fn of_rustls(error: &rustls::Error, host: &str) -> Self {
        match error {
            rustls::Error::InvalidCertificate(certificate) => match certificate {
                // One of that name is trusted, but it has another key.
                CertificateError::UnknownIssuer
                | CertificateError::BadSignature
                | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                    Self::UnknownIssuer
                }
                CertificateError::Expired => Self::Expired(None),
                CertificateError::ExpiredContext { not_after, .. } => {
                    Self::Expired(instant(*not_after))
                }
                CertificateError::NotValidYet => Self::NotYetValid(None),
                CertificateError::NotValidYetContext { not_before, .. } => {
                    Self::NotYetValid(instant(*not_before))
                }
                CertificateError::NotValidForName => Self::OtherHost {
                    host: host.to_owned(),
                    presented: Vec::new(),
                },
                CertificateError::NotValidForNameContext { presented, .. } => Self::OtherHost {
                    host: host.to_owned(),
                    presented: presented.iter().map(|it| plain_name(it)).collect(),
                },
                // The library has no variant for it, and hides the one that its own library has.
                other if format!("{other:?}").contains("CaUsedAsEndEntity") => Self::Authority,
                other => Self::Other(format!("its certificate is no good: {other}")),
            },
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            other => Self::Other(other.to_string()),
        }
    }
}

fn instant(time: UnixTime) -> Option<Timestamp> {
    let seconds = i64::try_from(time.as_secs()).ok()?;
    Timestamp::from_second(seconds).ok()
}

/// `DnsName("example.org")`, as the library has it, without what is about the library.
fn plain_name(presented: &str) -> String {
    let inner = presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"').to_owned()
}
