//! Certificates and keys in files.

use super::{CertsError, Made, describe};
use rcgen::{Certificate, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use x509_parser::time::ASN1Time;

/// What is done with files that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They stay, and nothing is made.
    Keep,
    /// They are replaced; each as a whole, so that nobody reads half a file.
    Replace,
}

const FOR_ALL: u32 = 0o644;
const FOR_ITS_OWNER: u32 = 0o600;

fn failed(path: &Path) -> impl Fn(io::Error) -> CertsError {
    let path = path.to_owned();
    move |error| match error.kind() {
        io::ErrorKind::AlreadyExists => CertsError::Exists(path.clone()),
        _ => CertsError::File {
            path: path.clone(),
            cause: error.to_string(),
        },
    }
}

/// Writes a certificate and its key.
pub(super) fn write_both(
    dir: &Path,
    name: &str,
    certificate: &Certificate,
    key: &KeyPair,
    existing: Existing,
) -> Result<Made, CertsError> {
    fs::create_dir_all(dir).map_err(failed(dir))?;
    let (cert_path, key_path) = paths(dir, name);
    for path in [&cert_path, &key_path] {
        if existing == Existing::Keep && path.exists() {
            return Err(CertsError::Exists(path.clone()));
        }
    }
    write(&key_path, &key.serialize_pem(), FOR_ITS_OWNER, existing).map_err(failed(&key_path))?;
    write(&cert_path, &certificate.pem(), FOR_ALL, existing).map_err(failed(&cert_path))?;
    made(cert_path, key_path)
}

/// Puts a certificate of the same key into the place of the former one.
pub(super) fn replace_certificate(
    dir: &Path,
    name: &str,
    certificate: &Certificate,
) -> Result<Made, CertsError> {
    let (cert_path, key_path) = paths(dir, name);
    let pem = certificate.pem();
    write(&cert_path, &pem, FOR_ALL, Existing::Replace).map_err(failed(&cert_path))?;
    made(cert_path, key_path)
}

fn made(cert: PathBuf, key: PathBuf) -> Result<Made, CertsError> {
    Ok(Made {
        description: describe(&cert)?,
        cert,
        key,
    })
}

pub(super) fn paths(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    (
        dir.join(format!("{name}.pem")),
        dir.join(format!("{name}.key")),
    )
}

/// Writes a file beside its place and then gives it its name, which is taken or not in one step.
fn write(path: &Path, text: &str, mode: u32, existing: Existing) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    fs::remove_file(&beside).ok();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| match existing {
            Existing::Keep => fs::hard_link(&beside, path),
            Existing::Replace => fs::rename(&beside, path),
        });
    fs::remove_file(&beside).ok();
    written
}

/// The CA in a directory, ready to sign, and its end.
pub(super) fn read_authority(
    dir: &Path,
) -> Result<(Issuer<'static, KeyPair>, ASN1Time), CertsError> {
    let (cert_path, key_path) = paths(dir, "ca");
    let der = read_certificate(&cert_path)?;
    let pem = fs::read_to_string(&key_path).map_err(failed(&key_path))?;
    let key = KeyPair::from_pem(&pem).map_err(|error| unfit(&key_path, error.to_string()))?;
    let issuer = Issuer::from_ca_cert_der(&der, key)
        .map_err(|error| unfit(&cert_path, error.to_string()))?;
    let parsed = crate::tls::certificate::parse(&der).map_err(|cause| unfit(&cert_path, cause))?;
    if parsed.public_key().subject_public_key.data.as_ref()
        != rcgen::PublicKeyData::der_bytes(issuer.key())
    {
        return Err(unfit(
            &key_path,
            format!("this key does not belong to {}", cert_path.display()),
        ));
    }
    Ok((issuer, parsed.validity().not_after))
}

fn unfit(path: &Path, cause: String) -> CertsError {
    CertsError::File {
        path: path.to_owned(),
        cause,
    }
}

/// The first certificate in a PEM file, in DER form.
pub(super) fn read_certificate(path: &Path) -> Result<CertificateDer<'static>, CertsError> {
    CertificateDer::from_pem_file(path).map_err(|error| CertsError::File {
        path: path.to_owned(),
        cause: crate::tls::pem_cause(&error),
    })
}
