//! The object that git will store once it has the signature, so that its id can be logged before git knows it.
//!
//! git puts a commit's signature into a header of its own and a tag's at its end (git: commit.c add_header_signature,
//! builtin/tag.c). The result is read back by the strict parser: an id that git will not compute must not be logged.

use crate::format::git::{self, Armour, Object, ObjectError, SecondSignature};

/// The id, in hexadecimal, of the commit or tag `payload` once it carries `armour`.
pub(super) fn id(payload: &[u8], armour: &str) -> Result<String, ObjectError> {
    let misplaced = || ObjectError::Header("(first line)".to_owned());
    let (kind, format) = git::recognise(payload).ok_or_else(misplaced)?;
    let raw = git::assemble(kind, format, payload, armour.as_bytes()).ok_or_else(misplaced)?;
    let signed = Object::parse(kind, &raw, SecondSignature::Refused)?;
    match signed.signature {
        Some(Armour::Cms(text)) if signed.payload == payload && text == armour.as_bytes() => {
            Ok(signed.format.object_id(kind, &raw))
        }
        _ => Err(ObjectError::Header(format.signature_header().to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const ARMOUR: &str = "-----BEGIN SIGNED MESSAGE-----\nAAAA\nBBBB\n-----END SIGNED MESSAGE-----\n";

    fn git(folder: &Path, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "gpg.format=x509"]);
        command.arg("-c").arg(format!("gpg.x509.program={}", folder.join("signer").display()));
        command
            .args(arguments)
            .current_dir(folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A signer that keeps the payload and always gives the same signature.
    #[cfg(unix)]
    fn write_signer(folder: &Path) {
        use std::os::unix::fs::PermissionsExt as _;
        let signer = folder.join("signer");
        let here = folder.display();
        let script = format!(
            "#!/bin/sh\ncat > {here}/payload\nprintf '\\n[GNUPG:] SIG_CREATED D 1 8 00 1 AA\\n' >&2\ncat {here}/armour\n"
        );
        std::fs::write(folder.join("armour"), ARMOUR).unwrap();
        std::fs::write(&signer, script).unwrap();
        std::fs::set_permissions(&signer, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn the_id_is_the_one_that_git_gives() {
        for format in ["sha1", "sha256"] {
            let folder = tempfile::tempdir().unwrap();
            let here = folder.path();
            git(here, &["init", "-q", "--object-format", format]);
            write_signer(here);
            let steps: [(&[&str], &str); 3] = [
                (&["commit", "-q", "-S", "--allow-empty", "-m", "one\n\ntwo"], "HEAD"),
                (&["commit", "-q", "-S", "--allow-empty", "--allow-empty-message", "-m", ""], "HEAD"),
                (&["tag", "-s", "-m", "message", "v1"], "v1"),
            ];
            for (arguments, name) in steps {
                git(here, arguments);
                let expected = String::from_utf8(git(here, &["rev-parse", name])).unwrap();
                let payload = std::fs::read(here.join("payload")).unwrap();
                assert_eq!(id(&payload, ARMOUR).unwrap(), expected.trim(), "{format} {name} {arguments:?}");
            }
        }
    }

    #[test]
    fn a_push_certificate_has_no_id() {
        assert!(id(b"certificate version 0.1\npusher A\n\nold new ref\n", ARMOUR).is_err());
    }
}
