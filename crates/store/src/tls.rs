//! TLS to whatever keeps things for us: PostgreSQL, an object store.

use anyhow::{Context as _, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// The certificates in that file (PEM), or those that this machine trusts, which may be none.
pub(crate) fn roots(authorities: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(file) => {
            let read = || format!("read the certificates in {}", file.display());
            for certificate in CertificateDer::pem_file_iter(file).with_context(read)? {
                roots.add(certificate.with_context(read)?).with_context(read)?;
            }
        }
        // Certificates that this program cannot read do not make the others worse.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    Ok(roots)
}

pub(crate) fn client(roots: RootCertStore) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choose the versions of TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}
