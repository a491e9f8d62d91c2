//! Texts as command lines: words in the quoting of a shell.

use super::substitution::Piece;

/// The words of a text: parted by spaces; `'…'` literally, `"…"` and `\` as in a shell.
///
/// # Errors
/// A quote that is never closed; nothing after a `\`.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    let open = |quote| format!("{quote} is never closed in: {text}");
    while let Some(c) = rest.next() {
        match c {
            c if c.is_whitespace() => words.extend(word.take()),
            '\\' => {
                let next = rest
                    .next()
                    .ok_or_else(|| format!("nothing after '\\' in: {text}"))?;
                word.get_or_insert_default().push(next);
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().ok_or_else(|| open("'"))? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().ok_or_else(|| open("\""))? {
                        '"' => break,
                        '\\' => match rest.next().ok_or_else(|| open("\""))? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The words of a text with substitutions, as ROS 2 parts them: before anything is
/// substituted, so that a value with spaces stays one word. Quotes do not reach across
/// a substitution.
///
/// # Errors
/// As [`split`].
pub(super) fn split_pieces(pieces: Vec<Piece>) -> Result<Vec<Vec<Piece>>, String> {
    let mut words = Vec::new();
    let mut word: Vec<Piece> = Vec::new();
    for piece in pieces {
        let Piece::Text(text) = piece else {
            word.push(piece);
            continue;
        };
        let mut end = |word: &mut Vec<Piece>| {
            if !word.is_empty() {
                words.push(std::mem::take(word));
            }
        };
        if text.starts_with(char::is_whitespace) {
            end(&mut word);
        }
        for (i, token) in split(&text)?.into_iter().enumerate() {
            if i > 0 {
                end(&mut word);
            }
            word.push(Piece::Text(token));
        }
        if text.ends_with(char::is_whitespace) {
            end(&mut word);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        for (text, expected) in [
            ("", &[][..]),
            ("  ls  -l ", &["ls", "-l"]),
            (
                "echo 'two words' \"and 'more'\" a\\ b",
                &["echo", "two words", "and 'more'", "a b"],
            ),
            ("a''b '' \"\\n\\\"\"", &["ab", "", "\\n\""]),
        ] {
            let expected = expected.iter().map(|s| (*s).to_owned()).collect();
            assert_eq!(split(text), Ok(expected), "{text}");
        }
        for text in ["'a", "\"a\\", "a\\"] {
            assert!(split(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_substitution_stays_one_word() {
        let x = || Piece::Substitution {
            name: "var".into(),
            arguments: Vec::new(),
        };
        let text = |t: &str| Piece::Text(t.to_owned());
        assert_eq!(
            split_pieces(vec![
                x(),
                text("/bin "),
                x(),
                text(" "),
                x(),
                text(" -a b="),
                x()
            ]),
            Ok(vec![
                vec![x(), text("/bin")],
                vec![x()],
                vec![x()],
                vec![text("-a")],
                vec![text("b="), x()],
            ])
        );
    }
}
