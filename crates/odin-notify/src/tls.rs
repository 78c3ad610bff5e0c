//! TLS to receivers, with the certificates that the machine trusts.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::courier::Failed;

/// Speaks TLS on a connection to `host`.
pub(crate) async fn connect(
    stream: TcpStream,
    host: &str,
) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static, Failed> {
    let config = config().await?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| {
        Failed::for_now(format!("`{host}` is no name that a certificate could have"))
    })?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| Failed::for_now(format!("no TLS with {host}: {error}")))
}

/// Read anew for each message: a certificate that was added since the start counts, and messages are few.
async fn config() -> Result<ClientConfig, Failed> {
    let read = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
    let found = read
        .await
        .map_err(|error| Failed::for_now(format!("certificates cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map(ToString::to_string);
        return Err(Failed::for_now(format!(
            "this machine trusts no certificates: {}; install ca-certificates",
            why.unwrap_or_else(|| "none were found".to_owned())
        )));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Failed::for_now(format!("no TLS: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
