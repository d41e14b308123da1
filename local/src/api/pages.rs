//! Pages of a list: the next token is the position to go on from.

use serde_json::Value;

use super::failure::ApiError;

/// One page of a list, and the token of the next.
pub(crate) fn page(
    items: Vec<Value>,
    max_results: Option<usize>,
    next_token: Option<&str>,
    default: usize,
) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let start = match next_token {
        None => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| ApiError::InvalidNextToken)?,
    };
    if start > items.len() {
        return Err(ApiError::InvalidNextToken);
    }
    let size = max_results.unwrap_or(default);
    let rest = items.len() - start;
    let next = (rest > size).then(|| (start + size).to_string());
    Ok((items.into_iter().skip(start).take(size).collect(), next))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_cover_a_list_once() {
        let items: Vec<_> = (0..5).map(|number| json!(number)).collect();
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let (page, next) = page(items.clone(), Some(2), token.as_deref(), 100).unwrap();
            seen.extend(page);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, items);
    }

    #[test]
    fn a_token_of_someone_else_is_refused() {
        assert!(matches!(
            page(vec![], None, Some("x"), 1),
            Err(ApiError::InvalidNextToken)
        ));
        assert!(matches!(
            page(vec![], None, Some("7"), 1),
            Err(ApiError::InvalidNextToken)
        ));
    }
}
