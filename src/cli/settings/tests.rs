//! Settings against real git configuration: files written by git, read through gix, in every scope.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::repo::{Origin, Repository};

/// A repository whose local configuration holds `pairs`.
fn repository(pairs: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    git(directory.path(), &["init", "--quiet"]);
    for (key, value) in pairs {
        git(directory.path(), &["config", "--local", "--add", key, value]);
    }
    directory
}

fn git(directory: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(arguments)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .status()
        .unwrap();
    assert!(status.success(), "git {arguments:?}");
}

/// Load with a local configuration, `-c` parameters, and an environment.
fn load(
    local: &[(&str, &str)],
    parameters: &str,
    environment: &[(&str, &str)],
) -> Result<(Settings, Vec<Ignored>), SettingsError> {
    let directory = repository(local);
    let repository = Repository::open_isolated_test_only(directory.path());
    let parameters = |name: &str| (name == "GIT_CONFIG_PARAMETERS").then(|| OsString::from(parameters));
    let config = Config::read(Some(&repository), &parameters).unwrap();
    let environment: HashMap<&str, &str> = environment.iter().copied().collect();
    let lookup = |name: &str| environment.get(name).map(OsString::from);
    Settings::load(&config, &lookup, Some("/home/ann".into()))
}

#[test]
fn a_repository_cannot_say_whom_to_believe() {
    let (settings, ignored) = load(
        &[
            ("gitseal.trustedRoot", "/tmp/evil.json"),
            ("gitseal.certificateIdentity", "eve@example.com"),
            ("gitseal.certificateOidcIssuer", "it's evil"),
            ("gitseal.insecureIgnoreSct", "true"),
            ("gitseal.smimeCaFile", "evil.pem"),
            ("gitsign.fulcio", "https://evil.example"),
            ("gitsign.fulcioRoot", "evil.pem"),
            ("gitseal.idTokenFile", "/etc/passwd"),
            ("gitseal.onlineLookup", "always"),
        ],
        "",
        &[],
    )
    .unwrap();
    assert_eq!(settings, Settings::default());
    assert_eq!(ignored.len(), 9);
    let remedy = |key: &str| ignored.iter().find(|i| i.key == key).map(|i| i.remedy.clone()).unwrap();
    assert_eq!(remedy("gitseal.trustedRoot"), "git config --global gitseal.trustedRoot '/tmp/evil.json'");
    assert_eq!(
        remedy("gitseal.certificateOidcIssuer"),
        r"git config --global --add gitseal.certificateOidcIssuer 'it'\''s evil'"
    );
}

#[test]
fn a_repository_may_choose_an_instance_and_tighten() {
    let (settings, ignored) = load(
        &[("gitseal.instance", "staging"), ("gitseal.onlineLookup", "never"), ("gitsign.matchCommitter", "yes")],
        "",
        &[],
    )
    .unwrap();
    assert_eq!(ignored, []);
    let by = "gitseal.instance".to_owned();
    let want = Selected { name: InstanceName::staging(), by, scope: Some(Scope::Repository) };
    assert_eq!(settings.instance, Some(want));
    assert_eq!(settings.online_lookup, OnlineLookup::Never);
    assert_eq!(settings.match_committer, MatchCommitter::Require);
}

#[test]
fn a_repository_may_demand_more_witnesses_than_the_user_and_never_fewer() {
    let demand = |local: &str, users: &str| {
        let environment: &[(&str, &str)] = if users.is_empty() { &[] } else { &[("GITSEAL_LOG_THRESHOLD", users)] };
        let (settings, ignored) = load(&[("gitseal.logThreshold", local)], "", environment).unwrap();
        (settings.log_threshold, ignored.len())
    };
    assert_eq!(demand("2", ""), (2, 0));
    assert_eq!(demand("two", ""), (0, 1));
    assert_eq!(demand("1", "2"), (2, 0));
    let both = [("gitseal.timestampThreshold", "3"), ("gitseal.timestampThreshold", "1")];
    let (settings, ignored) = load(&both, "", &[]).unwrap();
    assert_eq!((settings.timestamp_threshold, ignored.len()), (3, 1));
    assert_eq!(load(&both, "'gitseal.timestampThreshold'='2'", &[]).unwrap().0.timestamp_threshold, 2);
    for bad in ["-1", "17", "1e1", " 1", "99999999999999999999999"] {
        let error = load(&[], "", &[("GITSEAL_LOG_THRESHOLD", bad)]).unwrap_err();
        assert!(matches!(error, SettingsError::Count { max: 16, .. }), "{bad}: {error}");
    }
}

#[test]
fn a_repository_may_raise_a_level_and_never_lower_it() {
    let level = |local: &str, users: &str| {
        let (settings, ignored) = load(&[("gitseal.matchCommitter", local)], "", &[]).unwrap();
        let alone = (settings.match_committer, ignored.len());
        // A variable would decide alone; a lower section of the same repository stands for what was set before.
        let both = [("gitsign.matchCommitter", users), ("gitseal.matchCommitter", local)];
        let (settings, ignored) = load(&both, "", &[]).unwrap();
        (alone, (settings.match_committer, ignored.len()))
    };
    use MatchCommitter::{Off, Require, Warn};
    assert_eq!(level("warn", "true"), ((Warn, 0), (Require, 1)));
    assert_eq!(level("off", "warn"), ((Off, 0), (Warn, 1)));
    assert_eq!(level("require", "warn"), ((Require, 0), (Require, 0)));
    assert_eq!(level("yes", "no"), ((Require, 0), (Require, 0)));
    assert_eq!(level("perhaps", "warn"), ((Off, 1), (Warn, 1)));
    let error = load(&[], "", &[("GITSEAL_MATCH_COMMITTER", "perhaps")]).unwrap_err();
    assert!(matches!(error, SettingsError::Choice { .. }), "{error}");
}

#[test]
fn git_minus_c_is_the_users_own_word() {
    let parameters = "'gitseal.certificateidentity'='ann@example.com' 'gitseal.certificateIdentity'='bob@example.com' \
                      'gitseal.insecureIgnoreSct'= 'gitseal.trustedroot'='~/root.json'";
    let (settings, ignored) = load(&[], parameters, &[]).unwrap();
    assert_eq!(ignored, []);
    assert_eq!(settings.expected.identities, ["ann@example.com", "bob@example.com"]);
    assert!(settings.insecure_ignore_sct);
    assert_eq!(settings.trusted_root, Some("/home/ann/root.json".into()));
}

#[test]
fn precedence_rises_from_gitsign_to_gitseal_to_the_environment() {
    let files = [("gitsign.rekorMode", "online"), ("gitseal.rekorMode", "offline"), ("gitsign.rekorVersion", "1")];
    let (settings, _) = load(&files, "", &[]).unwrap();
    assert_eq!((settings.rekor_mode, settings.rekor_version), (RekorMode::Offline, Some(1)));

    let (settings, _) = load(&files, "", &[("GITSIGN_REKOR_MODE", "online")]).unwrap();
    assert_eq!(settings.rekor_mode, RekorMode::Online);

    let both = [("GITSIGN_REKOR_MODE", "online"), ("GITSEAL_REKOR_MODE", "offline")];
    assert_eq!(load(&files, "", &both).unwrap().0.rekor_mode, RekorMode::Offline);

    let three = [("SIGSTORE_FULCIO_URL", "https://s.example"), ("GITSIGN_FULCIO_URL", "https://g.example")];
    assert_eq!(load(&[], "", &three).unwrap().0.pieces.fulcio.as_deref(), Some("https://g.example"));

    let empty = [("GITSEAL_REKOR_MODE", "")];
    assert_eq!(load(&[("gitseal.rekorMode", "online")], "", &empty).unwrap().0.rekor_mode, RekorMode::Offline);
}

#[test]
fn a_list_grows_until_an_empty_value_and_a_variable_replaces_it() {
    let parameters = "'gitseal.certificateIdentity'='a' 'gitseal.certificateIdentity'='' \
                      'gitseal.certificateIdentity'='b' 'gitseal.certificateIdentity'='c'";
    assert_eq!(load(&[], parameters, &[]).unwrap().0.expected.identities, ["b", "c"]);
    let variable = [("GITSEAL_CERTIFICATE_IDENTITY", "x\ny\n")];
    assert_eq!(load(&[], parameters, &variable).unwrap().0.expected.identities, ["x", "y"]);
}

#[test]
fn a_value_that_means_nothing_is_an_error() {
    let error = |local: &[(&str, &str)], environment: &[(&str, &str)]| load(local, "", environment).unwrap_err();
    assert!(matches!(error(&[("gitseal.instance", "../mars")], &[]), SettingsError::Instance { .. }));
    assert!(matches!(error(&[], &[("GITSEAL_INSECURE_IGNORE_SCT", "perhaps")]), SettingsError::Boolean { .. }));
    assert!(matches!(error(&[], &[("GITSIGN_FULCIO_URL", "ftp://x")]), SettingsError::Url { .. }));
    assert!(error(&[("gitseal.instance", "../mars")], &[]).hint().contains("git config --show-origin"));
}

#[test]
fn implicit_booleans_in_files_are_true() {
    let directory = repository(&[]);
    let file = directory.path().join(".git/config");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}[gitseal]\n\tmatchCommitter\n")).unwrap();
    let repository = Repository::open_isolated_test_only(directory.path());
    let config = Config::read(Some(&repository), &|_| None).unwrap();
    let (settings, _) = Settings::load(&config, &|_| None, None).unwrap();
    assert_eq!(settings.match_committer, MatchCommitter::Require);
}

#[test]
fn the_token_is_not_shown() {
    let (settings, _) = load(&[], "", &[("SIGSTORE_ID_TOKEN", "eyJhbGciOi")]).unwrap();
    assert_eq!(settings.token.token.as_deref(), Some("eyJhbGciOi"));
    assert!(!format!("{settings:?}").contains("eyJ"));
}

#[test]
fn one_fault_does_not_hide_the_next() {
    let directory = repository(&[("gitseal.instance", "../mars"), ("gitseal.rekorVersion", "2")]);
    let repository = Repository::open_isolated_test_only(directory.path());
    let config = Config::read(Some(&repository), &|_| None).unwrap();
    let environment = |name: &str| (name == "GITSEAL_MATCH_COMMITTER").then(|| OsString::from("perhaps"));
    let Reading { settings, errors, .. } = Settings::examine(&config, &environment, None);
    let names: Vec<Name> = errors.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, [Name::Instance, Name::MatchCommitter]);
    assert_eq!(settings, Settings { rekor_version: Some(2), ..Settings::default() });
}

#[test]
fn every_value_says_where_it_is_and_what_it_amounts_to() {
    let directory = repository(&[("gitsign.issuer", "https://evil.example"), ("gitseal.rekorMode", "online")]);
    let repository = Repository::open_isolated_test_only(directory.path());
    let parameters = "'gitsign.rekorMode'='offline' 'gitseal.certificateIdentity'='a' \
                      'gitseal.certificateIdentity'='' 'gitseal.certificateIdentity'='b'";
    let parameters = |name: &str| (name == "GIT_CONFIG_PARAMETERS").then(|| OsString::from(parameters));
    let config = Config::read(Some(&repository), &parameters).unwrap();
    let local = directory.path().join(".git/config").canonicalize().unwrap();
    let values = |name: Name, environment: &[(&str, &str)]| {
        let environment: HashMap<&str, &str> = environment.iter().copied().collect();
        let values = source::values_of(name.setting(), &config, &|name| environment.get(name).map(OsString::from));
        let place = |place: &Place<'_>| match place {
            Place::Key { origin: Origin::File(path), .. } => {
                assert_eq!(path.canonicalize().unwrap(), local);
                format!("{} in a file", place.name())
            }
            _ => place.name(),
        };
        values.iter().map(|value| (place(&value.place), value.standing)).collect::<Vec<_>>()
    };
    let (counts, overridden) = (Standing::Counts, Standing::Overridden);
    assert_eq!(
        values(Name::Issuer, &[("SIGSTORE_OIDC_ISSUER", "https://a"), ("GITSEAL_OIDC_ISSUER", "https://b")]),
        [
            ("gitsign.issuer in a file".into(), Standing::RepositoryMayNot),
            ("SIGSTORE_OIDC_ISSUER".into(), overridden),
            ("GITSEAL_OIDC_ISSUER".into(), counts),
        ]
    );
    // gitseal's own key counts more than gitsign's, even one of a higher scope.
    let rekor_mode = [("gitsign.rekorMode".into(), overridden), ("gitseal.rekorMode in a file".into(), counts)];
    assert_eq!(values(Name::RekorMode, &[]), rekor_mode);
    let standings: Vec<_> = values(Name::CertificateIdentity, &[]).into_iter().map(|(_, standing)| standing).collect();
    assert_eq!(standings, [overridden, counts, counts]);
}

#[test]
fn a_repository_cannot_define_an_instance() {
    let (settings, ignored) = load(
        &[
            ("gitseal.instance", "evil"),
            ("gitseal.instance.evil.tuf", "https://it's.evil"),
            ("gitseal.evil.trustedRoot", "root.json"),
            ("gitseal.instance.../evil.fulcio", "https://evil"),
            ("gitseal.tufMirror", "https://evil"),
            // What `gitseal init --local` keeps, and what means nothing.
            ("gitseal.saved.gpg.format", "openpgp"),
            ("gitseal.colour", "red"),
        ],
        "'gitseal.instance.mine.tuf'='https://mine'",
        &[],
    )
    .unwrap();
    assert_eq!(settings.instance_name().as_str(), "evil", "selecting is allowed");
    let ignored: Vec<_> = ignored.iter().map(|i| (i.key.as_str(), i.remedy.as_str())).collect();
    assert_eq!(
        ignored,
        [
            ("gitseal.tufmirror", "gitseal instance add NAME --tuf 'https://evil' --root FILE"),
            ("gitseal.instance.evil.tuf", r"gitseal instance add evil --tuf 'https://it'\''s.evil' --root FILE"),
            ("gitseal.evil.trustedroot", "gitseal instance add evil --trusted-root FILE --signing-config FILE"),
            ("gitseal.instance.../evil.fulcio", "gitseal instance add NAME --trusted-root FILE --signing-config FILE"),
        ]
    );
}

#[test]
fn a_tuf_mirror_counts_with_its_root_and_from_the_environment_alone() {
    let local = [("gitseal.instance", "staging")];
    let both = [("TUF_MIRROR", "https://tuf.example"), ("TUF_ROOT_JSON", "~/root.json")];
    let (settings, _) = load(&local, "", &both).unwrap();
    let want = TufMirror { url: "https://tuf.example".into(), root: "/home/ann/root.json".into() };
    assert_eq!(settings.tuf_mirror, Some(want));
    assert_eq!(load(&local, "", &both[..1]).unwrap().0.tuf_mirror, None);
    assert_eq!(load(&local, "", &both[1..]).unwrap().0.tuf_mirror, None);
}
