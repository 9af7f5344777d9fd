//! The section `storage`.

use super::*;

fn storage(section: &str) -> StorageSection {
    let text = format!("{COMPLETE}storage: {section}\n");
    parse(&text).unwrap().storage.unwrap()
}

fn refusal(section: &str) -> String {
    let text = format!("{COMPLETE}storage: {section}\n");
    parse(&text).unwrap_err().to_string()
}

#[test]
fn each_kind_of_storage_is_taken_by_milvus_s_own_names() {
    let local = storage("{ kind: local, path: /var/lib/milvus/data }");
    let [path, server_path] = ["/var/lib/milvus/data", "/data"].map(std::path::PathBuf::from);
    let seen_alike = StorageSection::Local {
        path: path.clone(),
        server_path: None,
    };
    assert_eq!(local, seen_alike);
    let local = storage("{ kind: local, path: /var/lib/milvus/data, server_path: /data }");
    let seen_otherwise = StorageSection::Local {
        path,
        server_path: Some(server_path),
    };
    assert_eq!(local, seen_otherwise);
    let minio = storage(
        r#"
  kind: s3
  endpoint: "https://minio:9000"
  ca_pem_path: /minio.pem
  bucketName: milvus-bucket
  rootPath: /by-dev/
  accessKeyID: minioadmin
  secretAccessKey_file: /minio.key"#,
    );
    let file = SecretSource::File("/minio.key".into());
    assert_eq!(minio.secret(), Some(&file));
    let StorageSection::S3(minio) = minio else {
        panic!("another kind");
    };
    assert_eq!(minio.bucket.name, "milvus-bucket");
    assert_eq!(minio.bucket.root_path, "by-dev");
    assert_eq!(minio.keys.unwrap().id, "minioadmin");
    assert!(!minio.use_virtual_host, "the bucket's name is in the path");
    let StorageSection::Gcs(gcs) = storage("{ kind: gcs, useIAM: true }") else {
        panic!("another kind");
    };
    assert_eq!(gcs.bucket.name, "a-bucket", "Milvus's own default");
    assert_eq!(gcs.bucket.root_path, "files", "Milvus's own default");
    let azure = "{ kind: azure, accessKeyID: acme, secretAccessKey_env: AZURE_KEY, rootPath: '' }";
    let StorageSection::Azure(azure) = storage(azure) else {
        panic!("another kind");
    };
    assert_eq!((&*azure.account, &*azure.bucket.root_path), ("acme", ""));
}

#[test]
fn who_calls_a_storage_is_told_in_exactly_one_way() {
    let nobody = refusal("{ kind: s3, bucketName: b }");
    assert!(
        nobody.contains("storage.accessKeyID: must be given; or useIAM: true"),
        "{nobody}"
    );
    let half = refusal("{ kind: s3, accessKeyID: a }");
    assert!(half.contains("go together"), "{half}");
    let both = "{ kind: azure, accessKeyID: a, secretAccessKey_env: B, useIAM: true }";
    let both = refusal(both);
    assert!(
        both.contains("give either secretAccessKey_file or useIAM: true"),
        "{both}"
    );
    let written = refusal("{ kind: s3, accessKeyID: a, secretAccessKey: b }");
    assert!(
        written.contains("a secret is not written here"),
        "{written}"
    );
    assert!(!written.contains("accessKeyID: b"), "{written}");
    let plain = "{ kind: s3, endpoint: 'http://minio:9000', useIAM: true, ca_pem_path: /x.pem }";
    let plain = refusal(plain);
    assert!(plain.contains("needs an https:// endpoint"), "{plain}");
}
