//! A policy as the text of gitseal-policy(5): what `init`, `import` and `suggest` print.
//!
//! Lists come out in order and defaults not at all, so that the same policy has one text; comments of people are not
//! kept. Reading the text gives the policy back, but for its lines and its digest.

use std::fmt::Write as _;

use super::file::SCHEMA;
use super::rules::{CommitterRule, Exception, Judged, Policy, Principal, PrincipalKey, Right, Rule};

impl Policy {
    /// The text of the policy, with `notes` as comments at its head.
    #[must_use]
    pub fn to_toml(&self, notes: &[String]) -> String {
        let mut text = String::new();
        for note in notes {
            // A note may quote what other people wrote: nothing of it may leave its comment.
            let note: String = note.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
            let _ = writeln!(text, "# {note}");
        }
        let _ = writeln!(text, "schema = {SCHEMA}\nversion = {}", self.version);
        for principal in self.principals.values() {
            principal.write(&mut text);
        }
        if !self.groups.is_empty() {
            text.push_str("\n[groups]\n");
        }
        for (name, members) in &self.groups {
            let _ = writeln!(text, "{} = {}", key(name), list(members));
        }
        for rule in &self.rules {
            rule.write(&mut text);
        }
        for exception in &self.exceptions {
            exception.write(&mut text);
        }
        text
    }
}

impl Principal {
    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "\n[principals.{}]", key(&self.name));
        let of_kind = |kind: &str| self.keys.iter().filter(|key| key.kind() == kind).map(value).collect::<Vec<_>>();
        for kind in ["keyless", "ssh", "pgp", "x509"] {
            let keys = of_kind(kind);
            if !keys.is_empty() {
                let _ = writeln!(text, "{kind} = [{}]", keys.join(", "));
            }
        }
        if !self.emails.is_empty() {
            let _ = writeln!(text, "emails = {}", list(&self.emails));
        }
        if self.is_forge {
            text.push_str("forge = true\n");
        }
        for (name, time) in [("retired", self.retired), ("compromised", self.compromised)] {
            if let Some(time) = time {
                let _ = writeln!(text, "{name} = {time}");
            }
        }
    }
}

/// One key, as it stands in its list.
fn value(key: &PrincipalKey) -> String {
    match key {
        PrincipalKey::Keyless { issuer, subject, claims } => {
            let mut fields = vec![format!("issuer = {}", string(issuer))];
            fields.extend(subject.as_ref().map(|subject| format!("subject = {}", string(subject))));
            if !claims.is_empty() {
                let claims = claims.iter().map(|(claim, value)| format!("{} = {}", claim.name(), string(value)));
                fields.push(format!("claims = {{ {} }}", claims.collect::<Vec<_>>().join(", ")));
            }
            format!("{{ {} }}", fields.join(", "))
        }
        PrincipalKey::Ssh(key) => string(key),
        PrincipalKey::Pgp(fingerprint) => string(fingerprint),
        PrincipalKey::X509 { root, subject } => {
            format!("{{ root = {}, subject = {} }}", string(&root.to_pem()), string(subject))
        }
    }
}

impl Rule {
    fn write(&self, text: &mut String) {
        text.push_str("\n[[rules]]\n");
        if self.refs.first().is_none_or(|first| first.as_str() != self.name) {
            let _ = writeln!(text, "name = {}", string(&self.name));
        }
        // In the order of the file: the first pattern names the rule.
        let refs: Vec<String> = self.refs.iter().map(|pattern| string(pattern.as_str())).collect();
        let _ = writeln!(text, "refs = [{}]", refs.join(", "));
        if self.judged != Judged::default() {
            let _ = writeln!(text, "judged = {}", string(self.judged.name()));
        }
        for right in Right::ALL {
            if let Some(names) = self.rights.get(&right) {
                let _ = writeln!(text, "{} = {}", right.name(), list(names));
            }
        }
        if self.committer != CommitterRule::default() {
            let _ = writeln!(text, "committer = {}", string(self.committer.name()));
        }
        if !self.require.is_empty() {
            let _ = writeln!(text, "require = {}", list(self.require.iter().map(|evidence| evidence.name())));
        }
        if self.covered_by_push {
            text.push_str("covered-by-push = true\n");
        }
        if self.approvals != 1 {
            let _ = writeln!(text, "approvals = {}", self.approvals);
        }
        if let Some(since) = &self.since {
            let _ = writeln!(text, "since = {}", string(since));
        }
        for (name, time) in [("from", self.from), ("until", self.until)] {
            if let Some(time) = time {
                let _ = writeln!(text, "{name} = {time}");
            }
        }
        if let Some(minutes) = self.clock_tolerance {
            let _ = writeln!(text, "clock-tolerance = {minutes}");
        }
        for path in &self.paths {
            let _ =
                writeln!(text, "[[rules.paths]]\nprefix = {}\ncommit = {}", string(&path.prefix), list(&path.commit));
        }
    }
}

impl Exception {
    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "\n[[exceptions]]\ncommit = {}", string(&self.commit));
        let _ = writeln!(text, "reason = {}\nby = {}", string(&self.reason), string(&self.by));
        if let Some(expires) = self.expires {
            let _ = writeln!(text, "expires = {expires}");
        }
    }
}

/// A name as a key of a table: bare where TOML allows it.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { string(name) }
}

fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| string(name.as_ref())).collect();
    format!("[{}]", names.join(", "))
}

/// A basic string (TOML 1.1, "String"); of several lines where the text has several, as PEM has.
fn string(text: &str) -> String {
    let lines = text.contains('\n');
    // The newline right after the opening quotes does not count.
    let mut quoted = String::from(if lines { "\"\"\"\n" } else { "\"" });
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push('\n'),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + if lines { "\"\"\"" } else { "\"" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::file::test_only_whole_file;

    /// Lines and digest are the text's, not the policy's.
    fn without_text(mut policy: Policy) -> Policy {
        policy.digest = [0; 32];
        policy.principals.values_mut().for_each(|principal| principal.line = 0);
        policy.exceptions.iter_mut().for_each(|exception| exception.line = 0);
        for rule in &mut policy.rules {
            rule.line = 0;
            rule.paths.iter_mut().for_each(|path| path.line = 0);
        }
        policy
    }

    #[test]
    fn what_is_written_is_read_as_the_same_policy() {
        let policy = Policy::parse(test_only_whole_file().as_bytes()).unwrap();
        let text = policy.to_toml(&["two\nlines".to_owned()]);
        assert!(text.starts_with("# two\u{fffd}lines\nschema = 1\n"));
        let again = Policy::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(again.to_toml(&[]), policy.to_toml(&[]));
        assert_eq!(without_text(again), without_text(policy));
    }

    #[test]
    fn texts_stay_within_their_quotes() {
        for text in
            ["", "a\"b\\c", "line\nline\n", "\"\"\"", "\u{1}\u{7f}\u{85}\t", "\n", "\"\"\"\n\\", "jörg 日本", "\r\n"]
        {
            let table: toml::Table = format!("a = {}\nb = 1", string(text)).parse().unwrap();
            assert_eq!(table["a"].as_str(), Some(text), "{text:?}");
        }
    }
}
