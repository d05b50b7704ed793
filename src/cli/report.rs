//! A finding, said three ways: status lines for git, a story for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::status::{self, StatusLines, Trust};
use super::streams::Streams;
use crate::audit::{Clock, Finding, SignedAt};
use crate::crypto::digest::hex;
use crate::format::x509::Certificate;
use crate::policy::{Allowed, Decision, Expectation, RuleRef};
use crate::verify::{Reason, Verdict};

/// The name and version of [`Report`].
pub const SCHEMA: &str = "gitseal-finding/1";

/// The status lines that tell `finding` to git.
#[must_use]
pub fn status_lines(finding: &Finding) -> StatusLines {
    let signer = signer(finding);
    match (finding.verdict(), &signer) {
        (Verdict::Good, Some(signer)) => StatusLines::good(signer, trust(finding)),
        (Verdict::Undecided | Verdict::Good, signer) => StatusLines::undecided(signer.as_ref()),
        (Verdict::Bad | Verdict::Unsigned, signer) => StatusLines::bad(signer.as_ref()),
    }
}

fn trust(finding: &Finding) -> Trust {
    match (&finding.decision, finding.expectation) {
        (Some(Decision::Allowed(_)), _) | (None, Expectation::Met) => Trust::Fully,
        (None, Expectation::NotConfigured | Expectation::Missed) | (Some(_), _) => Trust::Undefined,
    }
}

fn signer(finding: &Finding) -> Option<status::Signer> {
    let signer = finding.signer.as_ref()?;
    Some(status::Signer::of(&signer.certificate, &signer.identity.subject, finding.signed_at.map(|at| at.time)))
}

/// Tell a finding about a detached signature to people, on git's captured stderr: `git log --show-signature` shows it.
pub fn story(finding: &Finding, streams: &mut Streams) {
    match finding.verdict() {
        Verdict::Good => {
            for line in good_story(finding) {
                streams.note(&line);
            }
        }
        _ => {
            let Some(refusal) = &finding.refusal else { return };
            streams.error(&format!("{} signature: {} ({})", finding.verdict(), refusal.detail, refusal.reason.code()));
            for line in denial(finding) {
                streams.note(&line);
            }
        }
    }
    hints(finding, streams);
}

/// How to say whom to expect.
const EXPECT_HINT: &str = "git config --global --add gitseal.certificateIdentity NAME, and likewise \
                               gitseal.certificateOidcIssuer URL; see gitseal-config(5)";

/// What to do about a finding that is not good, or good of nobody in particular.
pub fn hints(finding: &Finding, streams: &mut Streams) {
    if let Some(hint) = finding.reason().and_then(Reason::hint) {
        streams.hint(hint);
    } else if finding.decision.is_none()
        && finding.verdict() == Verdict::Good
        && finding.expectation == Expectation::NotConfigured
    {
        streams.warning("nobody has said who should have signed this, so anybody could have");
        streams.hint(EXPECT_HINT);
    }
}

fn good_story(finding: &Finding) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(signer) = &finding.signer {
        lines.push(format!("Good signature by {}", signer.identity.subject));
        lines.push(format!("  vouched for by {}", signer.identity.issuer));
    }
    if let Some(at) = finding.signed_at {
        lines.push(format!("  made at {}", moment(at)));
    }
    for logged in &finding.logged {
        lines.push(format!("  logged as entry {} of {}", logged.log_index, logged.log_url));
    }
    match &finding.decision {
        Some(Decision::Allowed(Allowed { principal, rule })) => {
            lines.push(format!("  allowed as {principal} by rule {}, policy version {}", rule.name, rule.version));
        }
        Some(Decision::NotProtected) => lines.push("  no rule of the policy is about it".to_owned()),
        _ => {}
    }
    if !finding.has_sct && !finding.logged.is_empty() {
        lines.push("  its certificate brings no proof of having been logged (insecureIgnoreSct)".to_owned());
    }
    lines
}

/// A point in time, and whose clock says so.
#[must_use]
pub fn moment(at: SignedAt) -> String {
    let clock = match at.clock {
        Clock::Log => "by the log's clock",
        Clock::Stamp => "by a timestamp authority's clock",
        Clock::Signer => "by the signer's own clock, which proves nothing",
    };
    format!("{}, {clock}", at.time)
}

/// One line for one object.
#[must_use]
pub fn summary(finding: &Finding, revision: &str) -> String {
    let object = finding.object.as_deref().unwrap_or(revision);
    let mut line = format!("{} {object}", finding.verdict());
    match (&finding.refusal, &finding.signer) {
        (Some(refusal), _) => {
            let _ = write!(line, " {} ({})", refusal.detail, refusal.reason.code());
        }
        (None, Some(signer)) => {
            let _ = write!(line, " {} ({})", signer.identity.subject, signer.identity.issuer);
        }
        (None, None) => {}
    }
    line
}

/// What a policy's no means for people, one thing a line: the rule, who may, what mends it. Nothing for a yes.
#[must_use]
pub fn denial(finding: &Finding) -> Vec<String> {
    let Some(Decision::Denied(denial)) = &finding.decision else { return Vec::new() };
    let mut lines = Vec::new();
    if let Some(RuleRef { name, line, version }) = &denial.rule {
        lines.push(format!("  rule: {name}, line {line} of the policy, version {version}"));
    }
    let who = if denial.who_may.is_empty() { "nobody".to_owned() } else { denial.who_may.join(", ") };
    lines.push(format!("  who may: {who}"));
    if !denial.mend.is_empty() {
        lines.push(format!("  mend: {}", denial.mend));
    }
    lines
}

/// Everything that is known, one thing a line.
#[must_use]
pub fn details(finding: &Finding, revision: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |label: &str, text: String| lines.push(format!("{label:<12}{text}"));
    let kind = finding.kind.map(|kind| format!("{kind} ")).unwrap_or_default();
    line("object", format!("{kind}{}", finding.object.as_deref().unwrap_or(revision)));
    line("verdict", finding.verdict().to_string());
    if let Some(refusal) = &finding.refusal {
        line("reason", format!("{} ({})", refusal.detail, refusal.reason.code()));
    }
    if let Some(signer) = &finding.signer {
        line("signer", signer.identity.subject.clone());
        line("issuer", signer.identity.issuer.clone());
        let expected = match finding.expectation {
            Expectation::Met => "yes",
            Expectation::Missed => "no",
            Expectation::NotConfigured => "nobody has said whom to expect",
        };
        line("expected", expected.to_owned());
    }
    if let Some(at) = finding.signed_at {
        line("made at", moment(at));
    }
    for logged in &finding.logged {
        line("logged", format!("entry {} of {}{}", logged.log_index, logged.log_url, run_by(&logged.operator)));
        line("log id", hex(&logged.log_id));
    }
    for stamp in &finding.stamps {
        line("stamped", format!("{} by {}{}", stamp.time, stamp.authority, run_by(&stamp.operator)));
    }
    if let Some(signer) = &finding.signer {
        let certificate = &signer.certificate;
        line("certificate", format!("serial {}", hex(certificate.serial())));
        line("", format!("valid from {} to {}", certificate.not_before(), certificate.not_after()));
        for (claim, value) in certificate.claims().iter() {
            line("", format!("{} {value}", claim.name()));
        }
    }
    let checks = Checks::of(finding);
    let name = |passed: bool, name: &'static str| passed.then_some(name);
    let passed = [
        name(checks.signature, "signature and content"),
        name(checks.log, "log entry"),
        name(checks.timestamps > 0, "time stamp"),
        name(checks.certificate_log, "certificate log"),
        name(checks.identity == Some(true), "identity"),
    ];
    let passed: Vec<&str> = passed.into_iter().flatten().collect();
    if !passed.is_empty() {
        line("checked", passed.join(", "));
    }
    lines
}

/// The trusted root names operators where there are several to be told apart.
fn run_by(operator: &str) -> String {
    if operator.is_empty() { String::new() } else { format!(", run by {operator}") }
}

/// A finding as JSON. Fields may be added; a change of meaning changes [`SCHEMA`].
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    schema: &'static str,
    /// What was asked for, as it was asked for.
    revision: Option<&'a str>,
    object: Option<&'a str>,
    kind: Option<String>,
    verdict: String,
    reason: Option<&'static str>,
    detail: Option<&'a str>,
    identity: Option<&'a str>,
    issuer: Option<&'a str>,
    trust: &'static str,
    signed_at: Option<String>,
    clock: Option<&'static str>,
    log_index: Option<u64>,
    log_id: Option<String>,
    log_url: Option<&'a str>,
    log_entries: Vec<LogEntryReport<'a>>,
    timestamps: Vec<StampReport<'a>>,
    certificate: Option<CertificateReport<'a>>,
    title: Option<&'a str>,
    policy: Option<PolicyReport<'a>>,
    checks: Checks,
}

/// What the policy says: the words of [`denial`] for programs.
#[derive(Debug, Serialize)]
struct PolicyReport<'a> {
    decision: &'static str,
    principal: Option<&'a str>,
    rule: Option<&'a str>,
    line: Option<usize>,
    version: Option<u64>,
    who_may: &'a [String],
    mend: Option<&'a str>,
}

impl<'a> PolicyReport<'a> {
    fn of(decision: &'a Decision) -> Self {
        let (word, principal, rule, who_may, mend): (_, _, _, &[String], _) = match decision {
            Decision::Allowed(Allowed { principal, rule }) => ("allowed", Some(principal), Some(rule), &[], None),
            Decision::NotProtected => ("not-protected", None, None, &[], None),
            Decision::Excepted { rule, .. } => ("excepted", None, Some(rule), &[], None),
            Decision::Denied(no) => ("denied", None, no.rule.as_ref(), &no.who_may, Some(no.mend.as_str())),
        };
        PolicyReport {
            decision: word,
            principal: principal.map(String::as_str),
            rule: rule.map(|rule| rule.name.as_str()),
            line: rule.map(|rule| rule.line),
            version: rule.map(|rule| rule.version),
            who_may,
            mend,
        }
    }
}

#[derive(Debug, Serialize)]
struct LogEntryReport<'a> {
    log_index: u64,
    log_id: String,
    log_url: &'a str,
    operator: &'a str,
}

#[derive(Debug, Serialize)]
struct StampReport<'a> {
    time: String,
    authority: &'a str,
    operator: &'a str,
}

#[derive(Debug, Serialize)]
struct CertificateReport<'a> {
    fingerprint_sha1: String,
    serial: String,
    not_before: String,
    not_after: String,
    claims: BTreeMap<&'static str, &'a str>,
}

impl<'a> CertificateReport<'a> {
    fn of(certificate: &'a Certificate) -> Self {
        CertificateReport {
            fingerprint_sha1: certificate.fingerprint_sha1(),
            serial: hex(certificate.serial()),
            not_before: certificate.not_before().to_string(),
            not_after: certificate.not_after().to_string(),
            claims: certificate.claims().iter().map(|(claim, value)| (claim.name(), value)).collect(),
        }
    }
}

/// What has been proven, whatever the verdict.
#[derive(Debug, Serialize)]
struct Checks {
    /// The certificate's key made this signature over this content, and its chain holds.
    signature: bool,
    log: bool,
    timestamps: usize,
    certificate_log: bool,
    identity: Option<bool>,
}

impl Checks {
    fn of(finding: &Finding) -> Self {
        Checks {
            signature: finding.signer.is_some(),
            log: !finding.logged.is_empty(),
            timestamps: finding.stamps.len(),
            certificate_log: finding.has_sct,
            identity: match finding.expectation {
                Expectation::Met => Some(true),
                Expectation::Missed => Some(false),
                Expectation::NotConfigured => None,
            },
        }
    }
}

impl<'a> Report<'a> {
    /// The report of a finding about what `revision` named.
    #[must_use]
    pub fn new(finding: &'a Finding, revision: Option<&'a str>) -> Self {
        let signer = finding.signer.as_ref();
        Report {
            schema: SCHEMA,
            revision,
            object: finding.object.as_deref(),
            kind: finding.kind.map(|kind| kind.to_string()),
            verdict: finding.verdict().to_string(),
            reason: finding.reason().map(Reason::code),
            detail: finding.refusal.as_ref().map(|refusal| refusal.detail.as_str()),
            identity: signer.map(|signer| signer.identity.subject.as_str()),
            issuer: signer.map(|signer| signer.identity.issuer.as_str()),
            trust: match finding.expectation {
                Expectation::Met => "expected",
                Expectation::Missed => "unexpected",
                Expectation::NotConfigured => "undefined",
            },
            signed_at: finding.signed_at.map(|at| at.time.to_string()),
            clock: finding.signed_at.map(|at| at.clock.name()),
            log_index: finding.logged.first().map(|logged| logged.log_index),
            log_id: finding.logged.first().map(|logged| hex(&logged.log_id)),
            log_url: finding.logged.first().map(|logged| logged.log_url.as_str()),
            log_entries: finding
                .logged
                .iter()
                .map(|logged| LogEntryReport {
                    log_index: logged.log_index,
                    log_id: hex(&logged.log_id),
                    log_url: &logged.log_url,
                    operator: &logged.operator,
                })
                .collect(),
            timestamps: finding
                .stamps
                .iter()
                .map(|stamp| StampReport {
                    time: stamp.time.to_string(),
                    authority: &stamp.authority,
                    operator: &stamp.operator,
                })
                .collect(),
            certificate: signer.map(|signer| CertificateReport::of(&signer.certificate)),
            title: finding.title.as_deref(),
            policy: finding.decision.as_ref().map(PolicyReport::of),
            checks: Checks::of(finding),
        }
    }
}
