//! TLS 1.3 for every connection. The keys are made at start and prove no identity: any key
//! is accepted (RFC 7250, raw public keys). The account keys are proven inside, over the
//! channel binding of RFC 9266, so that a relay can carry or cut a connection but neither
//! read nor change it. There is no fallback to plain text.

use aws_lc_rs::{rand::SystemRandom, signature::Ed25519KeyPair};
use ccoin_core::Hash;
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
    client::{
        AlwaysResolvesClientRawPublicKeys, Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs as algorithms,
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{
        CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
    },
    server::{
        AlwaysResolvesServerRawPublicKeys,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::TLS13,
};
use std::{io, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// The label of RFC 9266.
const BINDING_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Both roles with the key of this start.
pub(crate) struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
    /// The public key of this process, as the other side sees it.
    pub(crate) own_key: Vec<u8>,
}

/// An encrypted connection.
pub(crate) struct Channel {
    pub(crate) stream: TlsStream<TcpStream>,
    /// Unique to this connection; both sides sign it.
    pub(crate) binding: Hash,
    /// The TLS key of the other process: each start of a node has another one.
    pub(crate) peer_key: Vec<u8>,
}

impl Tls {
    /// Makes a key.
    pub(crate) fn new() -> Self {
        let provider = Arc::new(provider());
        let key = certified_key(&provider);
        let own_key = key.cert.first().map(|key| key.to_vec()).unwrap_or_default();
        let any_key = Arc::new(AnyKey(provider.signature_verification_algorithms));
        let versions = [&TLS13];
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .expect("the provider has a suite of TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(any_key.clone())
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(
                Arc::clone(&key),
            )));
        client.enable_sni = false;
        client.resumption = Resumption::disabled();
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .expect("the provider has a suite of TLS 1.3")
            .with_client_cert_verifier(any_key)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(key)));
        server.send_tls13_tickets = 0;
        Self {
            connector: Arc::new(client).into(),
            acceptor: Arc::new(server).into(),
            own_key,
        }
    }

    /// The dialling side of the TLS handshake.
    ///
    /// # Errors
    /// The socket failed, or [`io::ErrorKind::InvalidData`]: the other side breaks TLS.
    pub(crate) async fn connect(&self, stream: TcpStream) -> io::Result<Channel> {
        // the name is neither sent nor checked
        let name = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        Channel::new(self.connector.connect(name, stream).await?.into())
    }

    /// The listening side of the TLS handshake.
    ///
    /// # Errors
    /// As [`Tls::connect`].
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Channel> {
        Channel::new(self.acceptor.accept(stream).await?.into())
    }
}

impl Channel {
    fn new(stream: TlsStream<TcpStream>) -> io::Result<Self> {
        let (binding, keys) = match &stream {
            TlsStream::Client(client) => {
                let connection = client.get_ref().1;
                let binding = connection.export_keying_material([0; 32], BINDING_LABEL, None);
                (binding, connection.peer_certificates())
            }
            TlsStream::Server(server) => {
                let connection = server.get_ref().1;
                let binding = connection.export_keying_material([0; 32], BINDING_LABEL, None);
                (binding, connection.peer_certificates())
            }
        };
        let binding = Hash::new(binding.map_err(io::Error::other)?);
        let key = keys.and_then(<[_]>::first);
        let peer_key = key.map(|key| key.to_vec()).unwrap_or_default();
        Ok(Self {
            stream,
            binding,
            peer_key,
        })
    }
}

/// The algorithms: X25519 for the key exchange, AES-128-GCM or ChaCha20-Poly1305.
fn provider() -> CryptoProvider {
    let mut provider = algorithms::default_provider();
    provider.kx_groups = vec![algorithms::kx_group::X25519];
    provider.cipher_suites.retain(|suite| {
        matches!(
            suite.suite(),
            CipherSuite::TLS13_AES_128_GCM_SHA256 | CipherSuite::TLS13_CHACHA20_POLY1305_SHA256
        )
    });
    provider
}

/// A new Ed25519 key.
fn certified_key(provider: &CryptoProvider) -> Arc<CertifiedKey> {
    let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let pkcs8 = made.expect("the system has randomness");
    let der = PrivatePkcs8KeyDer::from(pkcs8.as_ref().to_vec());
    let key = provider.key_provider.load_private_key(der.into());
    let key = key.expect("the library reads the key that it has made");
    let public = key.public_key().expect("an Ed25519 key has a public key");
    let public = CertificateDer::from(public.to_vec());
    Arc::new(CertifiedKey::new(vec![public], key))
}

/// Accepts every raw public key that signs the handshake.
#[derive(Debug)]
struct AnyKey(WebPkiSupportedAlgorithms);

impl AnyKey {
    fn verify(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.0)
    }
}

fn no_tls12() -> Error {
    Error::General("TLS 1.2 is not allowed".into())
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        _key: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _key: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _key: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
