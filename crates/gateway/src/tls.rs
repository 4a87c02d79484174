//! Which cryptography TLS uses in this process.

/// Installs ring as the process's provider of cryptography for TLS. Calling it again changes nothing.
pub fn install_tls_provider() {
    // An error means that one is installed already, which is as good.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}
