//! `gitseal policy init`: a first policy, for whoever signs here, and the trust root once it is committed.
//!
//! It never changes a file that is there. Run again after the commit, it prints the trust root: where authority begins,
//! for each verifier to take down on their own side.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;

use super::named::{in_tree, work_file};
use crate::audit::TrustRoot;
use crate::cli::authority::policy_reference;
use crate::cli::commands::login::{Person, people};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::judgement::Bench;
use crate::cli::output;
use crate::cli::shell;
use crate::cli::streams::Streams;
use crate::cli::whole_file;
use crate::cli::world::World;
use crate::crypto::digest::hex;
use crate::format::x509::{Claims, Identity};
use crate::policy::file::{ANYONE, MAX_POLICY_LEN};
use crate::policy::refs::RefPattern;
use crate::policy::rules::Rule;
use crate::policy::{Policy, Principal, PrincipalKey, Right};

/// Write a first policy for this repository, and tell how to make others go by it.
///
/// It names one principal: who would sign now, else who signed HEAD. Once the policy is committed, run it again to see
/// the trust root.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The first principal's identity, letter by letter.
    #[arg(long, value_name = "NAME", requires = "issuer")]
    identity: Option<String>,
    /// Who vouches for that identity.
    #[arg(long, value_name = "URL", requires = "identity")]
    issuer: Option<String>,
}

impl Init {
    pub(super) fn run(&self, streams: &mut Streams) -> Result<Exit, CliError> {
        let world = World::read(streams)?;
        world.repository()?;
        let Some(path) = work_file(&world) else {
            return Err(CliError::Usage {
                problem: "a bare repository has no work tree to write a policy in".into(),
                hint: "run it in a clone, commit what it writes, and push that".into(),
            });
        };
        if path.exists() {
            return told_again(&path, &world, streams);
        }
        let key = self.key(&world)?;
        let branch = policy_reference(&world)?;
        let pattern = |text: &str| {
            RefPattern::parse(text).map_err(|error| CliError::Usage {
                problem: error.to_string(),
                hint: "name another branch with gitseal.policyRef".into(),
            })
        };
        let text = first_policy(key, pattern(&branch)?, pattern("refs/tags/**")?);
        let policy =
            Policy::parse(text.as_bytes()).map_err(|cause| CliError::PolicyFile { path: path.clone(), cause })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|error| CliError::io(format!("make {}", folder.display()), error))?;
        whole_file::publish(&path, text.as_bytes())
            .map_err(|error| CliError::io(format!("write {}", path.display()), error))?;
        let name = policy.principals.keys().next().cloned().unwrap_or_default();
        output::line(&format!("wrote {}: {name} may commit and tag, and change the policy", path.display()))?;
        output::line("")?;
        say_how_to_commit(&path)?;
        output::line("Then let each verifier know where authority begins:")?;
        say_how_to_begin(&format!("$(git rev-parse HEAD):sha256:{}", hex(&policy.digest)))?;
        Ok(Exit::Good)
    }

    /// How the first principal is known: by what was given, by who would sign now, or by who signed `HEAD`.
    fn key(&self, world: &World) -> Result<PrincipalKey, CliError> {
        if let (Some(subject), Some(issuer)) = (&self.identity, &self.issuer) {
            return Ok(PrincipalKey::narrowest(issuer, subject, &Claims::default()));
        }
        for Person { identity, issuer, .. } in people(&world.settings)? {
            if let Some(issuer) = issuer {
                return Ok(PrincipalKey::narrowest(&issuer, &identity, &Claims::default()));
            }
        }
        if let Ok(head) = world.repository()?.raw_object("HEAD") {
            let finding = Bench::new(world)?.object(world, &head);
            if let (None, Some(signer)) = (&finding.refusal, &finding.signer) {
                let Identity { issuer, subject } = &signer.identity;
                return Ok(PrincipalKey::narrowest(issuer, subject, signer.certificate.claims()));
            }
        }
        Err(CliError::Usage {
            problem: "nothing says who the first principal is: nobody is logged in, and HEAD is not signed".into(),
            hint: "log in with 'gitseal login', or name somebody: --identity YOU@EXAMPLE.COM --issuer URL".into(),
        })
    }
}

/// A policy of one principal, who may do what people do; moving back and deleting nobody may.
fn first_policy(key: PrincipalKey, branch: RefPattern, tags: RefPattern) -> String {
    let name = key.suggested_name();
    let principal = Principal { keys: vec![key], ..Principal::new(&name) };
    let maintainers = || BTreeSet::from([GROUP.to_owned()]);
    let anyone = || BTreeSet::from([ANYONE.to_owned()]);
    let main = Rule {
        rights: [(Right::Commit, maintainers()), (Right::Policy, maintainers()), (Right::Create, anyone())].into(),
        ..Rule::new("main", branch)
    };
    let tags =
        Rule { rights: [(Right::Tag, maintainers()), (Right::Create, anyone())].into(), ..Rule::new("tags", tags) };
    let policy = Policy {
        digest: [0; 32],
        version: 1,
        principals: [(name.clone(), principal)].into(),
        groups: [(GROUP.to_owned(), [name].into())].into(),
        rules: vec![main, tags],
        exceptions: Vec::new(),
    };
    policy.to_toml(&[
        "Who may do what in this repository: gitseal-policy(5). Raise the version with every change.".into()
    ])
}

/// The file is there already: what is left to do.
fn told_again(path: &Path, world: &World, streams: &mut Streams) -> Result<Exit, CliError> {
    let bytes = input::file(path, "the policy", MAX_POLICY_LEN as u64)?;
    let policy = Policy::parse(&bytes).map_err(|cause| CliError::PolicyFile { path: path.to_owned(), cause })?;
    let committed = in_tree("HEAD", world).unwrap_or_default();
    if committed.as_deref() != Some(bytes.as_slice()) {
        streams.warning(&format!("{} is there already, and not as it is in HEAD: nothing was changed", path.display()));
        say_how_to_commit(path)?;
        return Ok(Exit::Good);
    }
    let commit = world.repository()?.select(&["HEAD".to_owned()])?.tips.remove(0);
    let root = TrustRoot { commit, policy: Some(policy.digest) };
    output::line(&format!("{} is committed, as version {}", path.display(), policy.version))?;
    output::line(&format!("trust root: {root}"))?;
    output::line("")?;
    output::line("Let each verifier know where authority begins:")?;
    say_how_to_begin(&root.to_string())?;
    Ok(Exit::Good)
}

fn say_how_to_commit(path: &Path) -> Result<(), CliError> {
    output::line("Look at it, and commit it with a signature:")?;
    output::line(&format!("  git add {}", shell::quote(path.as_os_str().as_encoded_bytes())))?;
    output::line("  git commit -S -m 'Say who may do what'")
}

fn say_how_to_begin(root: &str) -> Result<(), CliError> {
    output::line(&format!("  git config --global gitseal.policyRoot \"{root}\""))?;
    output::line("or, with several repositories, in the file that gitseal.policyRoots names:")?;
    output::line(&format!("  echo \"$(git rev-parse --absolute-git-dir) {root}\" >> FILE"))
}

/// The group that `init` writes.
const GROUP: &str = "maintainers";
