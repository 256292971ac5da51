//! Ports beside the plain one.

use std::path::PathBuf;

/// A port for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Address and port to listen on; none if only WebSocket uses TLS.
    pub bind: Option<String>,
    /// File with the certificate chain, the server's own first (PEM).
    pub certificate: PathBuf,
    /// File with its private key (PEM).
    pub key: PathBuf,
    /// File with the certificates that sign clients' ones (PEM). The name in a client's certificate is its user name.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is turned away.
    pub client_required: bool,
}

/// A port for WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocket {
    /// Address and port to listen on.
    pub bind: String,
    /// Whether it is for `wss://`, with the certificate of [`Tls`].
    pub tls: bool,
}
