//! How mistakes are planted on purpose. See `mutant.rs` for the list.
//!
//! Each room that has some lists them in a `planted` module of its own, as functions: each takes the right value and
//! returns it, or the mistaken one while its mistake is on. Without the feature `mutants` all of them return what they are
//! given, and nothing of a mistake is compiled.

/// Makes functions of mistakes: what is right, and after `=>` what is said instead.
#[cfg(feature = "mutants")]
macro_rules! planted {
    ($($(#[doc = $doc:literal])+ $mutant:ident: fn $name:ident($right:ident: $type:ty $(, $more:ident: $more_type:ty)*) => $wrong:expr;)+) => {
        $(
            $(#[doc = $doc])+
            pub(crate) fn $name($right: $type $(, $more: $more_type)*) -> $type {
                if $crate::mutant::is_active($crate::mutant::Mutant::$mutant) { $wrong } else { $right }
            }
        )+
    };
}

/// Makes functions that return what they are given.
#[cfg(not(feature = "mutants"))]
macro_rules! planted {
    ($($(#[doc = $doc:literal])+ $mutant:ident: fn $name:ident($right:ident: $type:ty $(, $more:ident: $more_type:ty)*) => $wrong:expr;)+) => {
        $(
            $(#[doc = $doc])+
            #[inline(always)]
            pub(crate) fn $name($right: $type $(, $more: $more_type)*) -> $type {
                $(let _ = $more;)*
                $right
            }
        )+
    };
}

pub(crate) use planted;
