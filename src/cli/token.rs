//! Where the token to sign with comes from: a file, the environment, the platform that we run on, or a person.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use jiff::Timestamp;

use super::error::CliError;
use super::input;
use super::login::Way;
use super::settings::TokenSources;
use crate::net::Client;
use crate::service::ambient::{Platform, Surroundings};
use crate::service::{IdToken, wait};

/// Where workloads find a token that their platform puts there, as cosign and gitsign know it.
const AMBIENT_TOKEN_FILE: &str = "/var/run/sigstore/cosign/oidc-token";
/// The variable that tells programs that they run in Google's cloud, where it is no guess.
const METADATA_HOST: &str = "GCE_METADATA_HOST";
/// What the firmware calls this machine.
const PRODUCT_NAME_FILE: &str = "/sys/class/dmi/id/product_name";
/// Longest name of a machine; the file has a line.
const MAX_PRODUCT_NAME_LEN: u64 = 4096;
/// The names of providers that are no platforms.
const OTHER_NAMES: [&str; 4] = ["interactive", "device", "envvar", "filesystem"];

/// Where the token to sign with is.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenPlace<'a> {
    /// In the environment: this is it.
    Environment(&'a str),
    /// In this file.
    File(&'a Path),
    /// The platform gives it when it is asked.
    Platform(Platform),
    /// Nowhere yet: a person must log in.
    Person(Option<Way>),
}

impl TokenPlace<'_> {
    /// The token, where one only has to be read.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(&self) -> Result<Option<IdToken>, CliError> {
        Ok(match self {
            TokenPlace::Environment(text) => Some(IdToken::parse(text)?),
            TokenPlace::File(path) => Some(IdToken::parse(&input::text(path, "the identity token")?)?),
            TokenPlace::Platform(_) | TokenPlace::Person(_) => None,
        })
    }

    /// Whether a machine's platform says who signs, be it in a variable: then nobody is there to be asked anything.
    #[must_use]
    pub fn is_a_machines(&self, sources: &TokenSources, around: Surroundings<'_>) -> bool {
        match self {
            // A machine in Google's cloud may have no account, and a person at it.
            TokenPlace::Platform(Platform::GoogleWorkloadIdentity) => {
                sources.provider.is_some() || (around.variable)(METADATA_HOST).is_some()
            }
            TokenPlace::Platform(_) => true,
            TokenPlace::Environment(text) => Platform::ALL.into_iter().any(|platform| platform.gave(text, around)),
            TokenPlace::File(_) | TokenPlace::Person(_) => false,
        }
    }
}

/// What says who signs.
#[derive(Debug)]
pub enum Source {
    /// A token.
    Given(IdToken),
    /// A person, who must log in; in this way, if the settings say one.
    Person(Option<Way>),
}

/// This process's surroundings; each thing is read when a platform asks for it.
#[must_use]
pub fn surroundings() -> Surroundings<'static> {
    Surroundings { variable: &variable, product_name: &product_name, trusted_socket: &is_trusted_socket }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn product_name() -> Option<String> {
    let name = input::file(Path::new(PRODUCT_NAME_FILE), "the name of this machine", MAX_PRODUCT_NAME_LEN).ok()?;
    String::from_utf8(name).ok()
}

/// Whether a socket is there, and it and every folder that it lies in are root's or ours.
fn is_trusted_socket(path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let is_socket = path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket());
    let is_trusted =
        |path: &Path| path.symlink_metadata().is_ok_and(|metadata| metadata.uid() == 0 || metadata.uid() == own);
    is_socket && path.ancestors().all(is_trusted)
}

/// Where the token to sign with is, with no network. A file that is named counts most, for it can be kept fresh while a
/// shell lives on; then comes a variable; then the platforms. One that we plainly run on and that gives no token is an
/// error and not passed over: what comes next would sign as somebody else than the job's author believes.
///
/// # Errors
/// The settings name a provider that there is not.
pub fn place<'a>(sources: &'a TokenSources, around: Surroundings<'_>) -> Result<TokenPlace<'a>, CliError> {
    let TokenSources { token, file, provider } = sources;
    Ok(match (provider.as_deref(), file, token) {
        // gitsign's `envvar` names the one source that gitsign knows; the file is gitseal's own, and was named too.
        (None | Some("envvar"), Some(file), _) => TokenPlace::File(file),
        (None | Some("envvar"), None, Some(token)) => TokenPlace::Environment(token),
        (Some("envvar"), None, None) => return Err(CliError::NoToken),
        (None, None, None) => unnamed(around),
        (Some("filesystem"), file, _) => TokenPlace::File(file.as_deref().unwrap_or(Path::new(AMBIENT_TOKEN_FILE))),
        (Some("interactive"), ..) => TokenPlace::Person(Some(Way::Browser)),
        (Some("device"), ..) => TokenPlace::Person(Some(Way::Device)),
        (Some(name), ..) => TokenPlace::Platform(Platform::named(name).ok_or_else(|| unknown(name))?),
    })
}

fn unnamed(around: Surroundings<'_>) -> TokenPlace<'static> {
    let mut here = Platform::ALL.into_iter().filter(|platform| platform.is_here(around));
    let first = here.next();
    match first {
        // A job's own platform before the file: that is the machine's.
        Some(platform) if platform.is_ci() => TokenPlace::Platform(platform),
        _ if Path::new(AMBIENT_TOKEN_FILE).exists() => TokenPlace::File(Path::new(AMBIENT_TOKEN_FILE)),
        Some(platform) => TokenPlace::Platform(platform),
        None => TokenPlace::Person(None),
    }
}

/// The names of all providers.
pub(super) fn provider_names() -> impl Iterator<Item = &'static str> {
    OTHER_NAMES.into_iter().chain(Platform::ALL.map(Platform::name))
}

fn unknown(name: &str) -> CliError {
    let names: Vec<&str> = provider_names().collect();
    CliError::Usage {
        problem: format!("the token provider '{name}' is not one of {}", names.join(", ")),
        hint: "unset gitseal.tokenProvider (or gitsign.tokenProvider), and see gitseal-config(5)".into(),
    }
}

/// Find what says who signs. `audience` is asked for when it is needed: to know it may mean to read an instance.
///
/// # Errors
/// A token cannot be read or fetched, or is of no use.
pub fn find(
    sources: &TokenSources,
    around: Surroundings<'_>,
    client: &Client,
    audience: impl Fn() -> String,
    now: Timestamp,
) -> Result<Source, CliError> {
    let platform = match place(sources, around)? {
        TokenPlace::Platform(platform) => platform,
        TokenPlace::Person(way) => return Ok(Source::Person(way)),
        given => return given.read()?.map(Source::Given).ok_or(CliError::NoToken),
    };
    let request = platform.prepare(around, &audience())?;
    let fetched = wait(async {
        // A machine in Google's cloud may have no account, and a person at it; whoever names it wants its account.
        if sources.provider.is_none() && !request.is_answered(client).await {
            return None;
        }
        Some(request.fetch(client, now).await)
    });
    match fetched.map_err(|error| CliError::io("wait for the token", error))? {
        Some(token) => Ok(Source::Given(token?)),
        None => find(sources, Surroundings { product_name: &|| None, ..around }, client, audience, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Surroundings in which these variables are set, and nothing else is there.
    fn placed(sources: &TokenSources, variables: &[(&str, &str)]) -> Result<TokenPlace<'static>, CliError> {
        let variable =
            |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        let around = Surroundings { variable: &variable, product_name: &|| None, trusted_socket: &|_| false };
        Ok(match place(sources, around)? {
            TokenPlace::Environment(_) => TokenPlace::Environment("given"),
            TokenPlace::File(_) => TokenPlace::File(Path::new("given")),
            TokenPlace::Platform(platform) => TokenPlace::Platform(platform),
            TokenPlace::Person(way) => TokenPlace::Person(way),
        })
    }

    fn provider(name: &str) -> TokenSources {
        TokenSources { provider: Some(name.into()), ..TokenSources::default() }
    }

    const GITHUB: (&str, &str) = ("GITHUB_ACTIONS", "true");
    const GOOGLE: (&str, &str) = ("GCE_METADATA_HOST", "127.0.0.1:1");

    #[test]
    fn what_was_given_counts_before_a_platform_and_a_platform_before_a_person() {
        let token = TokenSources { token: Some("x".into()), ..TokenSources::default() };
        let both = TokenSources { file: Some("f".into()), ..token.clone() };
        let none = TokenSources::default();
        assert!(placed(&both, &[GITHUB]).unwrap() == TokenPlace::File(Path::new("given")));
        assert!(placed(&token, &[GITHUB]).unwrap() == TokenPlace::Environment("given"));
        assert!(placed(&none, &[GITHUB]).unwrap() == TokenPlace::Platform(Platform::GithubActions));
        let order = [
            ("SPIFFE_ENDPOINT_SOCKET", "/x", Platform::Spiffe),
            ("GCE_METADATA_HOST", "127.0.0.1", Platform::GoogleWorkloadIdentity),
            ("GOOGLE_SERVICE_ACCOUNT_NAME", "x", Platform::GoogleImpersonate),
            ("CIRCLECI", "true", Platform::CircleCi),
            ("BUILDKITE", "true", Platform::Buildkite),
            ("GITLAB_CI", "true", Platform::Gitlab),
            ("GITHUB_ACTIONS", "true", Platform::GithubActions),
        ];
        let mut variables = Vec::new();
        for (name, value, platform) in order {
            variables.push((name, value));
            let has_file = Path::new(AMBIENT_TOKEN_FILE).exists() && !platform.is_ci();
            assert!(has_file || placed(&none, &variables).unwrap() == TokenPlace::Platform(platform), "{platform}");
        }
    }

    #[test]
    fn a_provider_that_is_named_is_the_only_one() {
        for platform in Platform::ALL {
            let place = placed(&provider(platform.name()), &[GITHUB, GOOGLE]).unwrap();
            assert!(place == TokenPlace::Platform(platform), "{platform}");
        }
        let spelling = placed(&provider("google-impersonation"), &[]).unwrap();
        assert!(spelling == TokenPlace::Platform(Platform::GoogleImpersonate));
        assert!(placed(&provider("device"), &[GITHUB]).unwrap() == TokenPlace::Person(Some(Way::Device)));
        assert!(placed(&provider("interactive"), &[GITHUB]).unwrap() == TokenPlace::Person(Some(Way::Browser)));
        assert!(placed(&provider("filesystem"), &[GITHUB]).unwrap() == TokenPlace::File(Path::new("given")));
        assert!(matches!(placed(&provider("envvar"), &[GITHUB]), Err(CliError::NoToken)));
        let error = placed(&provider("githab"), &[GITHUB]).err().unwrap().to_string();
        assert!(error.contains("envvar") && error.contains("github-actions"), "{error}");
    }

    #[test]
    fn a_socket_counts_when_nobody_else_could_have_made_it() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("api.sock");
        assert!(!is_trusted_socket(&socket));
        std::fs::write(&socket, "").unwrap();
        assert!(!is_trusted_socket(&socket), "a file is none");
        std::fs::remove_file(&socket).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(is_trusted_socket(&socket));
        // Only root can give a folder away to see that it no longer counts.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(12345), None).unwrap();
            assert!(!is_trusted_socket(&socket));
            std::os::unix::fs::chown(folder.path(), Some(0), None).unwrap();
            std::os::unix::fs::chown(&socket, Some(12345), None).unwrap();
            assert!(!is_trusted_socket(&socket));
        }
    }
}
