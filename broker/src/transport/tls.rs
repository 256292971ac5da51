//! The server's side of TLS 1.2 and 1.3, and the names in clients' certificates.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use broker_settings::Tls;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::access::AccessError;

/// Key and certificates, which can be loaded anew.
#[derive(Debug)]
pub(crate) struct Certificates {
    files: Tls,
    config: RwLock<Arc<ServerConfig>>,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn new(files: Tls) -> Result<Self, AccessError> {
        let config = RwLock::new(Arc::new(read(&files)?));
        Ok(Self { files, config })
    }

    /// Reads the files again; gives what puts them in force.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub(crate) fn reload(&self) -> Result<impl FnOnce() + use<'_>, AccessError> {
        let config = Arc::new(read(&self.files)?);
        Ok(move || *self.config.write().unwrap_or_else(PoisonError::into_inner) = config)
    }

    /// Does the handshake; gives the name in the client's certificate too, if it showed one.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, Option<Box<str>>), String> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner).clone();
        let accepted = TlsAcceptor::from(config).accept(stream).await;
        let stream = accepted.map_err(|error| format!("no TLS: {error}"))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let name = match shown {
            Some(certificate) => {
                Some(name(certificate).ok_or("showed a certificate without one common name")?)
            }
            None => None,
        };
        Ok((stream, name))
    }
}

fn read(files: &Tls) -> Result<ServerConfig, AccessError> {
    let wrong = |path: &Path, why: String| AccessError { path: path.to_owned(), why };
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| wrong(&files.key, format!("no private key in PEM: {error}")))?;
    let provider = Arc::new(crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&files.certificate, error.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| wrong(path, error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match files.client_required {
                true => verifier,
                false => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build().map_err(|error| wrong(path, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder.with_single_cert(chain, key).map_err(|error| {
        wrong(&files.key, format!("does not go with {}: {error}", files.certificate.display()))
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, AccessError> {
    let wrong = |why: String| AccessError { path: path.to_owned(), why };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|error| wrong(format!("no certificates in PEM: {error}")))?;
    if found.is_empty() {
        return Err(wrong("there is no certificate in it".to_owned()));
    }
    Ok(found)
}

/// The user's name: the one common name of the subject. The names of hosts and addresses beside it are no logins.
fn name(certificate: &CertificateDer<'_>) -> Option<Box<str>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut names = parsed.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    (names.next().is_none() && !name.is_empty()).then(|| name.into())
}
