//! Every setting of Hearth, layered: defaults, file, environment, flags.
//!
//! ```text
//! default.toml ─┐
//! --config FILE ─┤ layers, each checked against the list of keys ─▶ Raw ─▶ checked ─▶ Settings
//! HEARTH_*      ─┤   (so an error names file, variable or flag)   as written      as meant
//! flags         ─┘
//! ```
//!
//! What a setting means is written beside it in `default.toml`, which is part of the command.
//! This crate starts nothing and knows none of the parts that it configures: its types are plain.

mod check;
mod error;
mod key;
mod layer;
mod raw;
mod settings;

pub use error::{Error, Origin};
pub use hearth_address::Address;
pub use settings::{Broker, Client, Device, Gateway, Settings};

use std::path::PathBuf;

use layer::Layer;

/// The defaults, as people read them.
pub const DEFAULT: &str = include_str!("../default.toml");

/// Settings that are not in a section. Any other variable without a section is not meant for us:
/// container engines make some of their own, such as `HEARTH_PORT`, for a service called hearth.
const WITHOUT_SECTION: [&str; 2] = ["site", "device"];

/// Where settings come from, besides the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file of `--config`.
    pub file: Option<PathBuf>,
    /// The environment; only variables that begin with `HEARTH_` are looked at.
    pub environment: Vec<(String, String)>,
    /// What the flags of the command line say; later ones win.
    pub flags: Vec<Flag>,
}

/// A setting that was given as a flag.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The flag as the person wrote it, for errors: `--cache`.
    pub flag: &'static str,
    /// The setting that it sets: `gateway.cache`.
    pub key: &'static str,
    /// Its value, written as in the environment.
    pub value: String,
}

impl Sources {
    /// The environment of this process and nothing else.
    #[must_use]
    pub fn from_environment() -> Self {
        let text = |name: std::ffi::OsString| name.into_string().ok();
        let environment =
            std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
        Self { environment: environment.collect(), ..Self::default() }
    }

    /// Reads, layers and checks the settings.
    ///
    /// # Errors
    /// When a file cannot be read, a key is unknown, a value has the wrong type, or values do not go
    /// together. The text names the place, the key, what was found and what is allowed.
    pub fn load(&self) -> Result<Settings, Error> {
        let mut layers = vec![Layer::from_toml(DEFAULT, Origin::Default)?];
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path)
                .map_err(|cause| Error::Unreadable { path: path.clone(), cause })?;
            layers.push(Layer::from_toml(&text, Origin::File(path.clone()))?);
        }
        for (name, value) in &self.environment {
            let Some(rest) = name.strip_prefix("HEARTH_") else { continue };
            let key = rest.to_ascii_lowercase().replace("__", ".");
            if key.contains('.') || WITHOUT_SECTION.contains(&key.as_str()) {
                layers.push(Layer::from_text(&key, value, Origin::Variable(name.clone()))?);
            }
        }
        for Flag { flag, key, value } in &self.flags {
            layers.push(Layer::from_text(key, value, Origin::Flag((*flag).to_owned()))?);
        }
        check::settings(layer::merge(&layers)?, &layers)
    }
}

#[cfg(test)]
mod tests;
