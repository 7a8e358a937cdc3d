//! The demo's directory: used by one demo at a time, and emptied of what the one before left. Only files that a demo makes
//! are deleted, so that a directory named by mistake keeps what is in it.

use anyhow::{Context as _, bail};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const DATABASE: &str = "retail-assist.db";
/// What a demo leaves; the cookies are those of the guide's command lines.
const LEFT: [&str; 5] =
    [DATABASE, "retail-assist.db-wal", "retail-assist.db-shm", "retail-assist.db.migrating", "cookies"];

/// A directory that is ours while this lives.
#[derive(Debug)]
pub(super) struct Place {
    dir: PathBuf,
    _lock: File,
}

impl Place {
    /// Takes the directory and clears it.
    pub(super) fn take(dir: &Path) -> anyhow::Result<Self> {
        let shown = dir.display();
        fs::create_dir_all(dir).with_context(|| format!("the directory {shown} could not be made"))?;
        let lock = File::options().create(true).truncate(false).write(true).open(dir.join("demo.lock"));
        let lock = lock.with_context(|| format!("the directory {shown} could not be written to"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another demo uses {shown}; choose another directory with --dir"),
            Err(TryLockError::Error(error)) => return Err(error).context("the demo's directory could not be locked"),
        }
        for name in LEFT {
            match fs::remove_file(dir.join(name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(error)
                        .with_context(|| format!("{shown}/{name} of the demo before could not be deleted"));
                }
                _ => {}
            }
        }
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    /// Opens, and makes, the database in it.
    pub(super) fn database_url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.dir.join(DATABASE).display())
    }

    /// As it was given.
    pub(super) fn shown(&self) -> String {
        self.dir.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_files_go_and_only_one_demo_may_use_it() {
        let dir = tempfile::tempdir().unwrap();
        for name in [DATABASE, "holiday.jpg"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let place = Place::take(dir.path()).unwrap();
        assert!(!dir.path().join(DATABASE).exists() && dir.path().join("holiday.jpg").exists());
        assert!(Place::take(dir.path()).unwrap_err().to_string().contains("another demo"));
        drop(place);
        Place::take(dir.path()).unwrap();
    }
}
