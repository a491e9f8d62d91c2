//! The expressions of `$(eval …)`. ROS 2 evaluates Python there; this is the
//! part of Python that launch files use: literals, `+ - * / // %`,
//! comparisons, `in`, `and`, `or`, `not`, a conditional, parentheses.

use std::cmp::Ordering;

/// Depth to which parentheses may be nested.
const MAX_DEPTH: usize = 32;

/// What stands in the errors: the remedy is to stay within this.
const ALLOWED: &str = "only literals, + - * / // %, comparisons, in, and, or, not, \
                       X if C else Y and parentheses are supported";

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl Value {
    fn truth(&self) -> bool {
        match self {
            Value::Bool(b) => *b,
            Value::Int(i) => *i != 0,
            Value::Float(f) => *f != 0.0,
            Value::Text(t) => !t.is_empty(),
        }
    }

    /// Python's `bool` is an `int`.
    fn int(&self) -> Option<i64> {
        match self {
            Value::Bool(b) => Some(i64::from(*b)),
            Value::Int(i) => Some(*i),
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Value::Float(f) => Some(*f),
            other => other.int().map(|i| i as f64),
        }
    }

    /// Python's `str()`.
    fn print(&self) -> String {
        match self {
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(i) => i.to_string(),
            // `{:?}` keeps the `.0` of a whole number, as Python does.
            Value::Float(f) => format!("{f:?}"),
            Value::Text(t) => t.clone(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Value(Value),
    /// Operator, parenthesis or keyword.
    Sign(&'static str),
}

/// Two-character signs first, so that `<=` is not read as `<`.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "//", "<", ">", "+", "-", "*", "/", "%", "(", ")",
];
const WORDS: &[&str] = &["and", "or", "not", "in", "if", "else"];

/// Evaluates an expression to the text Python's `str()` would give.
///
/// # Errors
/// A syntax error, a type that does not fit, division by zero.
pub(super) fn evaluate(text: &str) -> Result<String, String> {
    let tokens = tokenize(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        depth: 0,
    };
    let value = parser.conditional()?;
    match parser.tokens {
        [] => Ok(value.print()),
        [rest, ..] => Err(format!("unexpected {}; {ALLOWED}", show(rest))),
    }
}

fn tokenize(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let (token, length) = if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            (Token::Sign(sign), sign.len())
        } else if c == '\'' || c == '"' {
            let Some(end) = rest[1..].find(c) else {
                return Err(format!("the text {rest} is never closed"));
            };
            (Token::Value(Value::Text(rest[1..=end].to_owned())), end + 2)
        } else if c.is_ascii_digit() || c == '.' {
            number(rest)?
        } else {
            word(rest)?
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let mut end = 0;
    let bytes = rest.as_bytes();
    while let Some(b) = bytes.get(end) {
        let exponent_sign = matches!(b, b'+' | b'-') && rest[..end].ends_with(['e', 'E']);
        if !(b.is_ascii_alphanumeric() || *b == b'.' || exponent_sign) {
            break;
        }
        end += 1;
    }
    let text = &rest[..end];
    let value = match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(i), _) => Value::Int(i),
        (_, Ok(f)) => Value::Float(f),
        _ => return Err(format!("'{text}' is not a number")),
    };
    Ok((Token::Value(value), end))
}

fn word(rest: &str) -> Result<(Token, usize), String> {
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    let word = &rest[..end];
    if let Some(keyword) = WORDS.iter().find(|w| **w == word) {
        return Ok((Token::Sign(keyword), end));
    }
    match word {
        "True" => Ok((Token::Value(Value::Bool(true)), end)),
        "False" => Ok((Token::Value(Value::Bool(false)), end)),
        "" => Err(format!(
            "unexpected '{}'; {ALLOWED}",
            rest.chars().next().unwrap_or(' ')
        )),
        _ => Err(format!(
            "'{word}' is not known (a text needs quotes); {ALLOWED}"
        )),
    }
}

fn show(token: &Token) -> String {
    match token {
        Token::Value(v) => format!("'{}'", v.print()),
        Token::Sign(s) => format!("'{s}'"),
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Parser<'_> {
    fn take(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        match self.tokens {
            [Token::Sign(sign), rest @ ..] if signs.contains(sign) => {
                self.tokens = rest;
                Some(sign)
            }
            _ => None,
        }
    }

    /// `X if C else Y`. Both branches are evaluated, which is safe here: the
    /// expressions have no effects, and an error in either is an error.
    fn conditional(&mut self) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        let value = self.or()?;
        let result = if self.take(&["if"]).is_some() {
            let condition = self.or()?.truth();
            if self.take(&["else"]).is_none() {
                return Err("'if' without 'else'".to_owned());
            }
            let other = self.conditional()?;
            if condition { value } else { other }
        } else {
            value
        };
        self.depth -= 1;
        Ok(result)
    }

    fn or(&mut self) -> Result<Value, String> {
        let mut left = self.and()?;
        while self.take(&["or"]).is_some() {
            let right = self.and()?;
            left = if left.truth() { left } else { right };
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Value, String> {
        let mut left = self.not()?;
        while self.take(&["and"]).is_some() {
            let right = self.not()?;
            left = if left.truth() { right } else { left };
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Value, String> {
        let mut negate = None;
        while self.take(&["not"]).is_some() {
            negate = Some(!negate.unwrap_or(false));
        }
        let value = self.comparison()?;
        Ok(match negate {
            Some(negate) => Value::Bool(value.truth() != negate),
            None => value,
        })
    }

    fn comparison(&mut self) -> Result<Value, String> {
        let mut left = self.sum()?;
        let mut result = None;
        loop {
            let (sign, negated) = if self.take(&["not"]).is_some() {
                match self.take(&["in"]) {
                    Some(sign) => (sign, true),
                    None => return Err("'not' without 'in' after a value".to_owned()),
                }
            } else {
                match self.take(&["==", "!=", "<=", ">=", "<", ">", "in"]) {
                    Some(sign) => (sign, false),
                    None => break,
                }
            };
            let right = self.sum()?;
            let holds = compare(&left, sign, &right)? != negated;
            // a < b < c chains, as in Python.
            result = Some(result.unwrap_or(true) && holds);
            left = right;
        }
        Ok(result.map_or(left, Value::Bool))
    }

    fn sum(&mut self) -> Result<Value, String> {
        let mut left = self.product()?;
        while let Some(sign) = self.take(&["+", "-"]) {
            left = arithmetic(left, sign, self.product()?)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Value, String> {
        let mut left = self.unary()?;
        while let Some(sign) = self.take(&["*", "//", "/", "%"]) {
            left = arithmetic(left, sign, self.unary()?)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Value, String> {
        let mut negative = false;
        while let Some(sign) = self.take(&["+", "-"]) {
            negative ^= sign == "-";
        }
        let value = self.primary()?;
        if negative {
            arithmetic(Value::Int(0), "-", value)
        } else {
            Ok(value)
        }
    }

    fn primary(&mut self) -> Result<Value, String> {
        if self.take(&["("]).is_some() {
            let value = self.conditional()?;
            return match self.take(&[")"]) {
                Some(_) => Ok(value),
                None => Err("a '(' is never closed".to_owned()),
            };
        }
        match self.tokens {
            [Token::Value(value), rest @ ..] => {
                self.tokens = rest;
                Ok(value.clone())
            }
            [other, ..] => Err(format!("unexpected {}; {ALLOWED}", show(other))),
            [] => Err("it ends where a value should stand".to_owned()),
        }
    }
}

fn compare(left: &Value, sign: &str, right: &Value) -> Result<bool, String> {
    if sign == "in" {
        return match (left, right) {
            (Value::Text(a), Value::Text(b)) => Ok(b.contains(a.as_str())),
            _ => Err("'in' needs two texts".to_owned()),
        };
    }
    let order = match (left, right) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => match (left.float(), right.float()) {
            (Some(a), Some(b)) => a.partial_cmp(&b),
            // A text never equals a number, and has no order with one.
            _ if sign == "==" => return Ok(false),
            _ if sign == "!=" => return Ok(true),
            _ => return Err(format!("'{sign}' between a text and a number")),
        },
    };
    Ok(match sign {
        "==" => order == Some(Ordering::Equal),
        "!=" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })
}

fn arithmetic(left: Value, sign: &str, right: Value) -> Result<Value, String> {
    if let (Value::Text(a), "+", Value::Text(b)) = (&left, sign, &right) {
        return Ok(Value::Text(format!("{a}{b}")));
    }
    let (Some(a), Some(b)) = (left.float(), right.float()) else {
        return Err(format!("'{sign}' needs two numbers (or '+' two texts)"));
    };
    if matches!(sign, "/" | "//" | "%") && b == 0.0 {
        return Err("division by zero".to_owned());
    }
    if let (Some(a), Some(b), true) = (left.int(), right.int(), sign != "/") {
        let result = match sign {
            "+" => a.checked_add(b),
            "-" => a.checked_sub(b),
            "*" => a.checked_mul(b),
            // Python rounds down, and the remainder has the divisor's sign.
            "//" => a
                .checked_div(b)
                .map(|q| q - i64::from(a % b != 0 && (a < 0) != (b < 0))),
            _ => a.checked_rem(b).map(|r| {
                if r != 0 && (r < 0) != (b < 0) {
                    r + b
                } else {
                    r
                }
            }),
        };
        return result
            .map(Value::Int)
            .ok_or_else(|| format!("'{sign}' overflows 64 bits"));
    }
    Ok(Value::Float(match sign {
        "+" => a + b,
        "-" => a - b,
        "*" => a * b,
        "/" => a / b,
        "//" => (a / b).floor(),
        _ => a - b * (a / b).floor(),
    }))
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    /// Each right side is what Python 3.11 prints for the left.
    #[test]
    fn expressions_evaluate_as_in_python() {
        for (expression, expected) in [
            ("1 + 2 * 3", "7"),
            ("(1 + 2) * 3", "9"),
            ("7 // 2", "3"),
            ("-7 // 2", "-4"),
            ("-7 % 3", "2"),
            ("7 % -3", "-2"),
            ("7 / 2", "3.5"),
            ("6 / 2", "3.0"),
            ("7.5 // 2", "3.0"),
            ("1e3 * 2", "2000.0"),
            ("--3", "3"),
            ("'a' + 'b'", "ab"),
            ("'gazebo' == \"gazebo\"", "True"),
            ("'gazebo' != 'embedded' and 3 > 2", "True"),
            ("not 1 == 2", "True"),
            ("not not 3", "True"),
            ("1 < 2 < 3", "True"),
            ("1 < 3 < 2", "False"),
            ("'b' in 'abc'", "True"),
            ("'x' not in 'abc'", "True"),
            ("0 or 'fallback'", "fallback"),
            ("'' and 1", ""),
            ("True + 1", "2"),
            ("1 == '1'", "False"),
            ("10 if 2 > 1 else 20", "10"),
            ("(10 if 2 < 1 else 20) + 1", "21"),
            ("0.1 + 0.2", "0.30000000000000004"),
        ] {
            assert_eq!(
                evaluate(expression).as_deref(),
                Ok(expected),
                "{expression}"
            );
        }
    }

    #[test]
    fn what_is_not_supported_says_so() {
        for (expression, part) in [
            ("", "ends"),
            ("1 +", "ends"),
            ("(1", "never closed"),
            ("'a", "never closed"),
            ("1 2", "unexpected '2'"),
            ("gazebo == 1", "'gazebo' is not known"),
            ("len('a')", "'len' is not known"),
            ("__import__('os')", "not known"),
            ("1 / 0", "division by zero"),
            ("1 // 0", "division by zero"),
            ("1 < 'a'", "between a text and a number"),
            ("'a' * 2", "needs two numbers"),
            ("9223372036854775807 + 1", "overflows"),
            ("1 if 2", "without 'else'"),
            ("1 not 2", "without 'in'"),
            ("[1]", "unexpected '['"),
            ("1..2", "not a number"),
        ] {
            let error = evaluate(expression).expect_err(expression);
            assert!(error.contains(part), "{expression}: {error}");
        }
        let deep = "(".repeat(100_000);
        assert!(evaluate(&deep).is_err_and(|e| e.contains("nested deeper")));
    }
}
