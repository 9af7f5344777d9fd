//! The section `storage`: where Milvus keeps its files. Keys have the names of milvus.yaml and of milvus-backup.

use super::secret::{SecretKeys, SecretSource};
use super::section::Section;
use super::values;
use std::path::PathBuf;

/// Where Milvus keeps its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageSection {
    /// On a disk that the agent sees too: `localStorage.path`.
    Local {
        /// The folder.
        path: PathBuf,
        /// What Milvus calls it, where it sees it under another path than the agent.
        server_path: Option<PathBuf>,
    },
    /// In S3, or what speaks as it does: MinIO, or Google's with HMAC keys.
    S3(S3Section),
    /// In Google Cloud Storage.
    Gcs(GcsSection),
    /// In Azure's blob storage.
    Azure(AzureSection),
}

/// A bucket, and where in it Milvus's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name; in Azure, the container's.
    pub name: String,
    /// The prefix of all of Milvus's files; may be empty.
    pub root_path: String,
}

/// A bucket of S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Section {
    /// Which bucket.
    pub bucket: Bucket,
    /// The server, `http://` or `https://`; absent, Amazon's in the region.
    pub endpoint: Option<String>,
    /// The region; absent, what the environment says, or `us-east-1`.
    pub region: Option<String>,
    /// A key and its secret; absent, what the environment or the machine's identity gives.
    pub keys: Option<StaticKey>,
    /// Whether the bucket's name stands in the host's name, and not in the path.
    pub use_virtual_host: bool,
    /// The CA of the server's certificate; absent, the system's.
    pub ca_pem_path: Option<PathBuf>,
}

/// A bucket of Google Cloud Storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcsSection {
    /// Which bucket.
    pub bucket: Bucket,
    /// A service account's key, as JSON; absent, what the environment or the machine's identity gives.
    pub credential_json: Option<SecretSource>,
}

/// A container of Azure's blob storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureSection {
    /// Which container.
    pub bucket: Bucket,
    /// The server; absent, Azure's own for the account.
    pub endpoint: Option<String>,
    /// The account.
    pub account: String,
    /// Its key; absent, what the environment or the machine's identity gives.
    pub key: Option<SecretSource>,
}

/// A key, and where its secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticKey {
    /// The key's id.
    pub id: String,
    /// Where the secret is kept.
    pub secret: SecretSource,
}

impl StorageSection {
    /// Where the storage's secret is kept, if it has one.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretSource> {
        match self {
            Self::Local { .. } => None,
            Self::S3(s3) => s3.keys.as_ref().map(|keys| &keys.secret),
            Self::Gcs(gcs) => gcs.credential_json.as_ref(),
            Self::Azure(azure) => azure.key.as_ref(),
        }
    }
}

/// Milvus's own names, where nothing else is configured.
const BUCKET: &str = "a-bucket";
const ROOT_PATH: &str = "files";

const SECRET_KEY: SecretKeys = SecretKeys {
    forbidden: "secretAccessKey",
    file: "secretAccessKey_file",
    environment: "secretAccessKey_env",
    credential: "secretAccessKey_credential",
};
const CREDENTIAL_JSON: SecretKeys = SecretKeys {
    forbidden: "gcpCredentialJSON",
    file: "gcpCredentialJSON_file",
    environment: "gcpCredentialJSON_env",
    credential: "gcpCredentialJSON_credential",
};

#[derive(Clone, Copy)]
enum Kind {
    Local,
    S3,
    Gcs,
    Azure,
}

pub(super) fn storage(section: &mut Section<'_>) -> Option<StorageSection> {
    let kind = section.required(
        "kind",
        values::choice([
            ("local", Kind::Local),
            ("s3", Kind::S3),
            ("gcs", Kind::Gcs),
            ("azure", Kind::Azure),
        ]),
    );
    let Some(kind) = kind else {
        section.leave_unread();
        return None;
    };
    match kind {
        Kind::Local => {
            let path = section.required("path", values::path);
            let server_path = section.optional("server_path", values::path);
            Some(StorageSection::Local {
                path: path?,
                server_path,
            })
        }
        Kind::S3 => s3(section).map(StorageSection::S3),
        Kind::Gcs => gcs(section).map(StorageSection::Gcs),
        Kind::Azure => azure(section).map(StorageSection::Azure),
    }
}

fn s3(section: &mut Section<'_>) -> Option<S3Section> {
    let bucket = bucket(section);
    let endpoint = section.optional("endpoint", values::uri);
    let region = section.optional("region", values::text);
    let id = section.optional("accessKeyID", values::text);
    let secret = SecretSource::of(section, &SECRET_KEY);
    let is_identified = has_identity(section);
    let keys = match (id, secret) {
        (Some(id), Some(secret)) => Some(StaticKey { id, secret }),
        (None, None) => None,
        _ => {
            let cause =
                "accessKeyID and one of secretAccessKey_file, _env, _credential go together";
            section.refuse("accessKeyID", cause);
            None
        }
    };
    expect_one(section, "accessKeyID", keys.is_some(), is_identified);
    let use_virtual_host = section.or("useVirtualHost", "false", values::truth);
    let ca_pem_path = section.optional("ca_pem_path", values::path);
    let is_plain = |uri: &String| uri.starts_with("http://");
    if ca_pem_path.is_some() && endpoint.as_ref().is_some_and(is_plain) {
        section.refuse("ca_pem_path", "needs an https:// endpoint");
    }
    Some(S3Section {
        bucket: bucket?,
        endpoint,
        region,
        keys,
        use_virtual_host: use_virtual_host?,
        ca_pem_path,
    })
}

fn gcs(section: &mut Section<'_>) -> Option<GcsSection> {
    let bucket = bucket(section);
    let credential_json = SecretSource::of(section, &CREDENTIAL_JSON);
    let is_identified = has_identity(section);
    let is_given = credential_json.is_some();
    expect_one(section, "gcpCredentialJSON_file", is_given, is_identified);
    Some(GcsSection {
        bucket: bucket?,
        credential_json,
    })
}

fn azure(section: &mut Section<'_>) -> Option<AzureSection> {
    let bucket = bucket(section);
    let endpoint = section.optional("endpoint", values::uri);
    let account = section.required("accessKeyID", values::text);
    let key = SecretSource::of(section, &SECRET_KEY);
    let is_identified = has_identity(section);
    expect_one(
        section,
        "secretAccessKey_file",
        key.is_some(),
        is_identified,
    );
    Some(AzureSection {
        bucket: bucket?,
        endpoint,
        account: account?,
        key,
    })
}

fn bucket(section: &mut Section<'_>) -> Option<Bucket> {
    let name = section.or("bucketName", BUCKET, values::text);
    let root_path = section.or("rootPath", ROOT_PATH, |text| {
        Ok(text.trim_matches('/').to_owned())
    });
    Some(Bucket {
        name: name?,
        root_path: root_path?,
    })
}

/// Whether the environment or the machine's identity says who calls.
fn has_identity(section: &mut Section<'_>) -> bool {
    section.or("useIAM", "false", values::truth) == Some(true)
}

/// Who calls is told in exactly one way: nobody's rights are used by chance.
fn expect_one(section: &mut Section<'_>, key: &str, is_given: bool, is_identified: bool) {
    if is_given && is_identified {
        section.refuse("useIAM", format!("give either {key} or useIAM: true"));
    } else if !is_given && !is_identified {
        let cause = format!(
            "must be given; or useIAM: true, for what the environment or the machine's identity says (instead of {key})"
        );
        section.refuse(key, cause);
    }
}
