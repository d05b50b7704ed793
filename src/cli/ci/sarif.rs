//! SARIF 2.1.0 (OASIS): what code scanning shows.
//!
//! A result must point at a file; the commit is none, so it points at the line of the policy that decided, and names
//! the commit as a logical location.

use serde::Serialize;

use super::entry::{Entry, Outcome};
use crate::crypto::digest::hex;
use crate::crypto::sha256;
use crate::verify::{Reason, Verdict};

/// GitHub shows no more results of one file.
const RESULTS_MAX: usize = 5_000;
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A log file.
#[derive(Debug, Serialize)]
pub struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    information_uri: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Message,
    full_description: Message,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Message>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Debug, Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: Fingerprints,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
    logical_locations: [LogicalLocation; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Debug, Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
}

#[derive(Debug, Serialize)]
struct Fingerprints {
    #[serde(rename = "gitsealFinding/v1")]
    finding: String,
}

/// The log file of `outcome`.
#[must_use]
pub fn log(outcome: &Outcome) -> Log {
    let shown: Vec<(&Entry, Reason)> =
        outcome.refused().filter_map(|entry| Some((entry, entry.reason?))).take(RESULTS_MAX).collect();
    let used: Vec<Reason> =
        Reason::ALL.iter().copied().filter(|reason| shown.iter().any(|(_, own)| own == reason)).collect();
    let results = shown.iter().map(|(entry, reason)| result(entry, *reason, &used, outcome)).collect();
    let more = outcome.tally.refused() - shown.len();
    let notification = Notification {
        level: "warning",
        message: Message {
            text: format!("{more} more results are left out: no more than {RESULTS_MAX} would be shown"),
        },
    };
    Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "gitseal",
                    version: env!("CARGO_PKG_VERSION"),
                    information_uri: env!("CARGO_PKG_REPOSITORY"),
                    rules: used.iter().map(|reason| rule(*reason)).collect(),
                },
            },
            invocations: [Invocation {
                execution_successful: true,
                tool_execution_notifications: if more > 0 { vec![notification] } else { Vec::new() },
            }],
            column_kind: "unicodeCodePoints",
            results,
        }],
    }
}

/// What tells a finding from every other one, also in the next run.
#[must_use]
pub fn fingerprint(entry: &Entry) -> String {
    let reason = entry.reason.map_or("", Reason::code);
    hex(&sha256(format!("{}\n{reason}", entry.object).as_bytes()))
}

fn rule(reason: Reason) -> Rule {
    // GitHub wants both descriptions, and has no more to say than the one sentence.
    let sentence = || message(reason.sentence());
    Rule {
        id: reason.code(),
        short_description: sentence(),
        full_description: sentence(),
        help: reason.hint().map(message),
    }
}

fn result(entry: &Entry, reason: Reason, used: &[Reason], outcome: &Outcome) -> Finding {
    let mut text = format!("{}: {}: {}", entry.heading(), entry.verdict, entry.why());
    for line in &entry.advice {
        text.push('\n');
        text.push_str(line);
    }
    let at_ref = if outcome.reference.is_empty() { String::new() } else { format!("{}@", outcome.reference) };
    Finding {
        rule_id: reason.code(),
        rule_index: used.iter().position(|own| *own == reason).unwrap_or_default(),
        level: if entry.verdict == Verdict::Undecided { "warning" } else { "error" },
        message: message(&text),
        locations: [Location {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation { uri: uri(&outcome.policy_file) },
                region: Region { start_line: entry.rule.as_ref().map_or(1, |rule| rule.line) },
            },
            logical_locations: [LogicalLocation {
                name: entry.short().to_owned(),
                fully_qualified_name: format!("{at_ref}{}", entry.object),
            }],
        }],
        partial_fingerprints: Fingerprints { finding: fingerprint(entry) },
    }
}

/// Plain text in a message (3.11.5, 3.11.6): brackets would make a link, braces a placeholder.
fn message(text: &str) -> Message {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '[' | ']' => safe.extend(['\\', character]),
            '{' | '}' => safe.extend([character, character]),
            _ => safe.push(character),
        }
    }
    Message { text: safe }
}

/// A path as a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => uri.push(byte.into()),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{good, outcome, refused};
    use super::*;

    #[test]
    fn a_result_points_at_the_line_that_decided() {
        let json = serde_json::to_value(log(&outcome([good(1), refused(2, "no")]))).unwrap();
        let run = &json["runs"][0];
        assert_eq!(run["results"].as_array().unwrap().len(), 1);
        let result = &run["results"][0];
        assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], ".gitseal/policy.toml");
        assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 12);
        assert_eq!(
            result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"],
            "refs/heads/main@0000000000000000000000000000000000000002"
        );
        assert_eq!(run["tool"]["driver"]["rules"][0]["id"], result["ruleId"]);
        assert!(run["invocations"][0].get("toolExecutionNotifications").is_none());
    }

    #[test]
    fn no_text_makes_a_link() {
        assert_eq!(message("[a](b) {0} c\\").text, "\\[a\\](b) {{0}} c\\\\");
        assert_eq!(uri("/a b/ö.toml"), "file:///a%20b/%C3%B6.toml");
    }

    #[test]
    fn as_many_results_as_are_shown_and_it_says_so() {
        let json = serde_json::to_value(log(&outcome((0..5_003).map(|n| refused(n, "no"))))).unwrap();
        let run = &json["runs"][0];
        assert_eq!(run["results"].as_array().unwrap().len(), RESULTS_MAX);
        let said = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str().unwrap();
        assert!(said.starts_with("3 more results"), "{said}");
    }
}
