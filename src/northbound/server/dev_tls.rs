//! Throw-away certificates for trials and integrators (`--dev-tls DIR`): new at every start.

use super::tls::{TlsAuthority, TlsError};
use crate::northbound::auth::Role;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Names of the clients that get a certificate, with their roles.
const CLIENTS: [(&str, &[Role]); 3] = [("admin", &Role::ALL), ("viewer", &[Role::Viewer]), ("nobody", &[])];

/// Makes an authority, a server certificate for this machine and client certificates, and writes
/// `ca.pem` and, for each of `admin`, `viewer` and `nobody`, `NAME.pem` and `NAME.key` into a
/// directory.
///
/// # Errors
/// [`TlsError`].
pub fn make(directory: &Path) -> Result<TlsAuthority, TlsError> {
    let making = |error: &rcgen::Error| TlsError::Making(error.to_string());
    std::fs::create_dir_all(directory).map_err(|source| TlsError::Writing { path: directory.to_owned(), source })?;
    let authority = authority().map_err(|error| making(&error))?;
    write(directory, "ca.pem", &authority.pem(), 0o644)?;
    let mut roles = BTreeMap::new();
    for (name, granted) in CLIENTS {
        let principal = format!("spiffe://vrm.invalid/{name}");
        let (certificate, key) = client(&authority, &principal).map_err(|error| making(&error))?;
        write(directory, &format!("{name}.pem"), &certificate.pem(), 0o644)?;
        write(directory, &format!("{name}.key"), &key.serialize_pem(), 0o600)?;
        roles.insert(principal, granted.iter().copied().collect());
    }
    let (certificate, key) = server(&authority).map_err(|error| making(&error))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    TlsAuthority::new(vec![certificate.der().clone()], key, authority.der().clone(), roles)
}

type Signed = (rcgen::Certificate, KeyPair);

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, "vrm throw-away authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn client(authority: &CertifiedIssuer<'static, KeyPair>, principal: &str) -> Result<Signed, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, principal);
    params.subject_alt_names = vec![SanType::URI(principal.try_into()?)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    signed(&params, authority)
}

fn server(authority: &CertifiedIssuer<'static, KeyPair>) -> Result<Signed, rcgen::Error> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if let Ok(name) = rustix::system::uname().nodename().to_str()
        && !name.is_empty()
        && name != "localhost"
    {
        names.push(name.to_owned());
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "vrmd");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    signed(&params, authority)
}

fn signed(params: &CertificateParams, authority: &CertifiedIssuer<'static, KeyPair>) -> Result<Signed, rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    Ok((certificate, key))
}

fn write(directory: &Path, name: &str, text: &str, mode: u32) -> Result<(), TlsError> {
    use std::io::Write;
    let path = directory.join(name);
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| TlsError::Writing { path, source })
}
