//! git configuration with the scope of each value (git-config(1), "SCOPES").
//!
//! The scope decides what a value may do: whoever can write a repository's own files must not decide whom its owner
//! believes. gix reads the files and `GIT_CONFIG_COUNT`; `GIT_CONFIG_PARAMETERS`, in which `git -c` hands its values
//! to us, is read here because gix does not.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gix::bstr::{BString, ByteSlice};
use gix::config::File;
use gix::config::file::{Metadata, SectionRef, includes, init};

use super::{RepoError, Repository};

/// The environment, as a question: it is the caller who reads the world.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Where a value was set, by falling generality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The machine: `/etc/gitconfig`.
    System,
    /// The user: `~/.gitconfig` and what it includes.
    Global,
    /// The repository's own files, work tree configuration included.
    Repository,
    /// `git -c` and the environment.
    Command,
}

impl Scope {
    /// The word for people; `git config` has an option of that name for all but the last.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::System => "system",
            Scope::Global => "global",
            Scope::Repository => "local",
            Scope::Command => "command",
        }
    }
}

/// What holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A file, perhaps one that another file includes.
    File(&'a Path),
    /// `git -c`, which hands its values down in `GIT_CONFIG_PARAMETERS`.
    CommandLine,
    /// `GIT_CONFIG_COUNT` and its companions.
    Environment,
}

/// One value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value<'a> {
    /// Where it was set.
    pub scope: Scope,
    /// What holds it.
    pub origin: Origin<'a>,
    /// The text; `None` for a key without `=`, which git takes for true.
    pub text: Option<Vec<u8>>,
}

/// A key that is set somewhere, whatever it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Where it is set.
    pub scope: Scope,
    /// The section, in lower case.
    pub section: String,
    /// The subsection, if there is one.
    pub subsection: Option<String>,
    /// The name, in lower case.
    pub name: String,
    /// The value that counts most in its place.
    pub value: Option<Vec<u8>>,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Key { section, subsection, name, .. } = self;
        match subsection {
            Some(subsection) => write!(f, "{section}.{subsection}.{name}"),
            None => write!(f, "{section}.{name}"),
        }
    }
}

/// The configuration in force, read once.
pub struct Config {
    file: File,
    parameters: Vec<Parameter>,
}

impl Config {
    /// The configuration of a repository if `repository` is one, else of the machine and the user; `environment` is
    /// asked for `HOME`, `GIT_CONFIG_PARAMETERS` and where git keeps its files.
    ///
    /// # Errors
    /// A file cannot be read or parsed, or `GIT_CONFIG_PARAMETERS` is malformed.
    pub fn read(repository: Option<&Repository>, environment: Environment<'_>) -> Result<Self, RepoError> {
        let parameters = environment("GIT_CONFIG_PARAMETERS").map(OsString::into_encoded_bytes);
        let parameters = parameters.as_deref().map_or(Some(Vec::new()), parse_parameters);
        Ok(Config {
            parameters: parameters.ok_or(RepoError::Parameters)?,
            file: match repository {
                Some(repository) => repository.inner.config_snapshot().plumbing().clone(),
                None => outside_repositories(environment)?,
            },
        })
    }

    /// All values of `section.name`, lowest precedence first. Neither name is case-sensitive.
    #[must_use]
    pub fn values(&self, section: &str, name: &str) -> Vec<Value<'_>> {
        self.values_under(section, None, name)
    }

    /// All values of `section.subsection.name`, lowest precedence first. The subsection alone is case-sensitive.
    #[must_use]
    pub fn values_under(&self, section: &str, subsection: Option<&str>, name: &str) -> Vec<Value<'_>> {
        let mut values = Vec::new();
        for (part, scope) in self.parts(section, subsection) {
            let origin = match &part.meta().path {
                Some(path) => Origin::File(path),
                None => Origin::Environment,
            };
            let mut texts: Vec<Option<BString>> = part.values(name).into_iter().map(Some).collect();
            if let (Some(last), Some(None)) = (texts.last_mut(), part.value_implicit(name)) {
                *last = None;
            }
            values.extend(texts.into_iter().map(|text| Value { scope, origin, text: text.map(Vec::from) }));
        }
        let key = match subsection {
            Some(subsection) => format!("{section}.{subsection}.{name}"),
            None => format!("{section}.{name}"),
        };
        let key = canonical_key(key.as_bytes());
        let (scope, origin) = (Scope::Command, Origin::CommandLine);
        let given = self.parameters.iter().filter(|parameter| parameter.key == key);
        values.extend(given.map(|parameter| Value { scope, origin, text: parameter.value.clone() }));
        values
    }

    /// The names that are set directly under `section`, in lower case.
    #[must_use]
    pub fn names(&self, section: &str) -> BTreeSet<String> {
        let parts = self.parts(section, None);
        let mut names: BTreeSet<String> = parts
            .flat_map(|(part, _)| part.value_names().map(|name| name.to_ascii_lowercase()).collect::<Vec<_>>())
            .collect();
        let given = self.parameters.iter().filter_map(|parameter| {
            let name = parameter.key.strip_prefix(section.as_bytes())?.strip_prefix(b".")?;
            (!name.contains(&b'.')).then(|| String::from_utf8_lossy(name).into_owned())
        });
        names.extend(given);
        names
    }

    /// Every key of `section`, under any subsection, that a file sets; each as often as a part of a file sets it.
    #[must_use]
    pub fn keys(&self, section: &str) -> Vec<Key> {
        let mut keys = Vec::new();
        for part in self.file.sections_by_name(section).into_iter().flatten() {
            let Some(scope) = scope_of(part.meta()) else { continue };
            let subsection = part.header().subsection_name().map(|name| name.to_str_lossy().into_owned());
            let names: BTreeSet<String> = part.value_names().map(|name| name.to_ascii_lowercase()).collect();
            for name in names {
                let value = part.value(&name).map(Vec::from);
                let section = section.to_ascii_lowercase();
                keys.push(Key { scope, section, subsection: subsection.clone(), name, value });
            }
        }
        keys
    }

    /// The parts of all files that count for a section, with their scopes.
    fn parts<'a>(&'a self, section: &str, subsection: Option<&str>) -> impl Iterator<Item = (SectionRef<'a>, Scope)> {
        self.file.sections_by_name(section).into_iter().flatten().filter_map(move |part| {
            let is_ours = part.header().subsection_name().map(|name| &**name) == subsection.map(str::as_bytes);
            let scope = scope_of(part.meta())?;
            is_ours.then_some((part, scope))
        })
    }
}

/// git's own rules for a boolean: `true`, `yes`, `on`, a number but zero, or a key without `=`.
#[must_use]
pub fn parse_boolean(text: Option<&[u8]>) -> Option<bool> {
    match text {
        None => Some(true),
        Some(text) => gix::config::Boolean::try_from(BString::from(text)).ok().map(|boolean| boolean.0),
    }
}

/// `None` for a part that does not count.
fn scope_of(meta: &Metadata) -> Option<Scope> {
    use gix::config::Source;
    // A file that belongs to somebody else is not configuration, git says (safe.directory).
    if meta.trust != gix::sec::Trust::Full {
        return None;
    }
    let scope = match meta.source {
        Source::GitInstallation | Source::System => Scope::System,
        Source::Git | Source::User => Scope::Global,
        Source::Local | Source::Worktree => Scope::Repository,
        Source::Env | Source::Cli | Source::Api => Scope::Command,
        // Values that gix itself derives from variables such as HTTP_PROXY.
        Source::EnvOverride => return None,
    };
    // With `HOME=` gix takes `.gitconfig` of the current directory, which is the repository's, for the user's own.
    let is_elsewhere = meta.path.as_ref().is_none_or(|path| path.is_absolute());
    (is_elsewhere || scope == Scope::Repository).then_some(scope)
}

/// The files that count where there is no repository. gix's own `from_globals` also asks `git` for the configuration
/// of its installation, which costs a process.
fn outside_repositories(environment: Environment<'_>) -> Result<File, RepoError> {
    use gix::config::Source;
    let malformed = |error: gix::Error| RepoError::Config(error.to_string());
    let files = [Source::System, Source::Git, Source::User].into_iter().filter_map(|source| {
        let path = source.storage_location(&mut |name| environment(name)).filter(|path| path.is_file())?;
        Some(Metadata::from(source).at(path).with(gix::sec::Trust::Full))
    });
    let home = environment("HOME").map(PathBuf::from);
    let options = init::Options {
        includes: includes::Options::follow_without_conditional(home.as_deref()),
        ..init::Options::default()
    };
    let mut file = File::from_paths_metadata(files, options).map_err(malformed)?.unwrap_or_default();
    file.append(File::from_environment_overrides().map_err(malformed)?).map_err(malformed)?;
    Ok(file)
}

/// One `key=value` of `git -c`; the section and the name are in lower case.
struct Parameter {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// Parse `'key'='value' 'key'= 'key=value' ...`: the list that `git -c` writes, in both of its spellings (git
/// config.c, `parse_config_env_list`).
fn parse_parameters(text: &[u8]) -> Option<Vec<Parameter>> {
    let mut parameters = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, after) = unquote(rest)?;
        let (key, value, after) = match after {
            [b'=', tail @ ..] => match tail {
                [b'\'', ..] => {
                    let (value, tail) = unquote(tail)?;
                    (key, Some(value), tail)
                }
                _ => (key, None, tail),
            },
            _ => match key.find_byte(b'=') {
                Some(at) => (key[..at].trim().to_vec(), Some(key[at + 1..].to_vec()), after),
                None => (key, None, after),
            },
        };
        parameters.push(Parameter { key: canonical_key(&key), value });
        if !after.is_empty() && !after[0].is_ascii_whitespace() {
            return None;
        }
        rest = after.trim_start();
    }
    Some(parameters)
}

/// One shell-quoted word at the head of `text`, and what follows it. The only escapes are `'\''` and `'\!'`.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"'")?;
    let mut word = Vec::new();
    loop {
        let end = rest.find_byte(b'\'')?;
        word.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
        match rest {
            [b'\\', escaped @ (b'\'' | b'!'), b'\'', tail @ ..] => {
                word.push(*escaped);
                rest = tail;
            }
            _ => return Some((word, rest)),
        }
    }
}

/// Section and name in lower case; a subsection between them keeps its case.
fn canonical_key(key: &[u8]) -> Vec<u8> {
    let mut canonical = key.to_vec();
    let section_end = key.find_byte(b'.').unwrap_or(key.len());
    let name_start = key.rfind_byte(b'.').unwrap_or(0);
    canonical[..section_end].make_ascii_lowercase();
    canonical[name_start..].make_ascii_lowercase();
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Vec<(String, Option<String>)>> {
        let string = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let parameters = parse_parameters(text.as_bytes())?;
        Some(parameters.into_iter().map(|p| (string(p.key), p.value.map(string))).collect())
    }

    fn pair(key: &str, value: Option<&str>) -> (String, Option<String>) {
        (key.to_owned(), value.map(str::to_owned))
    }

    #[test]
    fn both_spellings_of_git_minus_c_are_read() {
        assert_eq!(
            parsed(r"'gitseal.A'='it'\''s' 'x.Y.Z'= 'old.Style=b=c' 'old.bool' 'e.e'=''"),
            Some(vec![
                pair("gitseal.a", Some("it's")),
                pair("x.Y.z", None),
                pair("old.style", Some("b=c")),
                pair("old.bool", None),
                pair("e.e", Some("")),
            ])
        );
        assert_eq!(parsed(""), Some(vec![]));
    }

    #[test]
    fn lists_that_git_does_not_write_are_refused() {
        for bad in ["x", "'a", "'a''b'", "'a'='b", "'a'=b", "'a'='b'x"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn booleans_follow_git() {
        for yes in [None, Some("true"), Some("YES"), Some("on"), Some("1"), Some("-1"), Some("2k")] {
            assert_eq!(parse_boolean(yes.map(str::as_bytes)), Some(true), "{yes:?}");
        }
        for no in ["", "false", "No", "off", "0"] {
            assert_eq!(parse_boolean(Some(no.as_bytes())), Some(false), "{no}");
        }
        for neither in ["maybe", "truee", "1.0"] {
            assert_eq!(parse_boolean(Some(neither.as_bytes())), None, "{neither}");
        }
    }

    #[test]
    fn the_names_of_a_section_are_those_directly_under_it() {
        let file = File::try_from("[gitsign]\n\tAutoClose = x\n\tissuer\n[gitsign \"x\"]\n\ty = z\n").unwrap();
        let parameters = parse_parameters(b"'gitsign.logPath'='l' 'gitsign.a.b'='c' 'gitsigned.x'='y'").unwrap();
        let names = Config { file, parameters }.names("gitsign");
        assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), ["autoclose", "issuer", "logpath"]);
    }
}
