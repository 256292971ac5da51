//! `hearth broker roles`

use broker::Roles;

use crate::cli::Globals;
use crate::failure::Outcome;
use crate::output::out;

/// Prints the roles in force as a file that can be changed.
pub(crate) fn roles(globals: &Globals) -> Outcome {
    let text = match globals.settings(vec![])?.broker.roles {
        // Read as the broker reads it, so that a mistake in it is told here too.
        Some(path) => broker::read_roles(&path).and_then(|_| {
            std::fs::read_to_string(&path)
                .map_err(|error| broker::AccessError { path, why: error.to_string() })
        })?,
        None => Roles::BUILT_IN.to_owned(),
    };
    out!("{}", text.trim_end());
    Ok(())
}
