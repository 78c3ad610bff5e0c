//! TLS to receivers, with the certificates that the machine trusts.

use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Unsent;

/// What speaks TLS. Made anew for each connection: a certificate that was added since the start counts, and
/// connections are few.
pub(crate) async fn connector() -> Result<TlsConnector, Unsent> {
    let read = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
    let found = read
        .await
        .map_err(|error| Unsent::not_now(format!("certificates cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map(ToString::to_string);
        return Err(Unsent::not_now(format!(
            "this machine trusts no certificates: {}; install ca-certificates",
            why.unwrap_or_else(|| "none were found".to_owned())
        )));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Unsent::not_now(format!("no TLS: {error}")))?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
