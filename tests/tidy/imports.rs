//! Which files of a crate reach which: by `use`, by a path, or by a method of a type that has methods in several files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Path of a module within its crate.
type Module = Vec<String>;

/// Sets of files that all reach each other, by their paths below `src`.
pub(crate) fn circles(src: &Path) -> Vec<Vec<String>> {
    let crate_ = Crate::read(src);
    let arrows = crate_.arrows();
    let reach: BTreeMap<&String, BTreeSet<&String>> =
        arrows.keys().map(|file| (file, reachable(file, &arrows))).collect();
    let mut circles = BTreeSet::new();
    for (file, reached) in &reach {
        let circle: Vec<String> = reached
            .iter()
            .filter(|other| reach[*other].contains(file))
            .map(|f| (*f).clone())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reachable<'a>(
    from: &'a String,
    arrows: &'a BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<&'a String> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        next.extend(arrows[file].iter().filter(|other| seen.insert(*other)));
    }
    seen
}

struct Crate {
    /// Name and text of the file of each module, without its comments and tests.
    files: BTreeMap<Module, (String, String)>,
}

impl Crate {
    fn read(src: &Path) -> Self {
        let files = super::rust_files(src).into_iter().map(|path| {
            let name = path.strip_prefix(src).unwrap().to_string_lossy().into_owned();
            let mut module: Module =
                name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            module.pop_if(|last| last == "mod" || last == "lib");
            (module, (name, code(&super::read(&path))))
        });
        Self { files: files.collect() }
    }

    fn arrows(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut arrows: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (module, (name, text)) in &self.files {
            let reached = paths(text).filter_map(|path| self.file_of(module, &path));
            let reached = reached.chain(self.methods_elsewhere(name, text));
            arrows.entry(name.clone()).or_default().extend(reached.filter(|other| other != name));
        }
        arrows
    }

    /// The file that defines the last module of a path that is used in `module`.
    fn file_of(&self, module: &Module, path: &str) -> Option<String> {
        let mut parts = path.split("::").peekable();
        let mut at = match *parts.peek()? {
            "crate" => Vec::new(),
            _ => module.clone(),
        };
        parts.next_if(|part| matches!(*part, "crate" | "self"));
        while parts.next_if_eq(&"super").is_some() {
            at.pop();
        }
        for part in parts {
            at.push(part.to_owned());
            if !self.files.contains_key(&at) {
                at.pop();
                break;
            }
        }
        self.files.get(&at).map(|(name, _)| name.clone())
    }

    /// The other files in which methods stand that the types of this file call on themselves.
    fn methods_elsewhere<'a>(
        &'a self,
        name: &'a str,
        text: &'a str,
    ) -> impl Iterator<Item = String> + 'a {
        implementations(text).flat_map(move |(of, body)| {
            self.files.values().filter_map(move |(other, text)| {
                let mut theirs = implementations(text).filter(|(its, _)| *its == of);
                let called = theirs.any(|(_, theirs)| {
                    methods(theirs).any(|method| {
                        body.contains(&format!("self.{method}("))
                            && !methods(body).any(|own| own == method)
                    })
                });
                (called && other != name).then(|| other.clone())
            })
        })
    }
}

/// A file without its comments and its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path in `use` items, with braces resolved, and every other path that begins in this crate.
fn paths(text: &str) -> impl Iterator<Item = String> {
    let mut paths = Vec::new();
    for item in text.split("use ").skip(1) {
        if let Some((tree, _)) = item.split_once(';') {
            expand("", tree, &mut paths);
        }
    }
    for root in ["crate::", "super::"] {
        for (at, _) in text.match_indices(root) {
            let rest = &text[at..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
            paths.push(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    paths.into_iter()
}

/// The paths of one tree of imports below `prefix`.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let Some((head, inner)) = tree.trim().split_once('{') else {
        let name = tree.trim().split(" as ").next().unwrap_or_default();
        return paths.push(format!("{prefix}{name}"));
    };
    let (mut depth, mut from) = (0, 0);
    let prefix = format!("{prefix}{}", head.trim());
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inner[from..at], paths);
                from = at + 1;
            }
            _ => {}
        }
    }
    expand(&prefix, &inner[from..], paths);
}

/// The types with methods in a file, and the text of those. rustfmt puts the ends of items at the margin.
fn implementations(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("\nimpl").skip(1).filter_map(|item| {
        let (head, rest) = item.split_once('{')?;
        let of = head.rsplit(['>', ' ']).find(|word| !word.is_empty()).unwrap_or(head);
        let of = of.split('<').next().unwrap_or(of);
        (!head.contains(" for ")).then(|| (of, rest.split("\n}").next().unwrap_or(rest)))
    })
}

fn methods(body: &str) -> impl Iterator<Item = &str> {
    let fns = body.split("fn ").skip(1);
    fns.map(|item| item.split(['(', '<']).next().unwrap_or(item))
}
