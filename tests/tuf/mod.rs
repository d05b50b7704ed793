//! TUF, attack by attack: a good repository is accepted, and the same one with exactly one thing wrong is refused for
//! that reason (threats of class 4; specification section 5). What others' software has to say about the same client is
//! in scripts/interop, and in the public conformance suite that `tests/tuf-client` is for.

mod repository;
mod server;
mod update;

use std::collections::BTreeMap;
use std::path::Path;

use gitseal::cli::trust_cache::{self, TrustCache};
use gitseal::crypto::KeyKind;
use gitseal::format::tuf::MetadataError;
use gitseal::trust::metadata_files::JudgeError;
use gitseal::trust::tuf::{Freshness, MAX_VISITED, RoleName, Search, Step, TrustedSet, TufError};
use repository::{EXPIRES, Key, Repository, head, now, root, sign, with};
use serde_json::json;

fn judge(repository: &Repository) -> Result<TrustedSet, TufError> {
    repository.files().judge(&repository.first_root(), now())
}

/// The spoilt repository is refused for that reason, its good twin is not.
macro_rules! refused {
    ($spoil:expr, $reason:pat) => {{
        let mut repository = Repository::new();
        assert!(judge(&repository).is_ok(), "the good twin");
        #[allow(clippy::redundant_closure_call)]
        ($spoil)(&mut repository);
        let refused = judge(&repository);
        assert!(matches!(refused, Err($reason)), "{:?}", refused.err());
    }};
}

#[test]
fn a_good_repository_is_believed() {
    let repository = Repository::new();
    let files = repository.files();
    let mut set = files.judge(&repository.first_root(), now()).unwrap();
    assert_eq!(set.expires(), EXPIRES.parse().unwrap());
    assert_eq!(files.target(&mut set, "trusted_root.json").unwrap(), Some(&b"the trusted root"[..]));
    assert_eq!(files.target(&mut set, "other.json").unwrap(), None);
}

#[test]
fn every_kind_of_key_signs() {
    for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Ed25519] {
        let mut repository = Repository::new();
        for (role, key) in &mut repository.keys {
            *key = Key::of(kind);
            assert!(!role.is_empty());
        }
        repository.root = root(1, &repository.keys, &[]);
        assert!(judge(&repository).is_ok(), "{kind:?}");
    }
}

#[test]
fn what_others_signed_is_refused_fail() {
    use RoleName::{Root, Snapshot, Timestamp};
    refused!(
        |r: &mut Repository| drop(r.keys.insert("root", Key::new())),
        TufError::Threshold { role: Root, found: 0, .. }
    );
    refused!(
        |r: &mut Repository| drop(r.keys.insert("timestamp", Key::new())),
        TufError::Threshold { role: Timestamp, .. }
    );
    refused!(
        |r: &mut Repository| drop(r.keys.insert("snapshot", Key::new())),
        TufError::Threshold { role: Snapshot, .. }
    );
    refused!(
        |r: &mut Repository| drop(r.keys.insert("targets", Key::new())),
        TufError::Threshold { role: RoleName::Targets(_), .. }
    );
}

#[test]
fn what_has_expired_is_refused_fail() {
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let mut repository = Repository::new();
        // The very instant is too late.
        repository.set(role, "/expires", json!(repository::NOW));
        let refused = judge(&repository).unwrap_err();
        assert!(matches!(&refused, TufError::Expired { role: name, .. } if name.to_string() == role), "{refused}");
        let before = now() - jiff::SignedDuration::from_secs(1);
        assert!(repository.files().judge(&repository.first_root(), before).is_ok(), "{role}");
    }
}

#[test]
fn what_does_not_belong_together_is_refused_fail() {
    use RoleName::{Snapshot, Timestamp};
    let version = "/meta/snapshot.json/version";
    refused!(
        |r: &mut Repository| {
            r.set("timestamp", version, json!(2));
        },
        TufError::Version { role: Snapshot, found: 1, wanted: 2 }
    );
    let zeros = json!("0".repeat(64));
    refused!(
        |r: &mut Repository| {
            r.set("timestamp", "/meta/snapshot.json/hashes/sha256", zeros.clone());
        },
        TufError::Content { role: Snapshot, by: Timestamp }
    );
    refused!(
        |r: &mut Repository| {
            r.set("timestamp", "/meta/snapshot.json/length", json!(7));
        },
        TufError::Content { role: Snapshot, .. }
    );
    refused!(
        |r: &mut Repository| {
            r.set("snapshot", "/meta/targets.json/version", json!(2));
        },
        TufError::Version { role: RoleName::Targets(_), .. }
    );
    refused!(
        |r: &mut Repository| {
            r.set("snapshot", "/meta/targets.json/hashes/sha256", zeros.clone());
        },
        TufError::Content { role: RoleName::Targets(_), by: Snapshot }
    );
    refused!(
        |r: &mut Repository| {
            r.set("snapshot", "/meta", json!({}));
        },
        TufError::NotListed(_)
    );
    // The metadata of one role in the place of another, signed by the right keys.
    refused!(
        |r: &mut Repository| {
            r.set("timestamp", "/_type", json!("snapshot"));
        },
        TufError::Metadata { source: MetadataError::Type { .. }, .. }
    );
}

#[test]
fn one_key_is_one_signer_fail() {
    // The root wants two signatures of the timestamp, and names one key twice.
    let alone = |repository: &mut Repository, second: &Key| {
        repository.root["keys"][&second.id] = second.object();
        repository.root["roles"]["timestamp"]["threshold"] = json!(2);
        repository.root["roles"]["timestamp"]["keyids"].as_array_mut().unwrap().push(json!(second.id));
        let mut files = repository.files();
        let signed: serde_json::Value = serde_json::from_slice(files.timestamp.as_ref().unwrap()).unwrap();
        files.timestamp = Some(sign(&signed["signed"], &[repository.key("timestamp"), second]));
        files.judge(&repository.first_root(), now())
    };
    assert!(alone(&mut Repository::new(), &Key::new()).is_ok(), "two keys are two signers");
    let mut repository = Repository::new();
    let alias = repository.key("timestamp").alias("another name");
    let refused = alone(&mut repository, &alias);
    assert!(matches!(refused, Err(TufError::Threshold { found: 1, wanted: 2, .. })), "{:?}", refused.err());
}

#[test]
fn a_root_follows_by_the_old_keys_and_the_new_and_by_one_version_fail() {
    let (old, new, stranger) = (Key::new(), Key::new(), Key::new());
    let other_roles = || Repository::new().keys;
    let roles = |root: &Key| {
        let mut keys = other_roles();
        keys.insert("root", root.alias(&root.id));
        keys
    };
    let first = sign(&root(1, &roles(&old), &[]), &[&old]);
    let next = |version, signers: &[&Key]| {
        let mut set = TrustedSet::new(&first, now()).unwrap();
        set.update_root(&sign(&root(version, &roles(&new), &[]), signers)).map(|()| set)
    };
    assert_eq!(next(2, &[&old, &new]).unwrap().root().version, 2);
    for signers in [&[&old][..], &[&new], &[&old, &stranger], &[&new, &stranger], &[]] {
        assert!(matches!(next(2, signers), Err(TufError::Threshold { role: RoleName::Root, .. })));
    }
    for version in [1, 3, u64::MAX] {
        assert!(matches!(next(version, &[&old, &new]), Err(TufError::Version { wanted: 2, .. })), "{version}");
    }
}

#[test]
fn twenty_rotations_are_followed_and_a_gap_is_not() {
    let mut keys: Vec<Key> = (0..21).map(|_| Key::new()).collect();
    let mut repository = Repository::new();
    let mut roots = BTreeMap::new();
    let first = {
        repository.keys.insert("root", keys[0].alias(&keys[0].id));
        sign(&root(1, &repository.keys, &[]), &[&keys[0]])
    };
    for at in 1..keys.len() {
        let key = &keys[at];
        repository.keys.insert("root", key.alias(&key.id));
        // The timestamp's key changes along; what is in force at the end is signed by the last.
        repository.keys.insert("timestamp", Key::new());
        let mut next = root(at as u64 + 1, &repository.keys, &[]);
        // All but the last have long expired, which is of no matter.
        if at + 1 < keys.len() {
            next["expires"] = json!("2020-01-01T00:00:00Z");
        }
        roots.insert(at as u64 + 1, sign(&next, &[&keys[at - 1], key]));
    }
    let mut files = repository.files();
    files.roots = roots;
    assert_eq!(files.judge(&first, now()).unwrap().root().version, 21);
    // A clock after the last root's end.
    let late = "2026-12-24T12:00:00Z".parse().unwrap();
    assert!(matches!(files.judge(&first, late), Err(TufError::Expired { role: RoleName::Root, .. })));
    // Without the tenth nothing follows the ninth.
    files.roots.remove(&10);
    assert!(files.judge(&first, now()).is_err());
    keys.clear();
}

/// The update from `old` to `new`, of which only the old snapshot and timestamp are remembered.
fn update(old: &Repository, new: &Repository) -> Result<Freshness, TufError> {
    let (before, after) = (old.files(), new.files());
    let mut set = TrustedSet::new(&old.first_root(), now()).unwrap();
    let _ = set.update_timestamp(before.timestamp.as_ref().unwrap());
    let fresh = set.update_timestamp(after.timestamp.as_ref().unwrap())?;
    if fresh == Freshness::New {
        let _ = set.remember_snapshot(before.snapshot.as_ref().unwrap());
        set.update_snapshot(after.snapshot.as_ref().unwrap())?;
        set.update_targets(after.targets.get("targets").unwrap())?;
    }
    Ok(fresh)
}

/// A good repository, and its next state: every version is one higher.
fn before_and_after() -> (Repository, Repository) {
    let (mut old, mut new) = (Repository::new(), Repository::new());
    new.keys = old.keys.iter().map(|(role, key)| (*role, key.alias(&key.id))).collect();
    new.root = old.root.clone();
    for (repository, version) in [(&mut old, 5), (&mut new, 6)] {
        for role in [&mut repository.timestamp, &mut repository.snapshot, &mut repository.targets] {
            role["version"] = json!(version);
        }
    }
    (old, new)
}

#[test]
fn the_past_does_not_come_back_fail() {
    let (old, new) = before_and_after();
    assert_eq!(update(&old, &new).unwrap(), Freshness::New);

    let (old, mut new) = before_and_after();
    new.timestamp["version"] = json!(4);
    assert!(matches!(
        update(&old, &new),
        Err(TufError::Rollback { role: RoleName::Timestamp, found: 4, trusted: 5, .. })
    ));

    // The snapshot, named by a newer timestamp.
    let (old, mut new) = before_and_after();
    new.snapshot["version"] = json!(4);
    let refused = update(&old, &new).unwrap_err();
    assert!(matches!(&refused, TufError::Rollback { what, .. } if what == "snapshot.json"), "{refused}");

    // The targets, named by a newer snapshot.
    let (old, mut new) = before_and_after();
    new.targets["version"] = json!(4);
    let refused = update(&old, &new).unwrap_err();
    assert!(matches!(&refused, TufError::Rollback { what, .. } if what == "targets.json"), "{refused}");

    // A role that vanishes from the snapshot.
    let (mut old, new) = before_and_after();
    old.edit("snapshot", |snapshot| snapshot["meta"]["gone.json"] = json!({ "version": 1 }));
    assert!(matches!(update(&old, &new), Err(TufError::Forgotten(name)) if name == "gone.json"));

    // Expired metadata is still the past.
    let (mut old, mut new) = before_and_after();
    old.set("timestamp", "/expires", json!("2020-01-01T00:00:00Z"));
    new.timestamp["version"] = json!(4);
    assert!(matches!(update(&old, &new), Err(TufError::Rollback { .. })));
}

#[test]
fn the_same_version_is_the_same_timestamp() {
    let (old, mut new) = before_and_after();
    new.timestamp["version"] = json!(5);
    assert_eq!(update(&old, &new).unwrap(), Freshness::Same);
}

#[test]
fn new_keys_free_from_a_version_that_was_driven_up() {
    let (mut old, new) = before_and_after();
    for role in ["timestamp", "snapshot"] {
        let signed = if role == "timestamp" { &mut old.timestamp } else { &mut old.snapshot };
        signed["version"] = json!(1_000_000);
    }
    assert!(matches!(update(&old, &new), Err(TufError::Rollback { .. })));
    // The same, after both keys were replaced: what the thief's keys signed is not remembered.
    old.keys.insert("timestamp", Key::new());
    old.keys.insert("snapshot", Key::new());
    assert_eq!(update(&old, &new).unwrap(), Freshness::New);
}

fn find(repository: &Repository, path: &str) -> Result<Option<String>, JudgeError> {
    let files = repository.files();
    let mut set = files.judge(&repository.first_root(), now()).unwrap();
    let found = files.target(&mut set, path)?;
    Ok(found.map(|content| String::from_utf8(content.to_vec()).unwrap()))
}

#[test]
fn a_role_speaks_only_of_what_it_was_given_fail() {
    let mut repository = Repository::new();
    repository.delegate("targets", "a", &["a/*", "?.txt"], &["a/x", "a/b/x", "b/x", "y.txt", "trusted_root.json"]);
    assert_eq!(find(&repository, "a/x").unwrap().unwrap(), "a/x by a");
    assert_eq!(find(&repository, "y.txt").unwrap().unwrap(), "y.txt by a");
    // A star does not cross a slash; another folder is another's; the role above comes first.
    for path in ["a/b/x", "b/x"] {
        assert_eq!(find(&repository, path).unwrap(), None, "{path}");
    }
    let files = repository.files();
    let mut set = files.judge(&repository.first_root(), now()).unwrap();
    // Its content was replaced by the delegated role's; the top-level digest still counts.
    assert!(matches!(files.target(&mut set, "trusted_root.json"), Err(JudgeError::Content(_))));
}

#[test]
fn the_first_role_wins_and_a_terminating_one_is_the_last_fail() {
    let mut repository = Repository::new();
    repository.delegate("targets", "a", &["*"], &["one"]).delegate("targets", "b", &["*"], &["one", "two"]);
    // What is there is the content of b, and a has another: b is not asked.
    assert!(matches!(find(&repository, "one"), Err(JudgeError::Content(_))));
    assert_eq!(find(&repository, "two").unwrap(), Some("two by b".into()));
    let mut repository = Repository::new();
    repository.delegate("targets", "a", &["*"], &[]).delegate("targets", "b", &["*"], &["two"]);
    assert_eq!(find(&repository, "two").unwrap(), Some("two by b".into()));
    repository.targets["delegations"]["roles"][0]["terminating"] = json!(true);
    assert_eq!(find(&repository, "two").unwrap(), None);
    // Also of those further up: c, of which a says that it is the last, keeps b from being asked.
    let mut repository = Repository::new();
    repository.delegate("targets", "a", &["*"], &[]).delegate("targets", "b", &["*"], &["two"]);
    repository.delegate_with("a", "c", json!({ "paths": ["*"], "terminating": true }), &[]);
    assert_eq!(find(&repository, "two").unwrap(), None);
}

#[test]
fn a_cycle_and_a_chain_without_end_come_to_an_end_fail() {
    let mut repository = Repository::new();
    repository.delegate("targets", "a", &["*"], &[]).delegate("a", "b", &["*"], &[]).delegate("b", "a", &["*"], &[]);
    assert_eq!(find(&repository, "x").unwrap(), None);
    // A role is visited once, so who comes after the cycle is still asked.
    repository.delegate("targets", "c", &["*"], &["y"]);
    assert!(find(&repository, "y").unwrap().is_some());

    let chain = |length: usize| {
        let mut repository = Repository::new();
        let mut from = "targets".to_owned();
        for at in 0..length {
            let name = format!("r{at}");
            repository.delegate(&from, &name, &["*"], if at + 1 == length { &["deep"] } else { &[] });
            from = name;
        }
        find(&repository, "deep").unwrap()
    };
    // The top-level role is the first that is visited.
    assert!(chain(MAX_VISITED - 1).is_some());
    assert_eq!(chain(MAX_VISITED), None);
}

#[test]
fn a_role_with_two_parents_answers_to_each_one_s_keys_fail() {
    let mut repository = Repository::new();
    repository.delegate("targets", "shared", &["a/*"], &["a/x", "b/x"]);
    // The second parent gives the same name to somebody else.
    let other = Key::new();
    repository.delegate("targets", "b", &["b/*"], &[]);
    repository.delegate("b", "shared", &["b/*"], &[]);
    let b = &mut repository.delegated.iter_mut().find(|(name, ..)| name == "b").unwrap().1;
    b["delegations"] = json!({
        "keys": { &other.id: other.object() },
        "roles": [{ "name": "shared", "keyids": [other.id], "threshold": 1, "terminating": false, "paths": ["b/*"] }],
    });
    let files = repository.files();
    let mut set = files.judge(&repository.first_root(), now()).unwrap();
    assert!(files.target(&mut set, "a/x").unwrap().is_some());
    // In the same session, so that the role is known already.
    let refused = files.target(&mut set, "b/x");
    assert!(matches!(refused, Err(JudgeError::Metadata(TufError::Threshold { .. }))), "{refused:?}");
}

#[test]
fn a_delegated_role_is_judged_like_any_other_fail() {
    for (member, value) in [("/expires", json!("2020-01-01T00:00:00Z")), ("/_type", json!("root"))] {
        let mut repository = Repository::new();
        repository.delegate("targets", "a", &["*"], &["x"]);
        assert!(find(&repository, "x").unwrap().is_some());
        repository.set("a", member, value);
        let files = repository.files();
        let mut set = files.judge(&repository.first_root(), now()).unwrap();
        assert!(files.target(&mut set, "x").is_err(), "{member}");
    }
    let mut repository = Repository::new();
    repository.delegate("targets", "a", &["*"], &["x"]);
    repository.delegated[0].2 = Key::new();
    assert!(matches!(find(&repository, "x"), Err(JudgeError::Metadata(TufError::Threshold { .. }))));
}

#[test]
fn names_are_data() {
    let mut repository = Repository::new();
    repository.delegate("targets", "../../../root", &["*"], &["..", "/etc/passwd", "a\nb"]);
    // `*` is one segment, whatever it is called.
    assert!(find(&repository, "..").unwrap().is_some() && find(&repository, "a\nb").unwrap().is_some());
    assert_eq!(find(&repository, "/etc/passwd").unwrap(), None);
    assert_eq!(find(&repository, "").unwrap(), None);
    assert_eq!(find(&repository, &"x".repeat(1025)).unwrap(), None);

    // In a cache such names are names of files in it, and nowhere else.
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a/b/c");
    let cache = TrustCache::at(&inner);
    let mut files = repository.files();
    cache.write(&files).unwrap();
    // Only the documents that are asked for are kept.
    files.contents.retain(|path, _| path == "trusted_root.json");
    assert_eq!(cache.read().unwrap(), files);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(inner.join("..%2F..%2F..%2Froot.json").is_file());
}

/// A cache with all that a verifier needs.
fn filled(folder: &Path) -> Repository {
    let repository = Repository::new();
    TrustCache::at(folder).write(&repository.files()).unwrap();
    repository
}

#[test]
fn a_cache_is_judged_at_every_use_fail() {
    let folder = tempfile::tempdir().unwrap();
    let repository = filled(folder.path());
    let root = repository.first_root();
    let cached = |now: &str| trust_cache::cached(folder.path(), &root, now.parse().unwrap());
    let documents = cached(repository::NOW).unwrap().unwrap();
    assert_eq!(documents.trusted_root, b"the trusted root");
    assert_eq!((documents.state.root_version, documents.state.timestamp_version), (1, 1));
    assert_eq!(documents.state.signed_by, [repository.key("root").id.as_str()]);
    let expired = cached(EXPIRES).unwrap_err().to_string();
    assert!(expired.contains("expired on 2026-12-24T12:00:00Z"), "{expired}");

    // Any byte of any file.
    let mut files = vec!["timestamp.json", "snapshot.json", "targets.json", "targets/trusted_root.json"];
    for name in files.drain(..) {
        let path = folder.path().join(name);
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(41) {
            for mask in [0x01, 0x20, 0x80] {
                let mut bad = good.clone();
                bad[at] ^= mask;
                std::fs::write(&path, bad).unwrap();
                assert!(cached(repository::NOW).is_err(), "{name} byte {at} ^ {mask:#x}");
            }
        }
        std::fs::remove_file(&path).unwrap();
        assert!(cached(repository::NOW).is_err(), "without {name}");
        std::fs::write(&path, good).unwrap();
        assert!(cached(repository::NOW).is_ok());
    }
    // Another root than the user's.
    let other = Repository::new().first_root();
    assert!(trust_cache::cached(folder.path(), &other, now()).is_err());
    // Nothing at all is no cache, and no error.
    assert!(trust_cache::cached(&folder.path().join("none"), &root, now()).unwrap().is_none());
}

#[test]
fn a_search_asks_for_what_it_lacks() {
    let mut repository = Repository::new();
    repository.delegate("targets", "a", &["*"], &["x"]);
    let set = judge(&repository).unwrap();
    let mut search = Search::new("x");
    // Twice, as long as nobody brings it.
    for _ in 0..2 {
        assert!(matches!(search.step(&set), Step::Load(delegation) if delegation.name == "a"));
    }
}

#[test]
fn hash_prefixes_divide_targets() {
    let mut repository = Repository::new();
    // SHA-256 of "abc" is ba7816bf..
    repository.delegate_with("targets", "bin", json!({ "path_hash_prefixes": ["ba", "00"] }), &["abc", "x"]);
    assert!(find(&repository, "abc").unwrap().is_some());
    assert_eq!(find(&repository, "x").unwrap(), None);
}

#[test]
fn unknown_fields_are_signed_and_ignored() {
    let mut repository = Repository::new();
    let more = json!({ "x-more": { "a": [1, null, true], "b": "line\nbreak" } });
    repository.root = with(repository.root, more.clone());
    repository.root["keys"]["unknown"] =
        json!({ "keytype": "x", "scheme": "y", "keyval": { "public": "z" }, "more": 1 });
    repository.root["roles"]["root"]["keyids"].as_array_mut().unwrap().push(json!("unknown"));
    repository.targets = with(repository.targets, more);
    assert!(judge(&repository).is_ok());
    assert_eq!(head("root", 1)["version"], 1);
}

#[test]
fn the_embedded_roots_begin_a_repository() {
    use gitseal::trust::embedded::{PUBLIC, STAGING};
    for embedded in [PUBLIC, STAGING] {
        let set = TrustedSet::new(embedded.root, now()).unwrap();
        set.end_of_roots().unwrap();
        assert!(set.root().signed.root.signers(&set.root().signatures).len() >= 2, "{}", embedded.name);
        assert!(set.root().signed.consistent_snapshot);
    }
}

/// The roots of a folder under tests/vectors/tuf, by version.
fn history(folder: &str) -> BTreeMap<u64, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tuf").join(folder);
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().strip_suffix(".root.json").unwrap().to_owned();
        (name.parse().unwrap(), std::fs::read(path).unwrap())
    };
    std::fs::read_dir(folder).unwrap().map(read).collect()
}

#[test]
fn the_histories_of_the_public_instances_are_followed() {
    for (folder, steps) in [("public-roots", 8), ("staging-roots", 6), ("github-roots", 1)] {
        let roots = history(folder);
        let (mut followed, mut last) = (0, None::<TrustedSet>);
        for (version, root) in &roots {
            let expires = TrustedSet::new(root, now()).unwrap().root().expires;
            let clock = expires - jiff::SignedDuration::from_secs(1);
            let mut set = match last.take() {
                Some(set) => set,
                None => TrustedSet::new(root, clock).unwrap(),
            };
            let before = set.root().version;
            if before < *version {
                match set.update_root(root) {
                    Ok(()) => followed += 1,
                    // No package carries what lies between. In the public history the keys would do all the same.
                    Err(TufError::Version { .. }) => assert!(*version > before + 1, "{folder} {version}"),
                    Err(TufError::Threshold { .. }) => assert!(folder == "staging-roots" && *version > before + 1),
                    Err(error) => panic!("{folder} {version}: {error}"),
                }
            }
            let set = if set.root().version == *version { set } else { TrustedSet::new(root, clock).unwrap() };
            // In force until the last second, and not a second longer.
            let at = |clock| TrustedSet::new(root, clock).unwrap().end_of_roots();
            assert!(at(clock).is_ok() && at(expires).is_err(), "{folder} {version}");
            last = Some(set);
        }
        assert_eq!(followed, steps, "{folder}");
    }
    assert_eq!(history("public-roots").last_key_value().unwrap().1, gitseal::trust::embedded::PUBLIC.root);
    assert_eq!(history("staging-roots").last_key_value().unwrap().1, gitseal::trust::embedded::STAGING.root);
}

#[test]
fn a_target_without_a_known_digest_is_not_to_be_had_and_the_others_are_fail() {
    let mut repository = Repository::new();
    repository.contents.insert("odd".to_owned(), b"odd".to_vec());
    repository.targets["targets"]["odd"] = json!({ "length": 3, "hashes": { "whirlpool": "00" } });
    assert!(matches!(find(&repository, "odd"), Err(JudgeError::Content(_))));
    assert!(find(&repository, "trusted_root.json").unwrap().is_some());
}

#[test]
fn a_cache_never_holds_more_than_it_reads_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = TrustCache::at(folder.path());
    let mut files = Repository::new().files();
    for at in 0..2000 {
        files.targets.insert(format!("bin-{at}"), b"{}".to_vec());
    }
    cache.write(&files).unwrap();
    let kept = cache.read().unwrap();
    assert_eq!(kept.targets.len(), 257);
    assert_eq!(kept.targets["targets"], files.targets["targets"]);
    // What is not asked for any more goes.
    files.targets.retain(|role, _| role == "targets");
    cache.write(&files).unwrap();
    assert_eq!(cache.read().unwrap(), files);
}
