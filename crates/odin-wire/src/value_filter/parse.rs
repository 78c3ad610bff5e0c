//! From words to a condition.

use super::token::{Kind, Token, tokens};
use super::{COMPARISONS_MAX, DEPTH_MAX, FilterError, FilterFault, Literal, Node, Operator};

pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        comparisons: 0,
    };
    if parser.here().kind == Kind::End {
        return Err(parser.refuse(FilterFault::Empty));
    }
    let root = parser.any(0)?;
    match parser.here().kind {
        Kind::End => Ok(root),
        _ => Err(parser.unexpected("`and`, `or` or the end")),
    }
}

struct Parser {
    /// Ends with [`Kind::End`], which is never passed.
    tokens: Vec<Token>,
    at: usize,
    comparisons: usize,
}

impl Parser {
    fn here(&self) -> &Token {
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.here().clone();
        self.at += 1;
        token
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.here().kind, Kind::Word(it) if it.eq_ignore_ascii_case(word))
    }

    /// Passes the word if it stands here.
    fn takes(&mut self, word: &str) -> bool {
        let is_here = self.is_word(word);
        self.at += usize::from(is_here);
        is_here
    }

    fn refuse(&self, fault: FilterFault) -> FilterError {
        FilterError {
            span: self.here().span.clone(),
            fault,
        }
    }

    fn unexpected(&self, expected: &'static str) -> FilterError {
        let found = match &self.here().kind {
            Kind::Word(word) | Kind::Number(word) => format!("`{word}`"),
            Kind::Text(_) => "a text".to_owned(),
            Kind::Operator(operator) => format!("`{}`", operator.sign()),
            Kind::Open => "`(`".to_owned(),
            Kind::Close => "`)`".to_owned(),
            Kind::End => "the end".to_owned(),
        };
        self.refuse(FilterFault::Unexpected { expected, found })
    }

    fn any(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut nodes = vec![self.all(depth)?];
        while self.takes("or") {
            nodes.push(self.all(depth)?);
        }
        Ok(alone(nodes, Node::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut nodes = vec![self.one(depth)?];
        while self.takes("and") {
            nodes.push(self.one(depth)?);
        }
        Ok(alone(nodes, Node::All))
    }

    fn one(&mut self, depth: usize) -> Result<Node, FilterError> {
        if depth >= DEPTH_MAX && (self.is_word("not") || self.here().kind == Kind::Open) {
            return Err(self.refuse(FilterFault::TooDeep));
        }
        if self.takes("not") {
            return Ok(Node::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.here().kind == Kind::Open {
            self.at += 1;
            let inner = self.any(depth + 1)?;
            if self.here().kind != Kind::Close {
                return Err(self.unexpected("`)`"));
            }
            self.at += 1;
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Node, FilterError> {
        let (name, is_bare) = match &self.here().kind {
            Kind::Word(word) if !self.is_word("and") && !self.is_word("or") => (word.clone(), true),
            Kind::Text(text) => (text.clone(), false),
            _ => return Err(self.unexpected("a name")),
        };
        if self.comparisons == COMPARISONS_MAX {
            return Err(self.refuse(FilterFault::TooMany));
        }
        self.comparisons += 1;
        let span = self.next().span;
        if self.takes("exists") {
            return Ok(Node::Exists(name));
        }
        if self.takes("contains") {
            return match self.here().kind.clone() {
                Kind::Text(part) => {
                    self.at += 1;
                    Ok(Node::Contains(name, part))
                }
                Kind::Word(word) => Err(self.refuse(FilterFault::BareText(word))),
                _ => Err(self.unexpected("a text in quotes")),
            };
        }
        let place = self.here().clone();
        match place.kind {
            Kind::Operator(operator) => {
                self.at += 1;
                let literal = self.literal()?;
                let is_order = !matches!(operator, Operator::Equal | Operator::NotEqual);
                if is_order && matches!(literal, Literal::Boolean(_)) {
                    let fault = FilterFault::NoOrder;
                    let span = place.span;
                    return Err(FilterError { span, fault });
                }
                Ok(Node::Compare(name, operator, literal))
            }
            Kind::Word(_) if is_bare && !self.is_word("and") && !self.is_word("or") => {
                Err(FilterError {
                    span: span.start..place.span.end,
                    fault: FilterFault::NameOfWords(name),
                })
            }
            _ => Err(FilterError {
                span,
                fault: FilterFault::NotCompared(name),
            }),
        }
    }

    fn literal(&mut self) -> Result<Literal, FilterError> {
        let literal = match self.here().kind.clone() {
            Kind::Number(number) => Literal::Number(number),
            Kind::Text(text) => Literal::Text(text),
            Kind::Word(_) if self.is_word("true") => Literal::Boolean(true),
            Kind::Word(_) if self.is_word("false") => Literal::Boolean(false),
            Kind::Word(word) => return Err(self.refuse(FilterFault::BareText(word))),
            Kind::Operator(_) | Kind::Open | Kind::Close | Kind::End => {
                return Err(self.unexpected("a value"));
            }
        };
        self.at += 1;
        Ok(literal)
    }
}

/// One node is itself.
fn alone(mut nodes: Vec<Node>, several: impl Fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        last => {
            nodes.extend(last);
            several(nodes)
        }
    }
}

impl Operator {
    fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}
