//! YAML text as a tree that keeps the place of every value.
//!
//! A job file uses little of YAML: one document of mappings, lists and scalars. Anchors, aliases, tags and keys
//! that are not text are refused, which leaves nothing that could expand or refer back. Scalars are kept as the
//! text that is written: what `1e5` or `yes` means is for the key to say, not for YAML.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use crate::fault::{Fault, quoted};
use crate::mistake::{Notes, line_and_column};

/// How deep collections may lie in each other. The deepest key of a job file has three above it.
const DEPTH_MAX: usize = 16;

/// A value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
    /// Something that was refused already: whoever reads it says nothing more.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Quoted,
}

impl Scalar {
    /// Whether nothing is written, or YAML's word for nothing.
    pub(crate) fn is_null(&self) -> bool {
        self.style == Style::Plain
            && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Node,
}

impl Entry {
    /// The place of the value, or of the key when no value is written.
    pub(crate) fn place(&self) -> Range<usize> {
        if self.value.span.is_empty() {
            self.key_span.clone()
        } else {
            self.value.span.clone()
        }
    }
}

/// A collection whose end has not been seen.
enum Open {
    List {
        items: Vec<Node>,
        span: Range<usize>,
        style: StructureStyle,
    },
    Mapping {
        entries: Vec<Entry>,
        /// Where each key was first seen.
        seen: HashMap<String, usize>,
        /// The key whose value comes next; its text is `None` when it was refused.
        key: Option<(Option<String>, Range<usize>)>,
        span: Range<usize>,
        style: StructureStyle,
    },
}

/// Reads one document. `None` when nothing can be said about its content: the reason is in `notes`.
pub(crate) fn parse(text: &str, notes: &mut Notes) -> Option<Node> {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
        disallow_directives: true,
        block_nesting_limit: DEPTH_MAX,
        flow_nesting_limit: DEPTH_MAX,
    };
    let mut tree = Tree {
        text,
        notes,
        open: Vec::new(),
        root: None,
        documents: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => {
                if tree.take(event, span).is_break() {
                    return None;
                }
            }
            Err(error) => {
                tree.refuse_syntax(&error);
                return None;
            }
        }
    }
    let Tree { root, .. } = tree;
    if root.is_none() {
        notes.refuse(&Fault::Empty, 0..0);
    }
    root
}

struct Tree<'a> {
    text: &'a str,
    notes: &'a mut Notes,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

impl Tree<'_> {
    /// Takes the next event. Breaks when what follows cannot be read as one document.
    fn take(&mut self, event: Event<'_>, span: Span) -> std::ops::ControlFlow<()> {
        let range = self.range(span);
        if let Some(tag) = span.tag_span() {
            let tag = self.range(tag);
            self.notes.refuse(&Fault::Tag, tag);
        }
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.notes.refuse(&Fault::SeveralDocuments, range);
                    return std::ops::ControlFlow::Break(());
                }
            }
            Event::Scalar(text, style, _, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    _ => Style::Quoted,
                };
                self.place(Node {
                    value: Value::Scalar(Scalar {
                        text: text.into_owned(),
                        style,
                    }),
                    span: range,
                });
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.notes.refuse(&Fault::Alias, range.clone());
                self.place(Node {
                    value: Value::Refused,
                    span: range,
                });
            }
            Event::Anchor(..) => self.notes.refuse(&Fault::Alias, range),
            Event::SequenceStart(style, ..) => {
                self.open.push(Open::List {
                    items: Vec::new(),
                    span: range,
                    style,
                });
                return self.check_depth();
            }
            Event::MappingStart(style, ..) => {
                self.open.push(Open::Mapping {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                    span: range,
                    style,
                });
                return self.check_depth();
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&range),
            _ => {}
        }
        std::ops::ControlFlow::Continue(())
    }

    fn check_depth(&mut self) -> std::ops::ControlFlow<()> {
        if self.open.len() <= DEPTH_MAX {
            return std::ops::ControlFlow::Continue(());
        }
        let span = match self.open.last() {
            Some(Open::List { span, .. } | Open::Mapping { span, .. }) => span.clone(),
            None => 0..0,
        };
        self.notes.refuse(
            &Fault::TooDeep {
                depth_max: DEPTH_MAX,
            },
            span,
        );
        std::ops::ControlFlow::Break(())
    }

    fn close(&mut self, end: &Range<usize>) {
        let (value, span, style) = match self.open.pop() {
            Some(Open::List { items, span, style }) => (Value::List(items), span, style),
            Some(Open::Mapping {
                entries,
                span,
                style,
                ..
            }) => (Value::Mapping(entries), span, style),
            // The parser closes only what it opened.
            None => return,
        };
        let span = match style {
            StructureStyle::Flow => span.start..end.end.max(span.end),
            // A block has no last character of its own: its first line is what one would point at.
            StructureStyle::Block => {
                let line = self.text[span.start..].lines().next().unwrap_or("");
                span.start..span.start + line.trim_end().len()
            }
        };
        self.place(Node { value, span });
    }

    /// Puts a finished node into the collection that is open.
    fn place(&mut self, node: Node) {
        let text = self.text;
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Mapping {
                entries, seen, key, ..
            }) => match key.take() {
                None => {
                    let span = node.span;
                    let name = match node.value {
                        Value::Scalar(scalar) => Some(scalar.text),
                        Value::List(_) | Value::Mapping(_) => {
                            self.notes.refuse(&Fault::KeyNotText, span.clone());
                            None
                        }
                        Value::Refused => None,
                    };
                    if let Some(name) = &name
                        && let Some(&first) = seen.get(name)
                    {
                        let first_line = match self.notes.is_full() {
                            true => 0,
                            false => line_and_column(text, first).0,
                        };
                        let fault = Fault::DuplicateKey {
                            key: quoted(name),
                            first_line,
                        };
                        self.notes.refuse(&fault, span.clone());
                        *key = Some((None, span));
                        return;
                    }
                    if let Some(name) = &name {
                        seen.insert(name.clone(), span.start);
                    }
                    *key = Some((name, span));
                }
                Some((Some(name), key_span)) => entries.push(Entry {
                    key: name,
                    key_span,
                    value: node,
                }),
                Some((None, _)) => {}
            },
        }
    }

    fn refuse_syntax(&mut self, error: &ScanError) {
        let at = error
            .marker()
            .byte_offset()
            .unwrap_or(self.text.len())
            .min(self.text.len());
        let mut start = self.text.floor_char_boundary(at);
        // The parser points behind the tab that it complains of.
        if is_tab(error.kind()) && self.text[..start].ends_with('\t') {
            start -= 1;
        }
        let end = self.text[start..]
            .chars()
            .next()
            .map_or(start, |character| start + character.len_utf8());
        let fault = match error.kind() {
            kind if is_tab(kind) => Fault::Tab,
            ErrorKind::RecursionLimitExceeded => Fault::TooDeep {
                depth_max: DEPTH_MAX,
            },
            ErrorKind::MultipleDocumentsUnsupported => Fault::SeveralDocuments,
            ErrorKind::DirectiveDisallowed => Fault::Directive,
            kind => Fault::Syntax {
                problem: kind.to_string(),
            },
        };
        self.notes.refuse(&fault, start..end);
    }

    /// A parser's span as bytes of the text, without trailing white space.
    fn range(&self, span: Span) -> Range<usize> {
        let bound = |offset: usize| self.text.floor_char_boundary(offset.min(self.text.len()));
        let range = span.byte_range().unwrap_or(0..0);
        let (start, end) = (bound(range.start), bound(range.end));
        if start >= end {
            return start..start;
        }
        start..start + self.text[start..end].trim_end().len()
    }
}

fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar
    )
}
