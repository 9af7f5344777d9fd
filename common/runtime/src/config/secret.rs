//! Secrets: where one is kept, and a type that does not show what it holds.

use super::proxy::password_of;
use super::section::Section;
use super::values;
use model::{Class, Fault, codes};
use serde::{Serialize, Serializer};
use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const SHOWN: &str = "(secret)";
const SECRET_BYTES: u64 = 64 << 10;

/// A password, token or key. Debug, Display and Serialize show that there is one, and nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text for a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for the one call that needs it, never to be kept or shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SHOWN)
    }
}

/// Where a secret is kept. Read it each time that it is needed: it may be renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file that holds nothing else; one line break at its end does not belong to it.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A credential that systemd passes, under this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// The password in the URI of an HTTP proxy that an environment variable holds: the usual form of such variables.
    ProxyVariable(String),
}

/// Why a secret can't be had. The operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret in {place} can't be used: {cause}")]
pub struct SecretError {
    place: String,
    cause: String,
}

impl SecretError {
    /// Whose turn it is.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::Operator
    }

    /// The remedy.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "put the secret there, readable for the agent's user alone"
    }
}

impl From<SecretError> for Fault {
    fn from(error: SecretError) -> Self {
        Fault::new(
            codes::CONFIG_INVALID,
            error.class(),
            error.to_string(),
            error.hint(),
        )
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Credential(name) => write!(f, "credential {name}"),
            Self::ProxyVariable(variable) => {
                write!(f, "the URI of environment variable {variable}")
            }
        }
    }
}

impl SecretSource {
    /// Reads the secret. Blocks for a small file.
    ///
    /// # Errors
    /// When it is absent, empty, too large, no text, or lies in a file that others may write.
    pub fn read(&self) -> Result<Secret, SecretError> {
        self.read_in(|variable| std::env::var(variable).ok())
    }

    fn read_in(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Secret, SecretError> {
        let found = match self {
            Self::File(path) => from_file(path),
            Self::Environment(variable) => {
                environment(variable).ok_or_else(|| "it is not set".to_owned())
            }
            Self::Credential(name) => match environment("CREDENTIALS_DIRECTORY") {
                Some(directory) => from_file(&Path::new(&directory).join(name)),
                None => Err(
                    "$CREDENTIALS_DIRECTORY is not set: systemd passed no credentials".to_owned(),
                ),
            },
            Self::ProxyVariable(variable) => environment(variable)
                .ok_or_else(|| "it is not set".to_owned())
                .map(|uri| password_of(&uri)),
        };
        let refusal = |cause| SecretError {
            place: self.to_string(),
            cause,
        };
        match found.map_err(refusal)? {
            text if text.is_empty() => Err(refusal("it is empty".to_owned())),
            text => Ok(Secret(text)),
        }
    }

    /// The source of the secret `key`, if one is given: exactly one of the three ways.
    pub(super) fn of(section: &mut Section<'_>, keys: &SecretKeys) -> Option<Self> {
        let ways = format!("{}, {} or {}", keys.file, keys.environment, keys.credential);
        section.forbid(
            keys.forbidden,
            format!("a secret is not written here: give {ways}"),
        );
        let file = section.optional(keys.file, values::path).map(Self::File);
        let environment = section
            .optional(keys.environment, values::text)
            .map(Self::Environment);
        let credential = section
            .optional(keys.credential, credential_name)
            .map(Self::Credential);
        let mut given = [file, environment, credential].into_iter().flatten();
        let first = given.next();
        if given.next().is_some() {
            section.refuse(keys.file, format!("only one may be given of {ways}"));
        }
        first
    }
}

/// The keys of one secret.
pub(super) struct SecretKeys {
    pub(super) forbidden: &'static str,
    pub(super) file: &'static str,
    pub(super) environment: &'static str,
    pub(super) credential: &'static str,
}

fn credential_name(text: &str) -> Result<String, String> {
    if text.contains('/') {
        Err("must be a credential's name, not a path".to_owned())
    } else {
        values::text(text)
    }
}

fn from_file(path: &Path) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let file = std::fs::File::open(path).map_err(told)?;
    let mode = file.metadata().map_err(told)?.mode();
    if mode & 0o022 != 0 {
        return Err("others than its owner may write the file".to_owned());
    }
    if mode & 0o004 != 0 {
        tracing::warn!(file = %path.display(), "everyone on this machine may read this secret");
    }
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(told)?;
    if bytes.len() as u64 > SECRET_BYTES {
        return Err(format!("it is larger than {SECRET_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    let text = text
        .strip_suffix('\n')
        .map_or(&*text, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn file_with(bytes: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("milvus.pw");
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (directory, path)
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::new("canary");
        let shown = format!(
            "{secret} {secret:?} {:?} {}",
            Some(&secret),
            serde_json::to_string(&secret).unwrap()
        );
        assert!(!shown.contains("canary"), "{shown}");
        assert_eq!(secret.expose(), "canary");
    }

    #[test]
    fn one_line_break_at_the_end_does_not_belong_to_it() {
        for (written, read) in [
            ("pw\n", "pw"),
            ("pw\r\n", "pw"),
            ("pw\n\n", "pw\n"),
            (" pw ", " pw "),
        ] {
            let (_directory, path) = file_with(written.as_bytes(), 0o600);
            assert_eq!(SecretSource::File(path).read().unwrap().expose(), read);
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_and_not_repeated() {
        for (bytes, mode) in [
            (&b"\n"[..], 0o600),
            (b"canary\xff", 0o600),
            (b"canary", 0o602),
            (&[b'c'; 70_000], 0o600),
        ] {
            let (_directory, path) = file_with(bytes, mode);
            let refusal = SecretSource::File(path.clone())
                .read()
                .unwrap_err()
                .to_string();
            assert!(
                refusal.contains(path.to_str().unwrap()) && !refusal.contains("canary"),
                "{refusal}"
            );
        }
        assert!(SecretSource::File("/nonexistent".into()).read().is_err());
    }

    #[test]
    fn a_credential_is_a_file_that_systemd_names() {
        let (directory, _path) = file_with(b"pw\n", 0o400);
        let environment = |variable: &str| {
            (variable == "CREDENTIALS_DIRECTORY")
                .then(|| directory.path().to_str().unwrap().to_owned())
        };
        let source = SecretSource::Credential("milvus.pw".to_owned());
        assert_eq!(source.read_in(environment).unwrap().expose(), "pw");
        assert!(
            source
                .read_in(|_| None)
                .unwrap_err()
                .to_string()
                .contains("CREDENTIALS_DIRECTORY")
        );
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let source = SecretSource::Environment("MILVUS_PASSWORD".to_owned());
        assert!(
            source
                .read_in(|_| None)
                .unwrap_err()
                .to_string()
                .contains("MILVUS_PASSWORD")
        );
        assert_eq!(
            source.read_in(|_| Some("pw".to_owned())).unwrap().expose(),
            "pw"
        );
    }
}
