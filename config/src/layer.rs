//! One place where settings are written, and how the places are laid over each other.

use std::collections::BTreeMap;

use config::{
    Config, ConfigError, File, FileFormat, FileSourceString, Map, Source, Value, ValueKind,
};

use crate::error::{Error, Origin};
use crate::key::{self, DEVICE, DEVICE_KEYS, Shape};
use crate::raw::Raw;

/// The settings of one place, by full key, every one known and of the right shape.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) origin: Origin,
    values: BTreeMap<String, Value>,
}

impl Layer {
    /// Reads a file's text.
    pub(crate) fn from_toml(text: &str, origin: Origin) -> Result<Self, Error> {
        let file: File<FileSourceString, FileFormat> = File::from_str(text, FileFormat::Toml);
        let tables = file.collect().map_err(|error| Error::Syntax {
            origin: origin.clone(),
            cause: match error {
                ConfigError::FileParse { cause, .. } => cause.to_string().trim_end().to_owned(),
                other => other.to_string(),
            },
        })?;
        let mut layer = Self { origin, values: BTreeMap::new() };
        layer.flatten("", tables)?;
        Ok(layer)
    }

    /// Takes one setting from the environment or from a flag, where everything is a text.
    pub(crate) fn from_text(key: &str, text: &str, origin: Origin) -> Result<Self, Error> {
        let mut layer = Self { origin, values: BTreeMap::new() };
        let shape = layer.shape(key)?;
        let kind = written(shape, text.trim())
            .ok_or_else(|| layer.wrong_value(key, format!("{text:?}"), shape.expected()))?;
        layer.values.insert(key.to_owned(), Value::new(None, kind));
        Ok(layer)
    }

    /// Whether this place sets `key`.
    pub(crate) fn sets(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    fn flatten(&mut self, table: &str, entries: Map<String, Value>) -> Result<(), Error> {
        for (name, value) in entries {
            let key = if table.is_empty() { name } else { format!("{table}.{name}") };
            if Shape::of(&key).is_none()
                && let ValueKind::Table(entries) = value.kind
            {
                self.flatten(&key, entries)?;
                continue;
            }
            let shape = self.shape(&key)?;
            self.check_shape(&key, shape, &value)?;
            self.values.insert(key, value);
        }
        Ok(())
    }

    fn shape(&self, key: &str) -> Result<Shape, Error> {
        Shape::of(key).ok_or_else(|| Error::UnknownKey {
            origin: self.origin.clone(),
            key: key.to_owned(),
            allowed: key::beside(key),
        })
    }

    fn check_shape(&self, key: &str, shape: Shape, value: &Value) -> Result<(), Error> {
        let fits = match (shape, &value.kind) {
            (Shape::Devices, ValueKind::Array(devices)) => return self.check_devices(devices),
            (Shape::Text, ValueKind::String(_)) | (Shape::Switch, ValueKind::Boolean(_)) => true,
            (Shape::Whole, kind) => is_whole(kind),
            (Shape::Numbers, ValueKind::Array(list)) => list.iter().all(|v| is_whole(&v.kind)),
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.wrong_value(key, show(value), shape.expected())) }
    }

    fn check_devices(&self, devices: &[Value]) -> Result<(), Error> {
        for device in devices {
            let ValueKind::Table(entries) = &device.kind else {
                return Err(self.wrong_value(DEVICE, show(device), Shape::Devices.expected()));
            };
            for name in entries.keys() {
                if !DEVICE_KEYS.contains(&name.as_str()) {
                    return Err(Error::UnknownKey {
                        origin: self.origin.clone(),
                        key: format!("{DEVICE}.{name}"),
                        allowed: DEVICE_KEYS.map(|key| format!("{DEVICE}.{key}")).into(),
                    });
                }
            }
            for name in DEVICE_KEYS {
                let found = match entries.get(name) {
                    Some(Value { kind: ValueKind::String(_), .. }) => continue,
                    Some(other) => show(other),
                    None => "missing".to_owned(),
                };
                let key = format!("{DEVICE}.{name}");
                return Err(self.wrong_value(&key, found, Shape::Text.expected()));
            }
        }
        Ok(())
    }

    fn wrong_value(&self, key: &str, found: String, allowed: &str) -> Error {
        Error::Value {
            origin: self.origin.clone(),
            key: key.to_owned(),
            found,
            allowed: allowed.to_owned(),
        }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.values.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// Lays the places over each other; a later one wins, a list as a whole.
pub(crate) fn merge(layers: &[Layer]) -> Result<Raw, Error> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(layer.clone());
    }
    let merged = builder.build().and_then(Config::try_deserialize);
    // Shapes are checked by now, so what is left is a number out of its type's range.
    merged.map_err(|error| Error::Syntax {
        origin: layers.last().map_or(Origin::Default, |layer| layer.origin.clone()),
        cause: error.to_string(),
    })
}

fn written(shape: Shape, text: &str) -> Option<ValueKind> {
    match shape {
        Shape::Text => Some(ValueKind::String(text.to_owned())),
        Shape::Whole => text.parse().ok().map(ValueKind::I64),
        Shape::Switch => text.parse().ok().map(ValueKind::Boolean),
        Shape::Numbers => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let numbers =
                parts.map(|part| part.parse().map(|n| Value::new(None, ValueKind::I64(n))));
            numbers.collect::<Result<_, _>>().ok().map(ValueKind::Array)
        }
        Shape::Devices => None,
    }
}

fn is_whole(kind: &ValueKind) -> bool {
    matches!(kind, ValueKind::I64(_) | ValueKind::U64(_))
}

fn show(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Table(_) => "a table".to_owned(),
        ValueKind::Array(list) => {
            format!("[{}]", list.iter().map(show).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
