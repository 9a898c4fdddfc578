//! TLS 1.3 of the client, as behind a reverse proxy: the server shows a certificate of an
//! authority that this host trusts, or that the file in `SSL_CERT_FILE` lists.

use rustls::{
    ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName, version::TLS13,
};
use std::{
    io,
    sync::{Arc, OnceLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Encrypts a connection to `host`, whose certificate must be valid for that name.
///
/// # Errors
/// The reason of the handshake, or of this host.
pub(crate) async fn connect(host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "no host has this name"))?;
    connector()?.connect(name, stream).await
}

/// One for the process: it reads the authorities of this host when first used.
fn connector() -> io::Result<&'static TlsConnector> {
    static CONNECTOR: OnceLock<Option<TlsConnector>> = OnceLock::new();
    let connector = CONNECTOR.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return None;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .expect("the provider has a suite of TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Some(Arc::new(config).into())
    });
    connector.as_ref().ok_or_else(|| {
        let reason = "no certificate of an authority is here: install ca-certificates, or name a \
                      file in SSL_CERT_FILE";
        io::Error::new(io::ErrorKind::NotFound, reason)
    })
}
