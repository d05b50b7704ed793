//! The variables by which programs find the sandbox: gitseal's own, and the documented ones of gitsign and cosign.

use std::path::Path;

use super::server::RekorVersion;

/// Where the sandbox's agent lives, in its folder.
pub const AGENT_DIRECTORY: &str = "agent";

/// A variable and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub name: &'static str,
    /// The value.
    pub value: String,
}

/// All of them but the token, whose value is secret and goes out of date.
pub(super) fn variables(folder: &Path, base: &str, issuer: &str, rekor: RekorVersion) -> Vec<Variable> {
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let mut variables = vec![
        ("GITSEAL_SANDBOX_DIR", folder.to_string_lossy().into_owned()),
        ("GITSEAL_SANDBOX_URL", base.to_owned()),
        ("GITSEAL_TRUSTED_ROOT", file("trusted_root.json")),
        ("GITSEAL_SIGNING_CONFIG", file("signing_config.json")),
        ("GITSEAL_ID_TOKEN_FILE", file("id-token")),
        // An agent of its own: credentials of the sandbox are nothing to keep beside real ones.
        ("GITSEAL_AGENT_DIR", file(AGENT_DIRECTORY)),
        ("GITSIGN_FULCIO_URL", base.to_owned()),
        ("GITSIGN_REKOR_URL", base.to_owned()),
        ("GITSIGN_OIDC_ISSUER", issuer.to_owned()),
        ("GITSIGN_OIDC_CLIENT_ID", super::oidc::AUDIENCE.to_owned()),
        ("GITSIGN_TOKEN_PROVIDER", "envvar".to_owned()),
        ("SIGSTORE_ROOT_FILE", file("fulcio.pem")),
        ("SIGSTORE_REKOR_PUBLIC_KEY", file("rekor.pub")),
        ("SIGSTORE_CT_LOG_PUBLIC_KEY_FILE", file("ctfe.pub")),
        ("SIGSTORE_TSA_CERTIFICATE_FILE", file("tsa.pem")),
        // Their caches go into the sandbox's folder: what they believe here they shall not believe elsewhere.
        ("TUF_ROOT", file("tuf-cache")),
        ("TUF_MIRROR", format!("{base}/tuf")),
        ("TUF_ROOT_JSON", file("tuf-root.json")),
    ];
    if rekor == RekorVersion::V2 {
        variables.push(("GITSIGN_REKOR_VERSION", "2".to_owned()));
        variables.push(("GITSIGN_TIMESTAMP_SERVER_URL", format!("{base}/api/v1/timestamp")));
        variables.push(("GITSIGN_TIMESTAMP_CERT_CHAIN", file("tsa.pem")));
    }
    variables.into_iter().map(|(name, value)| Variable { name, value }).collect()
}

/// The same for a shell, the token read from its file so that it is fresh.
pub(super) fn shell(variables: &[Variable]) -> String {
    let mut text: String =
        variables.iter().map(|Variable { name, value }| format!("export {name}={}\n", quoted(value))).collect();
    text.push_str("export SIGSTORE_ID_TOKEN=\"$(cat \"$GITSEAL_ID_TOKEN_FILE\")\"\n");
    text
}

/// A word of a POSIX shell (section 2.2.2).
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_quote_stays_one_word() {
        let variables =
            variables(Path::new("/tmp/o'brien"), "http://127.0.0.1:1", "http://127.0.0.1:1/oidc", RekorVersion::V1);
        assert!(shell(&variables).contains(r"export GITSEAL_SANDBOX_DIR='/tmp/o'\''brien'"));
    }
}
