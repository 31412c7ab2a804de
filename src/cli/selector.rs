//! Selectors and filters: what people type, as a filter of the interface. Pure.

use super::exit::Failure;

/// A filter of the interface from `-l` selectors and a `--filter`; empty for all.
///
/// # Errors
/// Wrong use: a selector that cannot be read.
pub fn to_filter(selectors: &[String], filter: Option<&str>) -> Result<String, Failure> {
    let mut terms = Vec::new();
    if let Some(filter) = filter.map(str::trim).filter(|filter| !filter.is_empty()) {
        terms.push(filter.to_owned());
    }
    for selector in selectors.iter().flat_map(|selector| selector.split(',')) {
        terms.push(selector_term(selector.trim())?);
    }
    Ok(join(&terms, "AND"))
}

/// Joins terms, each in parentheses where there are several and it is not a single comparison.
pub fn join(terms: &[String], word: &str) -> String {
    match terms {
        [] => String::new(),
        [term] => term.clone(),
        _ => {
            let parts: Vec<String> = terms.iter().map(|term| parenthesised(term)).collect();
            parts.join(&format!(" {word} "))
        }
    }
}

fn parenthesised(term: &str) -> String {
    if term.contains(" AND ") || term.contains(" OR ") { format!("({term})") } else { term.to_owned() }
}

/// `a=b`, `a==b`, `a!=b`, `a` (has it), `!a` (has it not).
fn selector_term(selector: &str) -> Result<String, Failure> {
    let bad = || {
        Failure::usage(format!("selector {selector:?}: write key=value, key!=value, key or !key, with commas between"))
    };
    if let Some((key, value)) = selector.split_once("!=") {
        return Ok(format!("NOT {} = {}", label_field(key).ok_or_else(bad)?, quoted(value.trim())));
    }
    if let Some((key, value)) = selector.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value);
        return Ok(format!("{} = {}", label_field(key).ok_or_else(bad)?, quoted(value.trim())));
    }
    if let Some(key) = selector.strip_prefix('!') {
        return Ok(format!("NOT {}:*", label_field(key).ok_or_else(bad)?));
    }
    Ok(format!("{}:*", label_field(selector).ok_or_else(bad)?))
}

fn label_field(key: &str) -> Option<String> {
    let key = key.trim();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if key.is_empty() || key.contains(char::is_whitespace) {
        return None;
    }
    if key.chars().all(is_plain) { Some(format!("labels.{key}")) } else { Some(format!("labels.{}", quoted(key))) }
}

/// A word as a quoted string of the filter language.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(selectors: &[&str], filter: Option<&str>) -> Result<String, Failure> {
        let selectors: Vec<String> = selectors.iter().map(|selector| (*selector).to_owned()).collect();
        to_filter(&selectors, filter)
    }

    #[test]
    fn selectors_become_comparisons_of_labels() {
        assert_eq!(filter(&["tier=dev"], None).as_deref(), Ok("labels.tier = \"dev\""));
        assert_eq!(filter(&["a=b,c!=d"], None).as_deref(), Ok("labels.a = \"b\" AND NOT labels.c = \"d\""));
        assert_eq!(filter(&["a", "!b"], None).as_deref(), Ok("labels.a:* AND NOT labels.b:*"));
        assert_eq!(filter(&["vrm.expect=off"], None).as_deref(), Ok("labels.\"vrm.expect\" = \"off\""));
        assert_eq!(filter(&[r#"a=x"y\"#], None).as_deref(), Ok(r#"labels.a = "x\"y\\""#));
        assert_eq!(filter(&[], None).as_deref(), Ok(""));
    }

    #[test]
    fn a_filter_with_its_own_words_is_put_in_parentheses() {
        assert_eq!(
            filter(&["a=b"], Some("run_state = off OR run_state = crashed")).as_deref(),
            Ok("(run_state = off OR run_state = crashed) AND labels.a = \"b\"")
        );
        assert_eq!(filter(&[], Some(" x = 1 ")).as_deref(), Ok("x = 1"));
    }

    #[test]
    fn malformed_selectors_are_wrong_use() {
        for selector in ["=b", "!", "a=b,,c=d", "a b=c"] {
            assert!(filter(&[selector], None).is_err(), "{selector}");
        }
    }
}
