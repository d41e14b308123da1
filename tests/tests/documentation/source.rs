//! Error enums, read out of the sources: the message, the class and the hint of each variant.

use std::collections::BTreeMap;
use std::fs;

use pipeline_tests::checkout;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit::{self, Visit};

/// What can go wrong in one place.
#[derive(Clone, Debug)]
pub(crate) struct ErrorEnum {
    /// The type's name.
    pub(crate) name: String,
    /// Its variants; a struct is one.
    pub(crate) variants: Vec<Variant>,
}

/// One thing that can go wrong.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// The variant's name.
    pub(crate) name: String,
    /// The message, with `{name}` for what is filled in; `None` where another error speaks.
    pub(crate) message: Option<String>,
    /// What each method (`failure_type`, `hint`, ...) makes of it.
    pub(crate) methods: BTreeMap<String, Answer>,
}

/// What a method answers for a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A variant of another enum, or a text.
    Text(String),
    /// What the cause answers.
    Cause,
    /// Nothing.
    Nothing,
}

/// Reads the error types of a source file, with what these methods answer.
///
/// What an error of one crate means in another is in a second file.
pub(crate) fn errors(paths: &[&str], methods: &[&str]) -> Vec<ErrorEnum> {
    let mut files = paths.iter().map(|path| parse(path));
    let mut file = files.next().unwrap();
    file.items.extend(files.flat_map(|file| file.items));
    let mut found = Vec::new();
    for item in &file.items {
        match item {
            syn::Item::Enum(item) => {
                let variants = item.variants.iter();
                let variants: Vec<_> = variants
                    .filter_map(|variant| read(&variant.attrs, &variant.ident.to_string()))
                    .collect();
                if !variants.is_empty() {
                    found.push(ErrorEnum {
                        name: item.ident.to_string(),
                        variants,
                    });
                }
            }
            syn::Item::Struct(item) => {
                if let Some(variant) = read(&item.attrs, &item.ident.to_string()) {
                    found.push(ErrorEnum {
                        name: item.ident.to_string(),
                        variants: vec![variant],
                    });
                }
            }
            _ => {}
        }
    }
    for error in &mut found {
        for method in methods {
            let answers = answers(&file, &error.name, method);
            for variant in &mut error.variants {
                let answer = answers.get(&variant.name).or_else(|| answers.get("_"));
                let answer = answer.cloned().unwrap_or(Answer::Nothing);
                variant.methods.insert((*method).to_owned(), answer);
            }
        }
    }
    found
}

/// The names of an enum's variants, and the first line of the documentation of each.
pub(crate) fn variants(path: &str, name: &str) -> Vec<(String, String)> {
    let file = parse(path);
    let found = file.items.iter().find_map(|item| match item {
        syn::Item::Enum(item) if item.ident == name => Some(item),
        _ => None,
    });
    let variants = &found
        .unwrap_or_else(|| panic!("{path} has no enum {name}"))
        .variants;
    variants
        .iter()
        .map(|variant| (variant.ident.to_string(), documentation(&variant.attrs)))
        .collect()
}

/// Every string literal outside of tests, and every message, of a folder of sources.
pub(crate) fn literals(folder: &str) -> Vec<String> {
    let mut paths = Vec::new();
    sources(&checkout::root().join(folder), &mut paths);
    assert!(!paths.is_empty(), "no sources in {folder}");
    let mut found = Literals::default();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        found.visit_file(&syn::parse_file(&text).unwrap());
    }
    found.0
}

fn sources(folder: &std::path::Path, paths: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn parse(path: &str) -> syn::File {
    let text = fs::read_to_string(checkout::root().join(path))
        .unwrap_or_else(|error| panic!("{path} cannot be read: {error}"));
    syn::parse_file(&text).unwrap()
}

fn read(attributes: &[syn::Attribute], name: &str) -> Option<Variant> {
    let attribute = attributes
        .iter()
        .find(|attribute| attribute.path().is_ident("error"))?;
    let tokens = &attribute.meta.require_list().unwrap().tokens;
    let message = message(tokens.clone());
    Some(Variant {
        name: name.to_owned(),
        message,
        methods: BTreeMap::new(),
    })
}

/// The text of `#[error("...", ...)]`; `None` for `transparent`.
fn message(tokens: TokenStream) -> Option<String> {
    let mut tokens = tokens.into_iter();
    let Some(TokenTree::Literal(format)) = tokens.next() else {
        return None;
    };
    let format = syn::parse_str::<syn::LitStr>(&format.to_string())
        .unwrap()
        .value();
    let mut arguments: Vec<Vec<TokenTree>> = Vec::new();
    for token in tokens {
        match (&token, arguments.last_mut()) {
            (TokenTree::Punct(sign), _) if sign.as_char() == ',' => arguments.push(Vec::new()),
            (_, Some(argument)) => argument.push(token),
            (_, None) => {}
        }
    }
    Some(fill(
        &format,
        arguments.iter().map(|argument| about(argument)),
    ))
}

/// What an argument is about: `.path.display()` and `quoted(.path)` are about `path`.
fn about(tokens: &[TokenTree]) -> String {
    field(tokens).unwrap_or_else(|| "…".to_owned())
}

fn field(tokens: &[TokenTree]) -> Option<String> {
    let mut before: Option<&TokenTree> = None;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(name)
                if matches!(before, Some(TokenTree::Punct(dot)) if dot.as_char() == '.')
                    && !matches!(tokens.get(index.wrapping_sub(2)), Some(TokenTree::Ident(_))) =>
            {
                return Some(name.to_string());
            }
            TokenTree::Ident(name)
                if index == 0
                    && name
                        .to_string()
                        .chars()
                        .all(|c| c.is_lowercase() || c == '_') =>
            {
                match tokens.get(1) {
                    Some(TokenTree::Group(group)) => {
                        let inner: Vec<_> = group.stream().into_iter().collect();
                        return field(&inner);
                    }
                    _ => return Some(member(tokens).unwrap_or_else(|| name.to_string())),
                }
            }
            _ => {}
        }
        before = Some(token);
    }
    None
}

/// The member that `artifact.key` reads. `artifact.name` stands for the artifact itself; a method call is not a member.
fn member(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        [_, TokenTree::Punct(dot), TokenTree::Ident(member)]
            if dot.as_char() == '.' && *member != "name" =>
        {
            Some(member.to_string())
        }
        _ => None,
    }
}

/// A format string with its positional arguments named.
fn fill(format: &str, mut arguments: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some(open) = rest.find(['{', '}']) {
        text.push_str(&rest[..open]);
        let mark = &rest[open..=open];
        rest = &rest[open + 1..];
        if rest.starts_with(mark) {
            text.push_str(mark);
            rest = &rest[1..];
            continue;
        }
        let close = rest.find('}').unwrap_or(rest.len());
        let name = rest[..close].split(':').next().unwrap_or_default();
        let name = match name {
            "" => arguments.next().unwrap_or_else(|| "…".to_owned()),
            number if number.parse::<usize>().is_ok() => "…".to_owned(),
            name => name.to_owned(),
        };
        text.push('{');
        text.push_str(&name);
        text.push('}');
        rest = rest.get(close + 1..).unwrap_or_default();
    }
    text.push_str(rest);
    text
}

/// The first paragraph of a documentation comment, on one line, without its stop.
fn documentation(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let named = attribute.meta.require_name_value().ok()?;
        let syn::Expr::Lit(literal) = &named.value else {
            return None;
        };
        match (&literal.lit, attribute.path().is_ident("doc")) {
            (syn::Lit::Str(text), true) => Some(text.value().trim().to_owned()),
            _ => None,
        }
    });
    let paragraph: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    paragraph.join(" ").trim_end_matches('.').to_owned()
}

/// What `impl ... for NAME { fn METHOD }` answers for each variant; `_` is for all others.
fn answers(file: &syn::File, name: &str, method: &str) -> BTreeMap<String, Answer> {
    let mut found = BTreeMap::new();
    for item in &file.items {
        let syn::Item::Impl(item) = item else {
            continue;
        };
        if item.self_ty.to_token_stream().to_string() != name {
            continue;
        }
        for member in &item.items {
            let syn::ImplItem::Fn(function) = member else {
                continue;
            };
            if function.sig.ident == method {
                found.extend(arms(&function.block));
            }
        }
    }
    found
}

/// The answers of the outermost `match`, or of a body without one.
fn arms(block: &syn::Block) -> BTreeMap<String, Answer> {
    struct First<'a>(Option<&'a syn::ExprMatch>);
    impl<'a> Visit<'a> for First<'a> {
        fn visit_expr_match(&mut self, found: &'a syn::ExprMatch) {
            self.0.get_or_insert(found);
        }
    }
    let mut first = First(None);
    first.visit_block(block);
    let Some(found) = first.0 else {
        return BTreeMap::from([("_".to_owned(), answer(block.to_token_stream()))]);
    };
    let mut answers: BTreeMap<String, Answer> = BTreeMap::new();
    for arm in &found.arms {
        let said = answer(arm.body.to_token_stream());
        for variant in names(&arm.pat) {
            match (answers.get_mut(&variant), &said) {
                (Some(Answer::Text(text)), Answer::Text(more)) => {
                    *text = format!("{text}; or: {more}");
                }
                _ => {
                    answers.insert(variant, said.clone());
                }
            }
        }
    }
    answers
}

/// The variants of `Self` that a pattern names; `_` for all others.
fn names(pattern: &syn::Pat) -> Vec<String> {
    match pattern {
        syn::Pat::Or(or) => or.cases.iter().flat_map(names).collect(),
        syn::Pat::Wild(_) => vec!["_".to_owned()],
        syn::Pat::Struct(of) => vec![last(&of.path)],
        syn::Pat::TupleStruct(of) => vec![last(&of.path)],
        syn::Pat::Path(of) => vec![last(&of.path)],
        _ => Vec::new(),
    }
}

fn last(path: &syn::Path) -> String {
    path.segments.last().unwrap().ident.to_string()
}

/// The class (`FailureType::JobFailed`) or the first text in an expression.
fn answer(whole: TokenStream) -> Answer {
    let tokens = flat(whole.clone());
    let class = tokens.windows(4).find_map(|four| match four {
        [TokenTree::Ident(of), _, _, TokenTree::Ident(class)]
            if ["FailureType", "Exit"].contains(&of.to_string().as_str()) =>
        {
            Some(class.to_string())
        }
        _ => None,
    });
    let text = first_text(whole);
    let asks_the_cause = tokens.iter().any(|token| match token {
        TokenTree::Ident(name) => ["failure_type", "hint"].contains(&name.to_string().as_str()),
        _ => false,
    });
    match class.or(text) {
        Some(text) => Answer::Text(text),
        None if asks_the_cause => Answer::Cause,
        None => Answer::Nothing,
    }
}

/// The first text in an expression; one that is formatted names what it is filled with.
fn first_text(tokens: TokenStream) -> Option<String> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        let found = match token {
            TokenTree::Group(group) => {
                let stream = group.stream();
                let formatted = index >= 2
                    && tokens[index - 2].to_string() == "format"
                    && tokens[index - 1].to_string() == "!";
                if formatted {
                    message(stream)
                } else {
                    first_text(stream)
                }
            }
            TokenTree::Literal(literal) => {
                let literal = syn::parse_str::<syn::LitStr>(&literal.to_string());
                literal.ok().map(|literal| literal.value())
            }
            _ => None,
        };
        // A word alone is what the code compares with (`_IN_PROGRESS`), not what it says.
        let found = found.filter(|text| text.contains(' '));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The tokens of an expression, those in brackets in their place.
fn flat(tokens: TokenStream) -> Vec<TokenTree> {
    let mut all = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Group(group) => all.extend(flat(group.stream())),
            token => all.push(token),
        }
    }
    all
}

/// Collects texts.
#[derive(Default)]
struct Literals(Vec<String>);

impl Visit<'_> for Literals {
    fn visit_lit_str(&mut self, literal: &syn::LitStr) {
        self.0.push(literal.value());
    }

    fn visit_macro(&mut self, call: &syn::Macro) {
        self.take(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.take(list.tokens.clone());
        }
    }

    fn visit_item_mod(&mut self, module: &syn::ItemMod) {
        if module.ident != "tests" {
            visit::visit_item_mod(self, module);
        }
    }
}

impl Literals {
    fn take(&mut self, tokens: TokenStream) {
        for token in flat(tokens) {
            if let TokenTree::Literal(literal) = token
                && let Ok(literal) = syn::parse_str::<syn::LitStr>(&literal.to_string())
            {
                self.0.push(literal.value());
            }
        }
    }
}

#[test]
fn messages_name_what_they_are_filled_with() {
    let tokens: TokenStream = syn::parse_str(
        r#""`{what}` {{x}} {} {} {:02} of {}; {}/{}", .path.display(), quoted(.files), *.signal, MOST * 2, artifact.name, artifact.key"#,
    )
    .unwrap();
    assert_eq!(
        message(tokens).unwrap(),
        "`{what}` {x} {path} {files} {signal} of {…}; {artifact}/{key}"
    );
}
