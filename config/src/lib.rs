//! Every setting of Hearth, layered: defaults, file, environment, flags.
