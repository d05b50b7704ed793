//! Updates over HTTP: what is asked for, what is kept when a later step fails, and what a hostile server cannot do.

use std::collections::BTreeMap;
use std::path::Path;

use gitseal::cli::error::CliError;
use gitseal::cli::trust_cache::{self, TufDocuments};
use gitseal::crypto::digest::hex;
use gitseal::crypto::sha256;
use gitseal::net::Roots;
use serde_json::{Value, json};

use super::before_and_after;
use super::repository::{Key, Repository, now, root, sign};
use super::server::{Files, Server};

/// The files of a repository with consistent snapshots, laid out as Sigstore does.
fn layout(repository: &Repository) -> Files {
    let files = repository.files();
    let version = |file: &[u8]| serde_json::from_slice::<Value>(file).unwrap()["signed"]["version"].clone();
    let (timestamp, snapshot) = (files.timestamp.unwrap(), files.snapshot.unwrap());
    let mut laid = Files::from([
        (format!("/{}.snapshot.json", version(&snapshot)), snapshot),
        ("/timestamp.json".to_owned(), timestamp),
    ]);
    laid.extend(files.roots.into_iter().map(|(version, root)| (format!("/{version}.root.json"), root)));
    let targets = files.targets.into_iter();
    laid.extend(targets.map(|(role, file)| (format!("/{}.{role}.json", version(&file)), file)));
    let contents = files.contents.into_iter();
    laid.extend(contents.map(|(path, content)| (format!("/targets/{}.{path}", hex(&sha256(&content))), content)));
    laid
}

fn update(folder: &Path, root: &[u8], server: &Server) -> Result<TufDocuments, CliError> {
    trust_cache::update(folder, root, &server.url, Roots::default(), now())
}

struct Bed {
    folder: tempfile::TempDir,
    server: Server,
    root: Vec<u8>,
}

/// A cache that was filled from `repository`.
fn filled(repository: &Repository) -> Bed {
    let bed = Bed { folder: tempfile::tempdir().unwrap(), server: Server::new(), root: repository.first_root() };
    bed.server.serve(layout(repository));
    bed.update().unwrap();
    bed.server.asked();
    bed
}

impl Bed {
    fn update(&self) -> Result<TufDocuments, CliError> {
        update(self.folder.path(), &self.root, &self.server)
    }

    fn cached(&self) -> Result<Option<TufDocuments>, CliError> {
        trust_cache::cached(self.folder.path(), &self.root, now())
    }

    fn refusal(&self) -> String {
        self.update().unwrap_err().to_string()
    }
}

#[test]
fn an_update_asks_for_what_is_new_and_for_nothing_else() {
    let (old, new) = before_and_after();
    let bed = Bed { folder: tempfile::tempdir().unwrap(), server: Server::new(), root: old.first_root() };
    bed.server.serve(layout(&old));
    assert_eq!(bed.update().unwrap().trusted_root, b"the trusted root");
    let trusted_root = format!("/targets/{}.trusted_root.json", hex(&sha256(b"the trusted root")));
    let asked = ["/2.root.json", "/timestamp.json", "/5.snapshot.json", "/5.targets.json", &trusted_root];
    assert_eq!(bed.server.asked(), asked);
    bed.update().unwrap();
    assert_eq!(bed.server.asked(), asked[..2]);

    bed.server.serve(layout(&new));
    assert_eq!(bed.update().unwrap().state.timestamp_version, 6);
    assert_eq!(bed.server.asked(), ["/2.root.json", "/timestamp.json", "/6.snapshot.json", "/6.targets.json"]);
    assert_eq!(bed.cached().unwrap().unwrap().state.targets_version, 6);
}

#[test]
fn an_older_state_is_refused_and_the_newer_stays_fail() {
    let (old, new) = before_and_after();
    let bed = filled(&new);
    bed.server.serve(layout(&old));
    assert!(bed.refusal().contains("goes back to version 5 of timestamp.json"), "{}", bed.refusal());
    assert_eq!(bed.cached().unwrap().unwrap().state.timestamp_version, 6);
}

#[test]
fn what_has_expired_is_not_kept_fail() {
    let (old, mut new) = before_and_after();
    let bed = filled(&old);
    new.set("timestamp", "/expires", json!("2026-11-24T11:59:59Z"));
    bed.server.serve(layout(&new));
    assert!(bed.refusal().contains("timestamp metadata expired on 2026-11-24T11:59:59Z"), "{}", bed.refusal());
    assert!(!bed.server.asked().iter().any(|path| path.contains("snapshot")), "nothing more is asked for");
    assert_eq!(bed.cached().unwrap().unwrap().state.timestamp_version, 5);
}

#[test]
fn data_without_end_is_cut_off_fail() {
    let bed = filled(&Repository::new());
    for path in ["/2.root.json", "/timestamp.json"] {
        bed.server.never_end(Some(path));
        assert!(bed.refusal().contains("bytes"), "{}", bed.refusal());
    }
    bed.server.never_end(None);
    bed.update().unwrap();
    // A file that tells a false length of itself.
    let (_, mut new) = before_and_after();
    let fresh = tempfile::tempdir().unwrap();
    new.edit("targets", |targets| targets["targets"]["trusted_root.json"]["length"] = json!(5));
    bed.server.serve(layout(&new));
    let refused = update(fresh.path(), &new.first_root(), &bed.server).unwrap_err().to_string();
    assert!(refused.contains("bytes"), "{refused}");
    new.edit("targets", |targets| targets["targets"]["trusted_root.json"]["length"] = json!(1u64 << 40));
    let fresh = tempfile::tempdir().unwrap();
    bed.server.serve(layout(&new));
    let refused = update(fresh.path(), &new.first_root(), &bed.server).unwrap_err().to_string();
    assert!(refused.contains("is longer than 1048576 bytes"), "{refused}");
}

#[test]
fn a_content_that_is_not_listed_is_refused_fail() {
    let repository = Repository::new();
    let fresh = tempfile::tempdir().unwrap();
    let server = Server::new();
    let mut files = layout(&repository);
    let path = files.keys().find(|path| path.starts_with("/targets/")).unwrap().clone();
    files.insert(path.clone(), b"the trusted toor".to_vec());
    server.serve(files.clone());
    let refused = update(fresh.path(), &repository.first_root(), &server).unwrap_err().to_string();
    assert!(refused.contains("does not give trusted_root.json as it is listed"), "{refused}");
    assert!(!fresh.path().join("targets/trusted_root.json").exists());
    files.remove(&path);
    server.serve(files);
    assert!(update(fresh.path(), &repository.first_root(), &server).is_err());
}

#[test]
fn a_root_once_seen_is_kept_whatever_comes_after_fail() {
    let mut repository = Repository::new();
    let bed = filled(&repository);
    let new = Key::new();
    let old = repository.key("root").alias(&repository.key("root").id);
    repository.keys.insert("root", new.alias(&new.id));
    // The new root gives the timestamp to another key, and the repository has not signed by it yet.
    repository.keys.insert("timestamp", Key::new());
    let next = sign(&root(2, &repository.keys, &[]), &[&old, &new]);
    let mut files = layout(&Repository::new());
    files.insert("/2.root.json".to_owned(), next.clone());
    bed.server.serve(files);
    assert!(bed.refusal().contains("timestamp metadata has 0 of the 1 signatures"), "{}", bed.refusal());
    assert_eq!(std::fs::read(bed.folder.path().join("root_history/2.root.json")).unwrap(), next);
    // What the old key signed does not count any more, online or offline.
    assert!(bed.cached().is_err());
    repository.timestamp["version"] = json!(1);
    let mut files = layout(&repository);
    files.insert("/2.root.json".to_owned(), next);
    bed.server.serve(files);
    assert_eq!(bed.update().unwrap().state.root_version, 2);
    assert_eq!(bed.cached().unwrap().unwrap().state.root_version, 2);
}

#[test]
fn half_an_update_is_none_and_is_not_forgotten_fail() {
    let (old, new) = before_and_after();
    let bed = filled(&old);
    let (before, after) = (layout(&old), layout(&new));
    let mut half = after.clone();
    half.remove("/6.snapshot.json");
    bed.server.serve(half);
    assert!(bed.refusal().contains("lacks its snapshot metadata"), "{}", bed.refusal());
    // What was complete is still good, and the newer timestamp is remembered.
    assert_eq!(bed.cached().unwrap().unwrap().state.timestamp_version, 5);
    bed.server.serve(before);
    assert!(bed.refusal().contains("goes back to version 5 of timestamp.json"), "{}", bed.refusal());
    let mut half = after.clone();
    half.remove("/6.targets.json");
    bed.server.serve(half);
    assert!(bed.refusal().contains("lacks its targets metadata"), "{}", bed.refusal());
    assert_eq!(bed.cached().unwrap().unwrap().state.timestamp_version, 5);
    bed.server.serve(after);
    assert_eq!(bed.update().unwrap().state.timestamp_version, 6);
    assert_eq!(bed.cached().unwrap().unwrap().state.targets_version, 6);
    assert!(!bed.folder.path().join("pending").exists());
}

#[test]
fn a_first_update_that_breaks_off_is_none() {
    let repository = Repository::new();
    let fresh = tempfile::tempdir().unwrap();
    let server = Server::new();
    let mut files = layout(&repository);
    let new = Key::new();
    let old = repository.key("root");
    let mut keys: BTreeMap<_, _> = repository.keys.iter().map(|(role, key)| (*role, key.alias(&key.id))).collect();
    keys.insert("root", new.alias(&new.id));
    files.insert("/2.root.json".to_owned(), sign(&root(2, &keys, &[]), &[old, &new]));
    files.remove("/1.targets.json");
    server.serve(files);
    assert!(update(fresh.path(), &repository.first_root(), &server).is_err());
    assert!(trust_cache::cached(fresh.path(), &repository.first_root(), now()).unwrap().is_none());
}

#[test]
fn a_damaged_cache_is_mended_by_an_update() {
    let bed = filled(&Repository::new());
    for name in ["timestamp.json", "snapshot.json", "targets.json", "targets/trusted_root.json"] {
        std::fs::write(bed.folder.path().join(name), "{}").unwrap();
        assert!(bed.cached().is_err(), "{name}");
        bed.update().unwrap();
        assert!(bed.cached().unwrap().is_some(), "{name}");
    }
}

#[test]
fn a_repository_without_the_trusted_root_is_none_of_ours_fail() {
    let mut repository = Repository::new();
    repository.targets["targets"] = json!({});
    let server = Server::new();
    server.serve(layout(&repository));
    let fresh = tempfile::tempdir().unwrap();
    let refused = update(fresh.path(), &repository.first_root(), &server).unwrap_err().to_string();
    assert!(refused.contains("does not list trusted_root.json"), "{refused}");
}

#[test]
fn a_repository_that_is_not_there_says_so_fail() {
    let repository = Repository::new();
    let fresh = tempfile::tempdir().unwrap();
    let server = Server::new();
    let refused = update(fresh.path(), &repository.first_root(), &server).unwrap_err().to_string();
    assert!(refused.contains("lacks its timestamp metadata"), "{refused}");
    let nowhere =
        trust_cache::update(fresh.path(), &repository.first_root(), "http://example.com", Roots::default(), now());
    assert!(nowhere.unwrap_err().to_string().contains("plain http"));
}
