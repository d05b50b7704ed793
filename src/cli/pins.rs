//! Log entries that were looked up and are kept, one file an object, in the user's data directory.
//!
//! A pin is evidence like any other: it saves the network, not the checks. A forged or outdated one is as good as none.

use std::path::PathBuf;

use directories::ProjectDirs;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::CliError;
use super::{input, whole_file};
use crate::format::log_entry::LogEntry;
use crate::format::log_entry_json;

/// No file of pins is longer, in bytes: one entry has 4 KiB.
const MAX_PIN_LEN: u64 = 256 << 10;
/// No file holds more entries: one is enough, more appear when the same object was logged twice.
const MAX_ENTRIES: usize = 16;

const SCHEMA: &str = "gitseal-pin/1";

/// The directory of pins.
#[derive(Debug, Clone)]
pub struct Pins {
    directory: PathBuf,
}

#[derive(Deserialize)]
struct Read<'a> {
    schema: &'a str,
    #[serde(borrow)]
    entries: Vec<&'a RawValue>,
}

#[derive(Serialize)]
struct Written {
    schema: &'static str,
    entries: Vec<Box<RawValue>>,
}

impl Pins {
    /// The pins of this user; `None` for a user without a home.
    #[must_use]
    pub fn open() -> Option<Self> {
        let directories = ProjectDirs::from("", "", "gitseal")?;
        Some(Pins { directory: directories.data_local_dir().join("pins") })
    }

    /// What is kept for `object`; `None` when that is nothing, or nothing readable.
    #[must_use]
    pub fn read(&self, object: &str) -> Option<Vec<LogEntry>> {
        let bytes = input::file(&self.path(object)?, "a kept log entry", MAX_PIN_LEN).ok()?;
        let read: Read<'_> = serde_json::from_slice(&bytes).ok()?;
        if read.schema != SCHEMA || read.entries.len() > MAX_ENTRIES {
            return None;
        }
        let parse = |entry: &&RawValue| log_entry_json::from_protobuf_json(entry.get().as_bytes()).ok();
        read.entries.iter().map(parse).collect()
    }

    /// Keep `entries` for `object`: the whole file or nothing.
    ///
    /// # Errors
    /// The directory or the file cannot be written.
    pub fn write(&self, object: &str, entries: &[LogEntry]) -> Result<(), CliError> {
        let Some(path) = self.path(object) else { return Ok(()) };
        let raw = |entry: &LogEntry| {
            RawValue::from_string(log_entry_json::to_protobuf_json(entry)).expect("an entry is written as JSON")
        };
        let written = Written { schema: SCHEMA, entries: entries.iter().take(MAX_ENTRIES).map(raw).collect() };
        let text = serde_json::to_vec(&written).map_err(|error| CliError::io("write JSON", error.into()))?;
        whole_file::write(&path, &text).map_err(|error| CliError::io(format!("keep {}", path.display()), error))
    }

    /// The file of `object`; a name that is not hexadecimal names no object, and no file either.
    fn path(&self, object: &str) -> Option<PathBuf> {
        let is_name = matches!(object.len(), 40 | 64) && object.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_name.then(|| self.directory.join(format!("{object}.json")))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::format::log_entry::EntryKind;

    fn entry() -> LogEntry {
        LogEntry {
            log_index: 0,
            log_id: [7; 32],
            kind: EntryKind::HashedRekordV001,
            integrated_time: None,
            inclusion_promise: Some(vec![1, 2]),
            inclusion_proof: None,
            canonicalized_body: b"{}".to_vec(),
        }
    }

    #[test]
    fn what_is_kept_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let pins = Pins { directory: directory.path().join("a/b") };
        let object = "0".repeat(40);
        assert_eq!(pins.read(&object), None);
        pins.write(&object, &[entry()]).unwrap();
        assert_eq!(pins.read(&object), Some(vec![entry()]));
        pins.write(&object, &[]).unwrap();
        assert_eq!(pins.read(&object), Some(vec![]));
        assert_eq!(fs::read_dir(&pins.directory).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn what_is_not_a_name_is_not_a_path() {
        let pins = Pins { directory: "/nonexistent".into() };
        for name in ["", "../../etc/passwd", "0", &"g".repeat(40), &"0".repeat(41)] {
            assert_eq!(pins.path(name), None, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_no_pin_is_as_good_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let pins = Pins { directory: directory.path().to_owned() };
        let object = "1".repeat(64);
        for text in [
            "",
            "{}",
            "[]",
            r#"{"schema":"gitseal-pin/2","entries":[]}"#,
            r#"{"schema":"gitseal-pin/1","entries":[{}]}"#,
        ] {
            fs::write(pins.path(&object).unwrap(), text).unwrap();
            assert_eq!(pins.read(&object), None, "{text}");
        }
    }
}
