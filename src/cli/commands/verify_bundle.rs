//! `gitseal verify-bundle`: judge a Sigstore bundle, on the command line that the Sigstore conformance suite gives every
//! client. Only the exit code matters to the suite; people get one line.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::judgement::Bench;
use crate::cli::output;
use crate::cli::settings::{Expected, Selected};
use crate::cli::streams::Streams;
use crate::cli::world::World;
use crate::crypto::digest::unhex;
use crate::crypto::{Digest, HashAlgorithm, PublicKey};
use crate::entity::bundle::{BundleMismatch, from_bundle};
use crate::entity::{Artifact, SignedEntity};
use crate::format::bundle::{Bundle, MAX_BUNDLE_LEN};
use crate::format::pem;
use crate::policy::ExpectedIdentities;
use crate::trust::InstanceName;
use crate::verify::{Requirements, Verified};

/// No artifact is longer, in bytes: it is held in memory. Of a longer one give the digest.
const MAX_ARTIFACT_LEN: u64 = 1 << 30;
/// An artifact may be given as its digest behind this.
const DIGEST_PREFIX: &str = "sha256:";

/// Judge a Sigstore bundle.
///
/// Needs no network.
#[derive(Debug, Args)]
pub struct VerifyBundle {
    /// The bundle.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// Expect this signer, letter by letter.
    #[arg(long, value_name = "NAME", requires = "certificate_oidc_issuer", required_unless_present = "key")]
    certificate_identity: Option<String>,
    /// Expect this issuer to vouch for the signer.
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    certificate_oidc_issuer: Option<String>,
    /// Expect this public key, PEM, in place of a certificate.
    #[arg(long, value_name = "FILE", conflicts_with = "certificate_identity")]
    key: Option<PathBuf>,
    /// Believe this trusted_root.json and no other.
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// Believe the staging instance.
    #[arg(long, conflicts_with = "trusted_root")]
    staging: bool,
    /// What was signed: a file, or 'sha256:' and a digest.
    #[arg(value_name = "FILE|DIGEST")]
    artifact: String,
}

impl VerifyBundle {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let mut world = World::read(streams)?;
        let settings = &mut world.settings;
        settings.expected = Expected::default();
        if self.trusted_root.is_some() {
            settings.trusted_root.clone_from(&self.trusted_root);
        }
        if self.staging {
            settings.trusted_root = None;
            let by = "--staging".to_owned();
            settings.instance = Some(Selected { name: InstanceName::staging(), by, scope: None });
        }
        let bench = Bench::new(&world)?;
        let artifact = self.artifact()?;
        let key = self.key.as_deref().map(public_key).transpose()?;
        let json = input::file(&self.bundle, "the bundle", MAX_BUNDLE_LEN as u64)?;
        let bundle = Bundle::from_json(&json).map_err(|error| CliError::document(&self.bundle, error))?;
        let verdict = from_bundle(bundle, artifact, key).map_err(|error: BundleMismatch| error.to_string());
        match verdict.and_then(|entity| self.judge(&bench, &entity, world.now)) {
            Ok(verified) => {
                let signer = verified.identity().map_or_else(
                    || "the given key".to_owned(),
                    |identity| format!("{} ({})", identity.subject, identity.issuer),
                );
                output::line(&format!("good {} {signer}", self.artifact))?;
                Ok(Exit::Good)
            }
            Err(why) => {
                streams.error(&format!("bad bundle: {why}"));
                Ok(Exit::Bad)
            }
        }
    }

    fn judge(&self, bench: &Bench, entity: &SignedEntity, now: jiff::Timestamp) -> Result<Verified, String> {
        let requirements = Requirements { thresholds: bench.thresholds(), ..Requirements::default() };
        let verified = bench.verifier().verify(entity, requirements, now);
        let verified = verified.map_err(|unverified| unverified.refusal.to_string())?;
        if self.key.is_some() {
            return Ok(verified);
        }
        let one = |text: &Option<String>| text.iter().cloned().collect::<Vec<_>>();
        let expected =
            ExpectedIdentities::new(&one(&self.certificate_identity), &[], &one(&self.certificate_oidc_issuer), &[]);
        let expected = expected.map_err(|error| error.to_string())?;
        match (verified.identity(), expected) {
            (Some(identity), Some(expected)) if expected.include(identity) => Ok(verified),
            (Some(identity), _) => {
                Err(format!("signed by {} ({}), who was not expected", identity.subject, identity.issuer))
            }
            (None, _) => Err("signed by nobody whose name is known".to_owned()),
        }
    }

    fn artifact(&self) -> Result<Artifact, CliError> {
        let Some(digest) = self.artifact.strip_prefix(DIGEST_PREFIX) else {
            let bytes = input::file(Path::new(&self.artifact), "the artifact", MAX_ARTIFACT_LEN)?;
            return Ok(Artifact::Bytes(bytes));
        };
        unhex(digest)
            .and_then(|bytes| Digest::from_bytes(HashAlgorithm::Sha256, &bytes))
            .map(Artifact::Digest)
            .ok_or_else(|| CliError::Usage {
                problem: format!("{} is not a SHA-256 digest", self.artifact),
                hint: "write 'sha256:' and 64 hexadecimal digits, or name the file itself".into(),
            })
    }
}

fn public_key(path: &Path) -> Result<PublicKey, CliError> {
    let ders = pem::decode_all("PUBLIC KEY", &input::text(path, "the key")?);
    let ders = ders.map_err(|error| CliError::document(path, error))?;
    let [der] = ders.as_slice() else {
        return Err(CliError::document(path, "it does not hold exactly one public key"));
    };
    PublicKey::from_spki_der(der).map_err(|error| CliError::document(path, error))
}
