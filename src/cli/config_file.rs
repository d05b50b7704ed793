//! One file of git configuration, written by `git config`: it knows the file, the lock and the includes.

use std::process::{Command, Stdio};

use super::error::CliError;

/// `git config --get-all` ends so when the key is not set, and `--unset-all` when there was nothing to unset.
const GIT_NOT_FOUND: i32 = 1;
const GIT_NOTHING_UNSET: i32 = 5;

/// The user's file, or that of the repository we are in.
#[derive(Debug)]
pub struct ConfigFile {
    scope: &'static str,
}

impl ConfigFile {
    /// The user's.
    #[must_use]
    pub fn global() -> Self {
        ConfigFile { scope: "--global" }
    }

    /// That of the repository we are in; `instead` is the command for all of the user's repositories.
    ///
    /// # Errors
    /// We are in none, or its file cannot be read.
    pub fn local(instead: &str) -> Result<Self, CliError> {
        let file = ConfigFile { scope: "--local" };
        if file.git(&["--list"]).is_err() {
            return Err(CliError::Usage {
                problem: "not in a git repository".into(),
                hint: format!("run it inside one, or '{instead}' for all of yours"),
            });
        }
        Ok(file)
    }

    /// All values of `key`.
    ///
    /// # Errors
    /// git cannot be run, or cannot read the file.
    pub fn values(&self, key: &str) -> Result<Vec<String>, CliError> {
        let (code, text) = self.git(&["--null", "--get-all", key])?;
        let values = text.split_terminator('\0').map(str::to_owned).collect();
        if code == GIT_NOT_FOUND { Ok(Vec::new()) } else { Ok(values) }
    }

    /// Leave `key` with exactly these values.
    ///
    /// # Errors
    /// git cannot be run, or cannot write the file.
    pub fn replace(&self, key: &str, values: &[String]) -> Result<(), CliError> {
        self.git(&["--unset-all", key])?;
        for value in values {
            self.git(&["--add", key, value])?;
        }
        Ok(())
    }

    /// Give `key` one more value.
    ///
    /// # Errors
    /// git cannot be run, or cannot write the file.
    pub fn add(&self, key: &str, value: &str) -> Result<(), CliError> {
        self.git(&["--add", key, value]).map(drop)
    }

    fn git(&self, arguments: &[&str]) -> Result<(i32, String), CliError> {
        let mut command = Command::new("git");
        command.args(["config", self.scope]).args(arguments).stdin(Stdio::null());
        let output = command.output().map_err(|e| CliError::io("run git", e))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.code() {
            Some(code @ (0 | GIT_NOT_FOUND | GIT_NOTHING_UNSET)) => Ok((code, text)),
            _ => Err(CliError::Git {
                command: format!("config {} {}", self.scope, arguments.join(" ")),
                cause: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            }),
        }
    }
}
