//! A gateway replica: the shell around the decision core.
