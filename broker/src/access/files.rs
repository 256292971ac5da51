//! The files of users and roles.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::users::Users;
use broker_core::access::Roles;

/// Largest file that is read. 16 MiB: a hundred thousand users.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Why a file of users, roles, keys or certificates cannot be used.
#[derive(Debug)]
pub struct AccessError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for AccessError {}

fn wrong(path: &Path) -> impl Fn(String) -> AccessError {
    move |why| AccessError { path: path.to_owned(), why }
}

impl Users {
    /// Reads a file; none if there is none.
    ///
    /// # Errors
    /// When it cannot be read or has no meaning.
    pub fn read(path: &Path) -> Result<Option<Self>, AccessError> {
        let wrong = wrong(path);
        match read(path) {
            Ok(text) => Self::parse(&text).map(Some).map_err(|error| wrong(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(format!("cannot read the users: {error}"))),
        }
    }

    /// Changes a file, or begins one, and gives what `change` gave. The file is readable by its owner alone. A crash
    /// leaves the old file or the new one, and of two changes at a time one waits for the other.
    ///
    /// # Errors
    /// When the file or its folder cannot be read or written, and when `change` refuses.
    pub fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, AccessError> {
        let wrong = wrong(path);
        let unwritten = |error: io::Error| wrong(format!("cannot write the users: {error}"));
        let folder = folder(path);
        fs::create_dir_all(folder).map_err(unwritten)?;
        let locked = File::open(folder).map_err(unwritten)?;
        locked.lock().map_err(unwritten)?;
        let mut users = Self::read(path)?.unwrap_or_default();
        let changed = change(&mut users).map_err(&wrong)?;
        write(path, &users.to_text()).map_err(unwritten)?;
        Ok(changed)
    }
}

/// Reads a file of roles.
///
/// # Errors
/// When it cannot be read or has no meaning.
pub fn read_roles(path: &Path) -> Result<Roles, AccessError> {
    let wrong = wrong(path);
    let text = read(path).map_err(|error| wrong(format!("cannot read the roles: {error}")))?;
    Roles::parse(&text).map_err(|error| wrong(error.to_string()))
}

/// Whether others than the owner may read a file, which tells them whom to guess passwords of.
pub(super) fn others_may_read(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

fn read(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > LARGEST {
        return Err(io::Error::other(format!("it has {size} bytes, which is too many")));
    }
    fs::read_to_string(path)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = folder(path);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = folder.join(name);
    let written = (|| {
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // What is left of an attempt is of no use; that it cannot be removed either changes nothing.
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::super::users::User;
    use super::*;

    #[test]
    fn a_file_is_changed_as_a_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/users");
        let user = |role: &str| User { role: role.to_owned(), hash: None };
        assert!(Users::read(&path).unwrap().is_none());
        Users::change(&path, |users| users.set("ada", user("admin"))).unwrap();
        assert!(!others_may_read(&path));
        let refused = Users::change(&path, |users| {
            users.remove("ada");
            Err::<(), _>("no".to_owned())
        });
        assert_eq!(refused.unwrap_err().why, "no");
        Users::change(&path, |users| users.set("eve", user("person"))).unwrap();
        let names =
            |users: Users| users.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(Users::read(&path).unwrap().unwrap()), ["ada", "eve"]);
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing else is left"
        );
    }

    #[test]
    fn a_broken_file_is_named_and_not_written_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "nonsense\n").unwrap();
        let error = Users::change(file.path(), |_| Ok(())).unwrap_err().to_string();
        assert!(
            error.contains(&file.path().display().to_string()) && error.contains("line 1"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "nonsense\n");
    }
}
