//! A small text file beside a database, for facts that must not travel with the database.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Fault};
use crate::format::{Format, Version};
use crate::private::sync_folders;

/// What such a file holds: a word and a text each, a line for each.
pub type Facts = BTreeMap<String, String>;

/// The layout that this program writes: a first line with its number, then the facts.
const LAYOUT: Version = Version(1);

/// The first line, without the number.
const HEAD: &str = "hearth";

/// A file of facts. It is there as a whole or not at all, also after a power failure.
#[derive(Clone, Debug)]
pub struct SideFile {
    format: Format,
    path: PathBuf,
}

impl Format {
    /// The file of facts at `path`, beside a database of this format.
    #[must_use]
    pub fn side_file(&self, path: PathBuf) -> SideFile {
        SideFile { format: *self, path }
    }
}

impl SideFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The facts; none when there is no file, or when what is in it was not written by a program of ours.
    ///
    /// # Errors
    /// When the file cannot be read, or a newer program wrote it.
    pub fn read(&self) -> Result<Option<Facts>, Error> {
        let refuse = |fault| self.format.refuse(&self.path, fault);
        let text = match fs::read(&self.path) {
            Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refuse(Fault::Unusable(error))),
        };
        let mut lines = text.lines();
        let head = lines.next().and_then(|line| line.strip_prefix(HEAD)?.trim().parse().ok());
        match head {
            Some(layout) if Version(layout) == LAYOUT => Ok(lines.map(fact).collect()),
            Some(newer) if Version(newer) > LAYOUT => {
                Err(refuse(Fault::Newer { found: i64::from(newer), known: LAYOUT }))
            }
            _ => Ok(None),
        }
    }

    /// Replaces the facts. They are on disk when this returns.
    ///
    /// # Errors
    /// When the file cannot be written; it is as it was then.
    pub fn write(&self, facts: &Facts) -> Result<(), Error> {
        let mut text = format!("{HEAD} {LAYOUT}\n");
        for (word, fact) in facts {
            text.extend([word, " ", fact, "\n"]);
        }
        self.replace(&text).map_err(|error| {
            let full = error.kind() == io::ErrorKind::StorageFull;
            let fault = if full { Fault::Full } else { Fault::Unusable(error) };
            self.format.refuse(&self.path, fault)
        })
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let mut part = self.path.clone().into_os_string();
        part.push("-part");
        let mut options = OpenOptions::new();
        let mut file: File =
            options.write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&part, &self.path)?;
        sync_folders(&self.path).map_err(|(_, error)| error)
    }
}

/// A line is a word, a space, and the rest.
fn fact(line: &str) -> Option<(String, String)> {
    let (word, fact) = line.split_once(' ')?;
    Some((word.to_owned(), fact.to_owned()))
}
