//! A storage as the configuration asks for it.

use crate::{Storage, StorageError, StorageKind};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{Certificate, ClientOptions};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use runtime::config::{
    AzureSection, Bucket, GcsSection, S3Section, Secret, SecretSource, StorageSection,
};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection, and a pause between two pieces of an answer, may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const READ_LIMIT: Duration = Duration::from_secs(30);

/// How long a request that fails is tried again before the job is told.
const RETRIES: usize = 5;
const RETRY_LIMIT: Duration = Duration::from_secs(60);

impl Storage {
    /// As [`Storage::open`], for files that are to be written: a Milvus that has written none yet has no folder for them, which is made
    /// then, inside one that is there.
    ///
    /// # Errors
    /// Those of [`Storage::open`].
    pub fn open_to_write(section: &StorageSection) -> Result<Self, StorageError> {
        if let StorageSection::Local { path, .. } = section {
            // Whatever keeps it from being made is told when it is opened.
            let _ = std::fs::create_dir(path);
        }
        Self::open(section)
    }

    /// The storage of this section, its secrets and certificates read. Does not connect.
    ///
    /// # Errors
    /// [`StorageError`] of [`StorageKind::Unusable`], or [`StorageKind::Missing`] for a folder that is not there.
    pub fn open(section: &StorageSection) -> Result<Self, StorageError> {
        match section {
            StorageSection::Local { path, server_path } => local(path, server_path.as_deref()),
            StorageSection::S3(section) => s3(section),
            StorageSection::Gcs(section) => gcs(section),
            StorageSection::Azure(section) => azure(section),
        }
    }
}

fn local(
    path: &std::path::Path,
    server_path: Option<&std::path::Path>,
) -> Result<Storage, StorageError> {
    let name = path.display().to_string();
    let told = |kind, cause: String| StorageError::new(&name, "", kind, cause);
    // Looked at first: what object_store says of a folder that is not there is not for operators.
    match std::fs::read_dir(path) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(told(StorageKind::Denied, error.to_string()));
        }
        Err(error) => return Err(told(StorageKind::Missing, error.to_string())),
    }
    let store = LocalFileSystem::new_with_prefix(path)
        .map_err(|error| StorageError::of(&name, "", error))?;
    // Milvus is told absolute paths.
    let disk = std::path::absolute(path)
        .map_err(|error| told(StorageKind::Unusable, error.to_string()))?;
    let server_disk = server_path.unwrap_or(&disk).into();
    Ok(Storage {
        disk: Some(disk.into()),
        server_disk: Some(server_disk),
        ..storage(Arc::new(store), name, "")
    })
}

fn s3(section: &S3Section) -> Result<Storage, StorageError> {
    let place = section.endpoint.as_deref().unwrap_or("Amazon");
    let name = name_of("s3", &section.bucket, place);
    // Only what the operator left to the environment is taken from there.
    let builder = match section.keys {
        None => AmazonS3Builder::from_env(),
        Some(_) => AmazonS3Builder::new(),
    };
    let mut builder = builder
        .with_bucket_name(&section.bucket.name)
        .with_virtual_hosted_style_request(section.use_virtual_host)
        .with_retry(retries())
        .with_client_options(options(
            &name,
            section.endpoint.as_deref(),
            section.ca_pem_path.as_deref(),
        )?);
    if let Some(keys) = &section.keys {
        builder = builder
            .with_access_key_id(&keys.id)
            .with_secret_access_key(secret(&name, &keys.secret)?.expose());
    }
    if let Some(endpoint) = &section.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &section.region {
        builder = builder.with_region(region);
    }
    let store = builder.build().map_err(|error| unusable(&name, &error))?;
    Ok(storage(Arc::new(store), name, &section.bucket.root_path))
}

fn gcs(section: &GcsSection) -> Result<Storage, StorageError> {
    let name = name_of("gcs", &section.bucket, "Google");
    let builder = match &section.credential_json {
        None => GoogleCloudStorageBuilder::from_env(),
        Some(source) => GoogleCloudStorageBuilder::new()
            .with_service_account_key(secret(&name, source)?.expose()),
    };
    let built = builder
        .with_bucket_name(&section.bucket.name)
        .with_retry(retries())
        .with_client_options(options(&name, None, None)?)
        .build();
    let store = built.map_err(|error| unusable(&name, &error))?;
    Ok(storage(Arc::new(store), name, &section.bucket.root_path))
}

fn azure(section: &AzureSection) -> Result<Storage, StorageError> {
    let place = section.endpoint.as_deref().unwrap_or(&section.account);
    let name = name_of("azure", &section.bucket, place);
    let mut builder = match &section.key {
        None => MicrosoftAzureBuilder::from_env(),
        Some(source) => {
            MicrosoftAzureBuilder::new().with_access_key(secret(&name, source)?.expose())
        }
    };
    if let Some(endpoint) = &section.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    let built = builder
        .with_account(&section.account)
        .with_container_name(&section.bucket.name)
        .with_retry(retries())
        .with_client_options(options(&name, section.endpoint.as_deref(), None)?)
        .build();
    let store = built.map_err(|error| unusable(&name, &error))?;
    Ok(storage(Arc::new(store), name, &section.bucket.root_path))
}

fn storage(store: Arc<dyn ObjectStore>, name: String, root: &str) -> Storage {
    Storage {
        store,
        root: Path::from(root),
        disk: None,
        server_disk: None,
        name: name.into(),
    }
}

fn name_of(kind: &str, bucket: &Bucket, place: &str) -> String {
    format!("{kind}://{}/{} ({place})", bucket.name, bucket.root_path)
}

fn secret(name: &str, source: &SecretSource) -> Result<Secret, StorageError> {
    let unusable = |error| StorageError::new(name, "", StorageKind::Unusable, format!("{error}"));
    source.read().map_err(unusable)
}

fn options(
    name: &str,
    endpoint: Option<&str>,
    ca_pem_path: Option<&std::path::Path>,
) -> Result<ClientOptions, StorageError> {
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let mut options = ClientOptions::new()
        .with_allow_http(is_plain)
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT_LIMIT)
        .with_read_timeout(READ_LIMIT);
    if let Some(path) = ca_pem_path {
        let told = |cause: String| {
            let cause = format!("{}: {cause}", path.display());
            StorageError::new(name, "", StorageKind::Unusable, cause)
        };
        let pem = std::fs::read(path).map_err(|error| told(error.to_string()))?;
        let bundle = Certificate::from_pem_bundle(&pem).map_err(|error| told(error.to_string()))?;
        if bundle.is_empty() {
            return Err(told("there is no certificate in it".to_owned()));
        }
        for certificate in bundle {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: RETRIES,
        retry_timeout: RETRY_LIMIT,
    }
}

fn unusable(name: &str, error: &object_store::Error) -> StorageError {
    StorageError::new(name, "", StorageKind::Unusable, error.to_string())
}
