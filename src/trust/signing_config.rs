//! The signing config: which services to ask for a certificate, a log entry, a time stamp and a token.
//!
//! dev.sigstore.trustroot.v1.SigningConfig v0.2 (protobuf-specs) and the selection rules that its comments give. It says
//! whom to ask and nothing about whom to believe; that is the [trusted root](super::root)'s business. Fields that a later
//! v0.2 may add are ignored, as protobuf wants; another media type is refused.

use jiff::Timestamp;
use serde::Deserialize;

/// Largest document: the public one has 1 KB.
pub const MAX_CONFIG_LEN: usize = 64 * 1024;
/// Most services of one type: the staging instance, which keeps every retired log, has four.
pub const MAX_SERVICES: usize = 64;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/// Why a signing config cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningConfigError {
    /// Larger than [`MAX_CONFIG_LEN`].
    #[error("the signing config is larger than {MAX_CONFIG_LEN} bytes")]
    TooLarge,
    /// Not the JSON of a signing config.
    #[error("the signing config is malformed: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A document of another type or version.
    #[error("the signing config has the media type {0:?}; this gitseal knows v0.2")]
    MediaType(String),
    /// More than [`MAX_SERVICES`] of one type.
    #[error("the signing config lists more than {MAX_SERVICES} services of one type")]
    TooMany,
    /// A selector that does not say how many services to use.
    #[error("the signing config does not say how many {0} to use")]
    Selector(Role),
}

/// Why no service of a type can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The document lists none.
    #[error("the signing config lists no {0}")]
    None(Role),
    /// All listed ones are retired or not yet open.
    #[error("no {0} in the signing config is in service now")]
    NotInService(Role),
    /// Those in service speak versions that we do not.
    #[error("the {role} in the signing config speak API version {offered:?}; this gitseal speaks {spoken:?}")]
    Version {
        /// Which type.
        role: Role,
        /// The versions in service.
        offered: Vec<u32>,
        /// The versions we speak.
        spoken: Vec<u32>,
    },
    /// Fewer operators than the document demands.
    #[error("the signing config demands {wanted} {role} of different operators and lists {found}")]
    TooFew {
        /// Which type.
        role: Role,
        /// How many it demands.
        wanted: usize,
        /// How many can be had.
        found: usize,
    },
}

/// What a service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Issues certificates: Fulcio.
    CertificateAuthority,
    /// Issues tokens: an OpenID provider.
    OidcProvider,
    /// Keeps a transparency log: Rekor.
    TransparencyLog,
    /// Stamps times: an RFC 3161 authority.
    TimestampAuthority,
}

impl Role {
    /// The API versions this program speaks, as the signing config counts them.
    #[must_use]
    pub fn versions(self) -> &'static [u32] {
        match self {
            Role::TransparencyLog => &[1, 2],
            _ => &[1],
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Role::CertificateAuthority => "certificate authorities",
            Role::OidcProvider => "OpenID providers",
            Role::TransparencyLog => "transparency logs",
            Role::TimestampAuthority => "timestamp authorities",
        })
    }
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its base address; for a timestamp authority the whole address. Judged by whoever connects.
    pub url: String,
    /// Which API it speaks.
    pub major_api_version: u32,
    /// When it is in service.
    pub valid_for: Period,
    /// Who runs it: two services of one operator are not two witnesses.
    #[serde(default)]
    pub operator: String,
}

impl Service {
    /// A service that a setting names, in service for ever.
    #[must_use]
    pub fn at(url: String, major_api_version: u32) -> Self {
        let valid_for = Period { start: Timestamp::UNIX_EPOCH, end: None };
        Service { operator: url.clone(), url, major_api_version, valid_for }
    }
}

/// A time from start to end, both included; without an end it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Period {
    /// The first instant.
    pub start: Timestamp,
    /// The last instant.
    #[serde(default)]
    pub end: Option<Timestamp>,
}

impl Period {
    /// Whether `time` lies in it.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && self.end.is_none_or(|end| time <= end)
    }
}

/// How many services of one type to use, each of another operator: all of them, and no other in the place of one that
/// fails.
///
/// The document leaves open which one ANY is, and which ones EXACT are. sigstore-go draws lots, sigstore-python takes
/// those that are listed first, and neither asks another one when the chosen one fails. Here, too, the first are taken:
/// the same document then asks the same services every time, an operator can say which one that is, and an error names
/// the service that failed and not the last of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// Every one.
    All,
    /// One, no matter which: that of the operator who is listed first.
    Any,
    /// So many: those of the operators who are listed first.
    Exact(usize),
}

/// Which services to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningConfig {
    /// Certificate authorities.
    pub authorities: Vec<Service>,
    /// OpenID providers.
    pub oidc_providers: Vec<Service>,
    /// Transparency logs.
    pub logs: Vec<Service>,
    /// How many logs to use.
    pub log_selector: Selector,
    /// Timestamp authorities.
    pub timestamp_authorities: Vec<Service>,
    /// How many timestamp authorities to use.
    pub timestamp_selector: Selector,
}

impl SigningConfig {
    /// Read the JSON document.
    ///
    /// # Errors
    /// [`SigningConfigError`] when it is not a signing config of version 0.2 within our bounds.
    pub fn from_json(json: &[u8]) -> Result<Self, SigningConfigError> {
        if json.len() > MAX_CONFIG_LEN {
            return Err(SigningConfigError::TooLarge);
        }
        // The type is read first, so that a document of a later version is named as such and not as malformed.
        let Typed { media_type } = serde_json::from_slice(json)?;
        if media_type != MEDIA_TYPE {
            return Err(SigningConfigError::MediaType(media_type.chars().take(100).collect()));
        }
        let document: Document = serde_json::from_slice(json)?;
        let lists = [&document.ca_urls, &document.oidc_urls, &document.rekor_tlog_urls, &document.tsa_urls];
        if lists.iter().any(|list| list.len() > MAX_SERVICES) {
            return Err(SigningConfigError::TooMany);
        }
        let (log, stamp) = (Role::TransparencyLog, Role::TimestampAuthority);
        Ok(SigningConfig {
            log_selector: selector(&document.rekor_tlog_config, &document.rekor_tlog_urls, log)?,
            timestamp_selector: selector(&document.tsa_config, &document.tsa_urls, stamp)?,
            authorities: document.ca_urls,
            oidc_providers: document.oidc_urls,
            logs: document.rekor_tlog_urls,
            timestamp_authorities: document.tsa_urls,
        })
    }

    /// The certificate authority to ask.
    ///
    /// # Errors
    /// [`SelectError`] when there is none.
    pub fn authority(&self, now: Timestamp) -> Result<&Service, SelectError> {
        newest(&self.authorities, Role::CertificateAuthority, now)
    }

    /// The OpenID provider to ask.
    ///
    /// # Errors
    /// [`SelectError`] when there is none.
    pub fn oidc_provider(&self, now: Timestamp) -> Result<&Service, SelectError> {
        newest(&self.oidc_providers, Role::OidcProvider, now)
    }

    /// The logs to write to, all of the same version; none when the document lists none and demands no number.
    ///
    /// # Errors
    /// [`SelectError`] when the demanded number cannot be had.
    pub fn logs(&self, now: Timestamp) -> Result<Vec<&Service>, SelectError> {
        several(&self.logs, self.log_selector, Role::TransparencyLog, now)
    }

    /// The timestamp authorities to ask; none when the document lists none and demands no number.
    ///
    /// # Errors
    /// [`SelectError`] when the demanded number cannot be had.
    pub fn timestamp_authorities(&self, now: Timestamp) -> Result<Vec<&Service>, SelectError> {
        several(&self.timestamp_authorities, self.timestamp_selector, Role::TimestampAuthority, now)
    }
}

/// The highest version we speak, in service now, the newest of these.
fn newest(services: &[Service], role: Role, now: Timestamp) -> Result<&Service, SelectError> {
    let mut found = usable(services, role, now)?;
    // A stable sort: of equal starts the one listed first wins.
    found.sort_by_key(|service| std::cmp::Reverse(service.valid_for.start));
    found.first().copied().ok_or(SelectError::None(role))
}

/// As many as the selector says, the newest of each operator, operators in the order of the document.
fn several(services: &[Service], selector: Selector, role: Role, now: Timestamp) -> Result<Vec<&Service>, SelectError> {
    if services.is_empty() {
        // An instance without stamps says `{}`, or ANY; a number that it cannot keep is a mistake that nobody should
        // notice only when verifying.
        return match selector {
            Selector::Exact(wanted) => Err(SelectError::TooFew { role, wanted, found: 0 }),
            Selector::All | Selector::Any => Ok(Vec::new()),
        };
    }
    let mut chosen: Vec<&Service> = Vec::new();
    for service in usable(services, role, now)? {
        match chosen.iter_mut().find(|other| other.operator == service.operator) {
            Some(other) if other.valid_for.start < service.valid_for.start => *other = service,
            Some(_) => {}
            None => chosen.push(service),
        }
    }
    let wanted = match selector {
        Selector::All => chosen.len(),
        Selector::Any => 1,
        Selector::Exact(count) => count,
    };
    if chosen.len() < wanted {
        return Err(SelectError::TooFew { role, wanted, found: chosen.len() });
    }
    chosen.truncate(wanted);
    Ok(chosen)
}

/// Those in service now that speak the highest version we speak.
fn usable(services: &[Service], role: Role, now: Timestamp) -> Result<Vec<&Service>, SelectError> {
    if services.is_empty() {
        return Err(SelectError::None(role));
    }
    let open: Vec<_> = services.iter().filter(|service| service.valid_for.contains(now)).collect();
    if open.is_empty() {
        return Err(SelectError::NotInService(role));
    }
    let spoken = role.versions();
    let best = open.iter().map(|service| service.major_api_version).filter(|version| spoken.contains(version)).max();
    let Some(best) = best else {
        let mut offered: Vec<_> = open.iter().map(|service| service.major_api_version).collect();
        offered.sort_unstable();
        offered.dedup();
        return Err(SelectError::Version { role, offered, spoken: spoken.to_vec() });
    };
    Ok(open.into_iter().filter(|service| service.major_api_version == best).collect())
}

fn selector(config: &SelectorConfig, services: &[Service], role: Role) -> Result<Selector, SigningConfigError> {
    match (config.selector.as_deref(), config.count) {
        (Some("ALL"), _) => Ok(Selector::All),
        (Some("ANY"), _) => Ok(Selector::Any),
        (Some("EXACT"), 1..) => Ok(Selector::Exact(config.count as usize)),
        // Without services there is nothing to choose: `{}` and nothing at all are common there.
        (None | Some("SERVICE_SELECTOR_UNDEFINED"), _) if services.is_empty() => Ok(Selector::Any),
        _ => Err(SigningConfigError::Selector(role)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Typed {
    media_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    ca_urls: Vec<Service>,
    #[serde(default)]
    oidc_urls: Vec<Service>,
    #[serde(default)]
    rekor_tlog_urls: Vec<Service>,
    #[serde(default)]
    rekor_tlog_config: SelectorConfig,
    #[serde(default)]
    tsa_urls: Vec<Service>,
    #[serde(default)]
    tsa_config: SelectorConfig,
}

#[derive(Deserialize, Default)]
struct SelectorConfig {
    selector: Option<String>,
    #[serde(default)]
    count: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn service(url: &str, version: u32, start: &str, operator: &str) -> Service {
        let valid_for = Period { start: time(start), end: None };
        Service { url: url.into(), major_api_version: version, valid_for, operator: operator.into() }
    }

    fn config(logs: Vec<Service>, log_selector: Selector) -> SigningConfig {
        SigningConfig {
            authorities: vec![],
            oidc_providers: vec![],
            logs,
            log_selector,
            timestamp_authorities: vec![],
            timestamp_selector: Selector::Any,
        }
    }

    fn urls(services: &[&Service]) -> Vec<String> {
        services.iter().map(|service| service.url.clone()).collect()
    }

    const NOW: &str = "2026-11-22T00:00:00Z";

    #[test]
    fn of_each_operator_the_newest_of_the_highest_version_is_chosen() {
        let future = service("future", 2, "2027-01-01T00:00:00Z", "a");
        let unknown = service("unknown", 3, "2026-01-01T00:00:00Z", "a");
        let logs = vec![
            service("old", 2, "2024-01-01T00:00:00Z", "a"),
            service("v1", 1, "2026-01-01T00:00:00Z", "c"),
            service("new", 2, "2025-01-01T00:00:00Z", "a"),
            service("b", 2, "2023-01-01T00:00:00Z", "b"),
            future,
            unknown,
        ];
        for (selector, want) in
            [(Selector::Any, vec!["new"]), (Selector::All, vec!["new", "b"]), (Selector::Exact(2), vec!["new", "b"])]
        {
            assert_eq!(urls(&config(logs.clone(), selector).logs(time(NOW)).unwrap()), want, "{selector:?}");
        }
        // That of the operator c speaks a lower version, and versions are not mixed.
        let error = config(logs, Selector::Exact(3)).logs(time(NOW)).unwrap_err();
        assert_eq!(error, SelectError::TooFew { role: Role::TransparencyLog, wanted: 3, found: 2 });
        let error = config(vec![], Selector::Exact(1)).logs(time(NOW)).unwrap_err();
        assert_eq!(error, SelectError::TooFew { role: Role::TransparencyLog, wanted: 1, found: 0 });
    }

    #[test]
    fn services_of_nobody_in_particular_are_one_operators() {
        let nobody = |url, start| service(url, 2, start, "");
        let logs = vec![nobody("old", "2024-01-01T00:00:00Z"), nobody("new", "2025-01-01T00:00:00Z")];
        assert_eq!(urls(&config(logs.clone(), Selector::All).logs(time(NOW)).unwrap()), ["new"]);
        assert!(config(logs, Selector::Exact(2)).logs(time(NOW)).is_err());
    }

    #[test]
    fn of_equal_services_the_one_listed_first_is_chosen() {
        let start = "2024-01-01T00:00:00Z";
        let logs = vec![service("first", 2, start, "a"), service("second", 2, start, "a")];
        assert_eq!(urls(&config(logs.clone(), Selector::All).logs(time(NOW)).unwrap()), ["first"]);
        let authorities = SigningConfig { authorities: logs, ..config(vec![], Selector::Any) };
        assert!(matches!(authorities.authority(time(NOW)), Err(SelectError::Version { .. })));
        let logs = ["first", "second"].map(|url| service(url, 1, start, "a")).to_vec();
        let authorities = SigningConfig { authorities: logs, ..config(vec![], Selector::Any) };
        assert_eq!(authorities.authority(time(NOW)).unwrap().url, "first");
    }

    #[test]
    fn why_there_is_none_is_said() {
        let logs = |service| config(vec![service], Selector::Any).logs(time(NOW)).unwrap_err();
        assert_eq!(
            logs(service("x", 1, "2027-01-01T00:00:00Z", "a")),
            SelectError::NotInService(Role::TransparencyLog)
        );
        let error = logs(service("x", 9, "2021-01-01T00:00:00Z", "a"));
        assert!(matches!(error, SelectError::Version { ref offered, .. } if offered == &[9]));
        let empty = config(vec![], Selector::Any);
        assert!(empty.logs(time(NOW)).unwrap().is_empty());
        assert_eq!(empty.authority(time(NOW)), Err(SelectError::None(Role::CertificateAuthority)));
    }

    #[test]
    fn both_ends_of_a_period_belong_to_it() {
        let period = Period { start: time(NOW), end: Some(time("2026-11-23T00:00:00Z")) };
        for (at, within) in [
            ("2026-11-21T23:59:59.999999999Z", false),
            (NOW, true),
            ("2026-11-23T00:00:00Z", true),
            ("2026-11-23T00:00:00.000000001Z", false),
        ] {
            assert_eq!(period.contains(time(at)), within, "{at}");
        }
    }

    #[test]
    fn what_is_no_signing_config_is_refused_for_its_reason() {
        let with =
            |fields: &str| SigningConfig::from_json(format!(r#"{{"mediaType":"{MEDIA_TYPE}"{fields}}}"#).as_bytes());
        assert!(with("").is_ok());
        let later = br#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.3+json","caUrls":7}"#;
        assert!(matches!(SigningConfig::from_json(later), Err(SigningConfigError::MediaType(_))));
        assert!(matches!(SigningConfig::from_json(b"{}"), Err(SigningConfigError::Malformed(_))));
        assert!(matches!(SigningConfig::from_json(&vec![b' '; MAX_CONFIG_LEN + 1]), Err(SigningConfigError::TooLarge)));

        let log =
            r#"{"url":"https://x","majorApiVersion":1,"validFor":{"start":"2021-01-01T00:00:00Z"},"operator":"o"}"#;
        let logs = |config: &str| with(&format!(r#","rekorTlogUrls":[{log}]{config}"#));
        assert_eq!(
            logs(r#","rekorTlogConfig":{"selector":"EXACT","count":2}"#).unwrap().log_selector,
            Selector::Exact(2)
        );
        for bad in [
            "",
            r#","rekorTlogConfig":{}"#,
            r#","rekorTlogConfig":{"selector":"EXACT"}"#,
            r#","rekorTlogConfig":{"selector":"SOME"}"#,
            r#","rekorTlogConfig":{"selector":"SERVICE_SELECTOR_UNDEFINED"}"#,
            r#","rekorTlogConfig":{"count":1}"#,
        ] {
            assert!(matches!(logs(bad), Err(SigningConfigError::Selector(Role::TransparencyLog))), "{bad}");
        }
        // Without services there is nothing to select.
        for good in [r#","tsaConfig":{}"#, r#","tsaUrls":[],"tsaConfig":{"selector":"SERVICE_SELECTOR_UNDEFINED"}"#] {
            assert!(with(good).unwrap().timestamp_authorities(time(NOW)).unwrap().is_empty(), "{good}");
        }
        let no_start = r#","caUrls":[{"url":"https://x","majorApiVersion":1,"validFor":{},"operator":"o"}]"#;
        assert!(matches!(with(no_start), Err(SigningConfigError::Malformed(_))));
        let many = format!(r#","caUrls":[{}]"#, vec![log; MAX_SERVICES + 1].join(","));
        assert!(matches!(with(&many), Err(SigningConfigError::TooMany)));
    }

    #[test]
    fn the_embedded_ones_choose_what_the_public_instances_publish() {
        let public = SigningConfig::from_json(super::super::embedded::PUBLIC.signing_config).unwrap();
        assert_eq!(public.authority(time(NOW)).unwrap().url, "https://fulcio.sigstore.dev");
        assert_eq!(urls(&public.logs(time(NOW)).unwrap()), ["https://rekor.sigstore.dev"]);
        let staging = SigningConfig::from_json(super::super::embedded::STAGING.signing_config).unwrap();
        assert_eq!(urls(&staging.logs(time(NOW)).unwrap()), ["https://log2025-alpha3.rekor.sigstage.dev"]);
        let stamps = staging.timestamp_authorities(time(NOW)).unwrap();
        assert_eq!(urls(&stamps), ["https://timestamp.sigstage.dev/api/v1/timestamp"]);
    }
}
