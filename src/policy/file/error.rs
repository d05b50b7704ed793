//! Why a policy file is refused: the line, and what stands there.

use crate::policy::refs::RefPatternError;

/// Why a policy file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct PolicyFileError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a line of a policy file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Longer than [`MAX_POLICY_LEN`](super::MAX_POLICY_LEN).
    #[error("the file is longer than 1 MiB")]
    TooLong,
    /// Not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// Not TOML, an unknown key, a key that is missing, or a value of the wrong kind: in the parser's words.
    #[error("{0}")]
    Toml(String),
    /// A later kind of file, or none.
    #[error("schema {0} is unknown: this gitseal reads schema 1")]
    Schema(u64),
    /// `version = 0`.
    #[error("the version must be at least 1")]
    VersionZero,
    /// More of something than there may be.
    #[error("there are more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// A list with nothing in it.
    #[error("the list is empty: leave it out, or name somebody")]
    EmptyList,
    /// The same text twice in a list.
    #[error("{0:?} stands here twice")]
    Twice(String),
    /// A name that is no name.
    #[error("{0:?} is no name: letters, digits and . _ - + @, at most 128 of them, and a letter or digit first")]
    Name(String),
    /// The word for everybody, where somebody must stand.
    #[error("anyone may stand in create, force and delete alone, and nobody can be called that")]
    Anyone,
    /// A group that is called like a principal.
    #[error("{0:?} is a principal, and so cannot be a group")]
    NameClash(String),
    /// A list names somebody who is not in the file.
    #[error("{0:?} is neither a principal nor, outside of groups, a group")]
    UnknownName(String),
    /// Something that one person answers for names nobody, or a group.
    #[error("{0:?} is no principal")]
    NoPrincipal(String),
    /// A text that is empty, too long, or more than one line.
    #[error("{0:?} must be one line of text without blanks around it, of at most 4096 bytes")]
    Text(String),
    /// Not a mail address.
    #[error("{0:?} is no mail address")]
    Email(String),
    /// A time without an offset, or one that does not exist.
    #[error("{0} is no point in time: write it as 2026-03-01T00:00:00Z")]
    Time(String),
    /// Not a full commit id.
    #[error("{0:?} is no full commit id: 40 or 64 lower case hexadecimal digits")]
    ShortId(String),
    /// Not an issuer.
    #[error("{0:?} is no issuer: the URL that its tokens and certificates carry")]
    Issuer(String),
    /// Not a claim.
    #[error("{0:?} is no claim of a Fulcio certificate: gitseal show lists those of a signature")]
    UnknownClaim(String),
    /// Neither a subject nor a claim: anybody with an account there.
    #[error("anybody with an account at {0:?} could meet this key: add a subject or claims")]
    KeyOfAnybody(String),
    /// Claims that a stranger's certificate can have too.
    #[error(
        "a stranger could meet these claims: add source_repository_identifier, source_repository_owner_identifier or token_subject"
    )]
    ClaimsOfAnybody,
    /// A CI platform's subject names a repository by its name, which others can take over.
    #[error(
        "this subject is a repository's name, which others can take over once it is free: add claims = {{ source_repository_identifier = \"...\" }}"
    )]
    SubjectOfName,
    /// Not an SSH public key.
    #[error("{0:?} is no SSH public key, as ssh-keygen writes it to a .pub file")]
    Ssh(String),
    /// Not an OpenPGP fingerprint.
    #[error("{0:?} is no OpenPGP fingerprint: 40 or 64 upper case hexadecimal digits")]
    Pgp(String),
    /// Not one certificate of an authority.
    #[error("the root is not one certificate of an authority in PEM: {0}")]
    X509(String),
    /// The same key twice; by whom it is held already.
    #[error("{0:?} has this key already: a key belongs to one principal, once")]
    KeyTwice(String),
    /// A pattern of refs.
    #[error(transparent)]
    RefPattern(#[from] RefPatternError),
    /// Two rules of one name.
    #[error("there is a rule called {0:?} already: give this one a name of its own")]
    RuleTwice(String),
    /// A word that is none of those that may stand there.
    #[error("{found:?} is not one of {known}")]
    Word {
        /// What stands there.
        found: String,
        /// What may.
        known: &'static str,
    },
    /// A number that makes no sense.
    #[error("{what} is a number from {from} to {to}")]
    Number {
        /// The key.
        what: &'static str,
        /// The least.
        from: u64,
        /// The most.
        to: u64,
    },
    /// A window that never opens.
    #[error("the rule ends before it begins")]
    WindowEmpty,
    /// A prefix that no path has.
    #[error("{0:?} is no path in a tree: no empty, . or .. segments, and no / first")]
    Prefix(String),
    /// Two prefixes that are one.
    #[error("the prefix {0:?} stands in this rule already, perhaps in other letters")]
    PrefixTwice(String),
}

/// Longer texts are cut in messages, in characters. The parser's longest list of known keys has 260.
const MAX_EXCERPT: usize = 300;

/// What is shown of a text that may be as long as the file.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(MAX_EXCERPT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
