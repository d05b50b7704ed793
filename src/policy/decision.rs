//! What a policy says of one commit, tag or ref update, with everything that a person needs to know about a no.

use crate::verify::Reason;

/// What a policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A right allows it.
    Allowed(Allowed),
    /// No rule names the ref: the policy claims nothing about it.
    NotProtected,
    /// The policy has an exception for this very commit.
    Excepted {
        /// Where in the file.
        rule: RuleRef,
        /// Why, in the words of the file.
        reason: String,
    },
    /// No.
    Denied(Denial),
}

/// Who was allowed what by which rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The principal who signed.
    pub principal: String,
    /// The rule.
    pub rule: RuleRef,
}

/// A place in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// The name of the rule, of the principal, or of what else stands there.
    pub name: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The policy's version.
    pub version: u64,
}

/// A no. The words are the same in a hook, in CI and in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Why, for machines.
    pub reason: Reason,
    /// What was found, for people: lower case, no full stop.
    pub found: String,
    /// Where the policy says so; `None` where there is no policy to say anything.
    pub rule: Option<RuleRef>,
    /// The principals who may do it; empty when nobody may.
    pub who_may: Vec<String>,
    /// The command that mends it, or what else to do.
    pub mend: String,
}
