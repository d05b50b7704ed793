//! Refs that no push may touch, and names that a file system may take for another ref's.

use crate::policy::Denial;
use crate::policy::Policy;
use crate::policy::refs::RefPattern;
use crate::verify::Reason;

/// A ref that is refused whatever a policy says; `None` for every other.
///
/// Replace refs swap an object for another one under everybody who reads it with git, the server's own git first. What
/// gitseal itself writes under `refs/gitseal/` is evidence, but for approvals, which are signed and come by push.
#[must_use]
pub(super) fn reserved(reference: &str) -> Option<Denial> {
    // A file system that does not tell letters' case apart makes one ref of both.
    let folded = reference.to_lowercase();
    let is_under =
        |folder: &str| folded.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let found = if is_under("refs/replace") {
        "refs/replace/ would show everybody another object than the one that was signed"
    } else if is_under("refs/gitseal") && !reference.starts_with("refs/gitseal/approvals/") {
        "refs/gitseal/ is written by the server alone"
    } else {
        return None;
    };
    Some(Denial {
        reason: Reason::RefReserved,
        found: found.to_owned(),
        rule: None,
        who_may: Vec::new(),
        mend: "git push without this ref".to_owned(),
    })
}

/// A ref that no rule names, and whose name differs from what a rule names by the case of letters alone: where the file
/// system does not tell them apart, it is the protected ref.
#[must_use]
pub(super) fn case_twin(policy: &Policy, reference: &str) -> Option<Denial> {
    let folded = reference.to_lowercase();
    let fits = |pattern: &RefPattern| {
        RefPattern::parse(&pattern.as_str().to_lowercase()).is_ok_and(|pattern| pattern.matches(&folded))
    };
    let rule = policy.rules.iter().find(|rule| rule.refs.iter().any(fits))?;
    Some(Denial {
        reason: Reason::RefReserved,
        found: format!("this server does not tell letters' case apart, and {:?} is protected", rule.name),
        rule: Some(super::place(policy, rule)),
        who_may: Vec::new(),
        mend: "give the ref another name".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_swaps_objects_or_is_evidence_is_reserved() {
        for name in [
            "refs/replace/1111111111111111111111111111111111111111",
            "refs/replace",
            "refs/Replace/x",
            "refs/gitseal/push-certificates",
            "refs/gitseal/approvals",
            "refs/gitseal/Approvals/x",
            "refs/GITSEAL/approvals/x",
        ] {
            assert!(reserved(name).is_some(), "{name}");
        }
        for name in [
            "refs/heads/replace",
            "refs/replacement/x",
            "refs/gitseal/approvals/x",
            "refs/gitsealed",
            "refs/heads/refs/replace/x",
        ] {
            assert!(reserved(name).is_none(), "{name}");
        }
    }
}
