//! Files that are written whole or not at all: a temporary file beside, fsync, rename.

use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Put `content` into the file at `path`, for its owner alone; folders that are missing are made.
///
/// # Errors
/// The folder or the file cannot be written; what was there before is there still.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder(path))?;
    put(tempfile::Builder::new(), path, content)
}

/// Put `content` into the file at `path`, for everybody who may read the folder: it holds no secret.
///
/// # Errors
/// As [`write()`]; the folder must be there.
pub fn publish(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    if let Some(permissions) = readable() {
        builder.permissions(permissions);
    }
    put(builder, path, content)
}

/// Put a program into the file at `path`, to be run by everybody who may read the folder.
///
/// # Errors
/// As [`write()`]; the folder must be there.
pub fn publish_program(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    if let Some(permissions) = runnable() {
        builder.permissions(permissions);
    }
    put(builder, path, content)
}

/// A file that grows out of sight: it is there when it is finished, and not at all when it is dropped before.
pub struct Growing {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl Growing {
    /// Begin a file that will be at `path`, for everybody who may read the folder, as [`publish()`].
    ///
    /// # Errors
    /// Nothing can be written into the folder.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        if let Some(permissions) = readable() {
            builder.permissions(permissions);
        }
        Ok(Growing { file: BufWriter::new(temporary(&builder, path)?), path: path.to_owned() })
    }

    /// Write more.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, content: &[u8]) -> io::Result<()> {
        self.file.write_all(content)
    }

    /// Let it be there.
    ///
    /// # Errors
    /// It cannot be; what was there before is there still.
    pub fn finish(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(|error| error.into_error())?;
        persist(file, &self.path)
    }
}

fn put(builder: tempfile::Builder<'_, '_>, path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = temporary(&builder, path)?;
    file.write_all(content)?;
    persist(file, path)
}

fn temporary(builder: &tempfile::Builder<'_, '_>, path: &Path) -> io::Result<NamedTempFile> {
    // The error would name the temporary file, which nobody has asked for.
    builder.tempfile_in(folder(path)).map_err(|error| io::Error::from(error.kind()))
}

fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(unix)]
fn readable() -> Option<Permissions> {
    Some(std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(unix)]
fn runnable() -> Option<Permissions> {
    Some(std::os::unix::fs::PermissionsExt::from_mode(0o755))
}

#[cfg(not(unix))]
fn runnable() -> Option<Permissions> {
    None
}

#[cfg(not(unix))]
fn readable() -> Option<Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/file");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert!(publish(&directory.path().join("none/file"), b"").is_err());
    }

    #[test]
    fn a_growing_file_is_there_when_it_is_finished() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut dropped = Growing::begin(&path).unwrap();
        dropped.write(b"half").unwrap();
        drop(dropped);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let mut file = Growing::begin(&path).unwrap();
        file.write(b"one\n").unwrap();
        assert!(!path.exists());
        file.write(b"two\n").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
        assert!(Growing::begin(&directory.path().join("none/file")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_what_is_published_can_be_read_by_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777;
        write(&directory.path().join("own"), b"").unwrap();
        publish(&directory.path().join("public"), b"").unwrap();
        publish_program(&directory.path().join("program"), b"").unwrap();
        assert_eq!((mode("own"), mode("public"), mode("program")), (0o600, 0o644, 0o755));
    }
}
