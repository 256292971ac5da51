//! `hearth broker user`

use std::io::{BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use broker::{AccessError, Roles, User, Users, hash_password, random_password};
use clap::{Args, Subcommand};
use hearth_config::Device;
use serde_json::json;

use crate::cli::{Globals, flag};
use crate::failure::{Failure, Outcome};
use crate::output::{self, out};
use crate::table;

const EXAMPLES: &str = "\
Examples:
  hearth broker user add ada --role admin          asks for the password
  hearth broker user add kitchen/lamp --role device --password-file lamp.password
  hearth broker user add porch/bell --role device --no-password   for a client certificate of this name
  hearth broker user password ada < new.password
  hearth broker user list
  hearth broker user remove ada

A running broker takes it in at SIGHUP: kill -HUP $(pidof hearth)";

/// Longest password, in bytes: what a CONNECT can carry.
const LONGEST: u64 = 65_535;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
    /// File of the users [default: hearth-data/users]
    #[arg(long, value_name = "FILE", global = true)]
    users: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user
    Add {
        /// Name; a device is called by its path, as in kitchen/lamp
        name: String,
        /// What the user may do; `hearth broker roles` shows the roles
        #[arg(long)]
        role: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Give a user another password
    Password {
        /// Name
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Remove a user
    Remove {
        /// Name
        name: String,
    },
    /// List the users
    List,
    /// Make the users of a new home, once: admin, gateway, health and the simulated devices of the settings
    Init {
        /// Folder for their passwords, a file for each but the admin
        #[arg(long, value_name = "FOLDER")]
        passwords: PathBuf,
        /// Password of the admin [default: one drawn at random and printed]
        #[arg(long, value_name = "TEXT", env = "HEARTH_ADMIN_PASSWORD", hide_env_values = true)]
        admin_password: Option<String>,
    },
}

#[derive(Debug, Args)]
struct PasswordArgs {
    /// File whose first line is the password [default: asked for, or the first line of standard input]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// No password: the user logs in with a client certificate of its name
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
}

pub(crate) async fn users(globals: &Globals, args: UserArgs) -> Outcome {
    // Hashing takes its time, and a terminal may take for ever.
    let globals = globals.clone();
    let work = tokio::task::spawn_blocking(move || carry_out(&globals, args));
    work.await.map_err(Failure::failed)?
}

fn carry_out(globals: &Globals, args: UserArgs) -> Outcome {
    let named = args.users.is_some();
    // From where the command is given, as its help says; a path in the settings counts from the data folder.
    let file = args.users.as_ref().map(std::path::absolute).transpose()?;
    let file = file.as_ref().map(|path| path.display());
    let all = globals.settings(flag("--users", "broker.users", file).into_iter().collect())?;
    let settings = &all.broker;
    let path = settings.users.clone().ok_or_else(|| {
        Failure::usage(
            "broker.users is \"\", so there is no file of the users; name one with --users FILE",
        )
    })?;
    match args.command {
        UserCommand::Add { name, role, password } => {
            if !named {
                is_read_by_somebody(&path)?;
            }
            add(settings.roles.as_deref(), &path, (&name, role), &password)?;
        }
        UserCommand::Password { name, password } => change_password(&path, &name, &password)?,
        UserCommand::Remove { name } => {
            if !Users::change(&path, |users| Ok(users.remove(&name)))? {
                return Err(nobody(&path, &name).into());
            }
            done(&path, &format!("{name} is removed"));
        }
        UserCommand::Init { passwords, admin_password } => {
            let admin = admin_password.filter(|password| !password.is_empty());
            init(&path, &all.devices, &passwords, admin)?;
        }
        UserCommand::List => list(globals, &Users::read(&path)?.unwrap_or_default()),
    }
    Ok(())
}

fn add(
    roles: Option<&Path>,
    path: &Path,
    (name, role): (&str, String),
    password: &PasswordArgs,
) -> Outcome {
    let roles = match roles {
        Some(path) => broker::read_roles(path)?,
        None => Roles::built_in()?,
    };
    roles.check(&role, name).map_err(Failure::usage)?;
    let there = |users: &Users| match users.get(name) {
        Some(_) => Err(format!(
            "there is a user {name:?} already; `hearth broker user password` changes its password"
        )),
        None => Ok(()),
    };
    // Asked before the password is, and again when the file is locked.
    there(&Users::read(path)?.unwrap_or_default()).map_err(Failure::failed)?;
    let hash = hash(name, password)?;
    Users::change(path, |users| {
        there(users)?;
        users.set(name, User { role, hash })
    })?;
    done(path, &format!("{name} is added"));
    Ok(())
}

fn change_password(path: &Path, name: &str, password: &PasswordArgs) -> Outcome {
    let user = Users::read(path)?.unwrap_or_default();
    user.get(name).ok_or_else(|| nobody(path, name))?;
    let hash = hash(name, password)?;
    Users::change(path, |users| {
        let user = users.get(name).cloned().ok_or("the user is gone")?;
        users.set(name, User { hash, ..user })
    })?;
    done(path, &format!("{name} has another password"));
    Ok(())
}

/// Once there is a file, this does nothing: it is for whatever starts a home, and starts it again.
fn init(path: &Path, devices: &[Device], passwords: &Path, admin: Option<String>) -> Outcome {
    if Users::read(path)?.is_some() {
        out!("there are users already in {}", path.display());
        return Ok(());
    }
    let drawn =
        || random_password().ok_or_else(|| Failure::failed("the system gives no random numbers"));
    let named = |name: &str, role: &str| (name.to_owned(), role.to_owned());
    let mut everyone = vec![named("gateway", "gateway"), named("health", "person")];
    everyone.extend(devices.iter().map(|d| named(&format!("{}/{}", d.zone, d.name), "simulated")));
    let mut made = Vec::new();
    for (name, role) in everyone {
        let password = drawn()?;
        keep(&passwords.join(&name), &password)?;
        made.push((
            name,
            User { role, hash: Some(hash_password(password.as_bytes()).map_err(Failure::failed)?) },
        ));
    }
    let given = admin.is_some();
    let password = admin.map_or_else(drawn, Ok)?;
    let hash = Some(hash_password(password.as_bytes()).map_err(Failure::failed)?);
    made.push(("admin".to_owned(), User { role: "admin".to_owned(), hash }));
    // The file last: until it is there, the next start does all of this again.
    Users::change(path, |users| {
        made.into_iter().try_for_each(|(name, user)| users.set(&name, user))
    })?;
    match given {
        true => out!("the user admin has the password of HEARTH_ADMIN_PASSWORD"),
        false => out!("the user admin has the password {password}"),
    }
    Ok(())
}

/// Writes a password where its user alone may read it.
fn keep(path: &Path, password: &str) -> Outcome {
    let write = || {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let mut file = std::fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(format!("{password}\n").as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error: std::io::Error| {
        Failure::failed(format!("cannot write the password {}: {error}", path.display()))
    })
}

/// Whether a broker is likely to read this file, which nobody named. A folder that depends on where a command is
/// started is probably not the broker's if it is not there; a home without users trusts everyone on its machine.
fn is_read_by_somebody(path: &Path) -> Outcome {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if path.is_absolute() || folder.is_dir() {
        return Ok(());
    }
    let (file, folder) = (path.display(), folder.display());
    Err(Failure::usage(format!(
        "there is no folder {folder} here, so no broker would read {file}; go where the broker is started, give its \
         settings with --config, or name its file with --users FILE"
    )))
}

fn nobody(path: &Path, name: &str) -> AccessError {
    AccessError { path: path.to_owned(), why: format!("there is no user {name:?}") }
}

fn done(path: &Path, what: &str) {
    out!("{what} in {}; a running broker takes it in at SIGHUP", path.display());
}

fn list(globals: &Globals, users: &Users) {
    if globals.json {
        let user = |(name, user): (&str, &User)| json!({"name": name, "role": user.role, "password": user.hash.is_some()});
        return output::json(&json!({"users": users.iter().map(user).collect::<Vec<_>>()}));
    }
    let row = |(name, user): (&str, &User)| {
        let login = if user.hash.is_some() { "password" } else { "certificate" };
        vec![name.to_owned(), user.role.clone(), login.to_owned()]
    };
    table::print(&["USER", "ROLE", "LOGIN"], &users.iter().map(row).collect::<Vec<_>>());
}

fn hash(name: &str, args: &PasswordArgs) -> Outcome<Option<String>> {
    if args.no_password {
        return Ok(None);
    }
    let password = match &args.password_file {
        Some(path) => std::fs::File::open(path).and_then(first_line).map_err(|error| {
            Failure::failed(format!("cannot read the password in {}: {error}", path.display()))
        })?,
        None if std::io::stdin().is_terminal() => ask(name)?,
        None => first_line(std::io::stdin())?,
    };
    if password.is_empty() {
        return Err(Failure::usage(
            "an empty password is none; say --no-password for a user with a certificate",
        ));
    }
    Ok(Some(hash_password(&password).map_err(Failure::failed)?))
}

fn first_line(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    std::io::BufReader::new(from.take(LONGEST)).read_until(b'\n', &mut line)?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line)
}

fn ask(name: &str) -> Outcome<Vec<u8>> {
    std::io::stdout().flush()?;
    let first = rpassword::prompt_password(format!("Password for {name}: "))?;
    if rpassword::prompt_password("Once more: ")? != first {
        return Err(Failure::failed("these were two different passwords"));
    }
    Ok(first.into_bytes())
}
