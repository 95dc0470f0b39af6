//! The name that was probably meant.

/// The one of `known` that is nearest to `word`, when one is near: no more than a third of it is different.
#[must_use]
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = letters(word);
    let near = known.into_iter().map(|name| (distance(&word, &letters(name)), name)).min_by_key(|(steps, _)| *steps);
    near.filter(|(steps, name)| *steps <= (name.chars().count() / 3).max(1)).map(|(_, name)| name)
}

/// `, did you mean NAME?` with the nearest of `known`, or nothing when none is near.
#[must_use]
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(word, known).map_or_else(String::new, |name| format!(", did you mean {name}?"))
}

/// In lower case; nobody's key is longer than this.
fn letters(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).take(64).collect()
}

/// How many letters must be put in, left out, exchanged or swapped with their neighbour to come from `a` to `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    // Costs from the first letters of `a` to the first letters of `b`: the line before last, and the last one.
    let mut earlier: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last_x = None;
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        let mut last_y = None;
        for (j, y) in b.iter().enumerate() {
            let cost = |row: &[usize], column: usize| row.get(column).map_or(usize::MAX, |n| n.saturating_add(1));
            let exchanged = if x == y { cost(&above, j) - 1 } else { cost(&above, j) };
            let put_in_or_left_out = cost(&above, j + 1).min(cost(&row, j));
            let is_swap = last_x == Some(y) && last_y == Some(x);
            let swapped = if is_swap { cost(&earlier, j.wrapping_sub(1)) } else { usize::MAX };
            row.push(exchanged.min(put_in_or_left_out).min(swapped));
            last_y = Some(y);
        }
        earlier = std::mem::replace(&mut above, row);
        last_x = Some(x);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_name_is_told_only_when_it_is_near() {
        let known = ["https", "http", "ops", "trusted_proxies"];
        assert_eq!(nearest("trusted_proxy", known), Some("trusted_proxies"));
        assert_eq!(nearest("HTTPS", known), Some("https"));
        assert_eq!(nearest("opps", known), Some("ops"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("x", []), None);
        assert_eq!(did_you_mean("htpts", known), ", did you mean https?");
    }

    #[test]
    fn a_swap_is_one_step() {
        let steps = |a, b| distance(&letters(a), &letters(b));
        assert_eq!(steps("tyep", "type"), 1);
        assert_eq!(steps("", "type"), 4);
        assert_eq!(steps("type", ""), 4);
        assert_eq!(steps("kitten", "sitting"), 3);
        assert_eq!(steps("ab", "ba"), 1);
    }

    proptest! {
        #[test]
        fn it_is_as_far_there_as_back_and_nowhere_only_to_itself(a in "[a-c]{0,6}", b in "[a-c]{0,6}") {
            let (x, y) = (letters(&a), letters(&b));
            prop_assert_eq!(distance(&x, &y), distance(&y, &x));
            prop_assert_eq!(distance(&x, &y) == 0, a == b);
        }
    }
}
