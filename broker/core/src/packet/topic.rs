//! Topic names and filters [MQTT-4.7].

/// Longest topic or filter. 4,096 bytes: longer ones only serve to fill memory.
const LONGEST: usize = 4096;
/// Most levels of a topic or filter. 200, as with mosquitto: each level of a filter may be a place in the tree.
const LEVELS: usize = 200;

/// How a shared subscription begins.
pub const SHARE: &str = "$share/";

/// Whether a client may publish to this topic [MQTT-3.3.2-2].
pub fn valid_name(topic: &str) -> bool {
    !topic.is_empty()
        && topic.len() <= LONGEST
        && few_levels(topic)
        && !topic.bytes().any(|b| matches!(b, b'+' | b'#' | 0))
}

/// Whether a client may subscribe to this filter: one that is well formed, and neither too long nor too deep.
pub fn valid_filter(filter: &str) -> bool {
    well_formed_filter(filter) && filter.len() <= LONGEST && few_levels(filter)
}

/// Whether this is a filter at all [MQTT-4.7.1-1, 4.7.1-2, 4.7.3-1, 4.7.3-2].
pub fn well_formed_filter(filter: &str) -> bool {
    if filter.is_empty() || filter.bytes().any(|b| b == 0) {
        return false;
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let wildcard = level.contains(['+', '#']);
        if wildcard && (level.len() != 1 || (level == "#" && levels.peek().is_some())) {
            return false;
        }
    }
    true
}

/// Name and filter of a shared subscription, `$share/<name>/<filter>`; none if this is an ordinary filter.
///
/// # Errors
/// It begins like a shared subscription and is none [MQTT-4.8.2-1, 4.8.2-2].
pub fn shared(filter: &str) -> Option<Result<(&str, &str), NotShared>> {
    let parts = filter.strip_prefix(SHARE)?.split_once('/');
    let parts = parts.filter(|(name, filter)| {
        !name.is_empty() && !has_wildcard(name) && well_formed_filter(filter)
    });
    Some(parts.ok_or(NotShared))
}

/// A shared subscription without a name, or without a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotShared;

fn few_levels(topic: &str) -> bool {
    topic.bytes().filter(|&b| b == b'/').count() < LEVELS
}

/// Whether a filter has a wildcard anywhere.
pub fn has_wildcard(filter: &str) -> bool {
    filter.contains(['+', '#'])
}

/// Whether a valid filter covers a valid topic; `$` topics never match a leading wildcard [MQTT-4.7.2-1].
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut topics = topic.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match topics.next() {
            Some(name) if level == "+" || level == name => {}
            _ => return false,
        }
    }
    topics.next().is_none()
}

/// The part of a filter before its first wildcard: every topic it matches starts with it, but for `a/#`, which
/// also matches `a`, so the slash before `#` is left out.
pub fn literal_prefix(filter: &str) -> &str {
    let end = filter.find(['+', '#']).unwrap_or(filter.len());
    let prefix = &filter[..end];
    if filter[end..].starts_with('#') { prefix.strip_suffix('/').unwrap_or(prefix) } else { prefix }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_standard_says() {
        for (filter, topic) in [
            ("#", "a/b"),
            ("a/#", "a"),
            ("a/#", "a/b/c"),
            ("+/+", "a/b"),
            ("+/+", "/a"),
            ("/+", "/a"),
            ("$SYS/#", "$SYS/x"),
            ("été/+", "été/1"),
        ] {
            assert!(matches(filter, topic), "{filter} must match {topic}");
            assert!(topic.starts_with(literal_prefix(filter)), "prefix of {filter}");
        }
        for (filter, topic) in [
            ("+", "a/b"),
            ("#", "$SYS/x"),
            ("+/x", "$SYS/x"),
            ("a/+", "a"),
            ("a/b", "a/b/c"),
            ("+", "/a"),
        ] {
            assert!(!matches(filter, topic), "{filter} must not match {topic}");
        }
    }

    #[test]
    fn bad_names_and_filters_are_known() {
        for filter in ["", "a/#/b", "a+", "a#", "#a", "a/+b", "a\0b"] {
            assert!(!valid_filter(filter), "{filter}");
        }
        let (deep, deeper) = ("a/".repeat(199), "a/".repeat(200));
        assert!(valid_name(&deep) && valid_filter(&deep));
        assert!(!valid_name(&deeper) && !valid_filter(&deeper));
        assert!(well_formed_filter(&deeper), "too deep is not malformed");
        assert_eq!(shared("$share/g/a/+"), Some(Ok(("g", "a/+"))));
        assert_eq!((shared("$share"), shared("share/g/a")), (None, None));
        for filter in ["$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g/a+"]
        {
            assert_eq!(shared(filter), Some(Err(NotShared)), "{filter}");
        }
        for filter in ["#", "+", "a/+/b/#", "/", "a//b", "été/#"] {
            assert!(valid_filter(filter), "{filter}");
        }
        assert!(valid_name("été/1") && valid_name("/") && valid_name("$x"));
        assert!(!valid_name("") && !valid_name("a/#") && !valid_name("a+") && !valid_name("\0"));
    }
}
