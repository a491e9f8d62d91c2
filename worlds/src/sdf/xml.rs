//! Typed access to XML elements, with errors that name file, line and element.

use glam::{EulerRot, Quat, Vec3};
use roxmltree::Node;

use super::{NAMESPACE, Pose, SdfError};

/// An element together with the name of its file.
#[derive(Clone, Copy)]
pub struct El<'a, 'i> {
    file: &'a str,
    node: Node<'a, 'i>,
}

impl<'a, 'i> El<'a, 'i> {
    pub fn new(file: &'a str, node: Node<'a, 'i>) -> Self {
        Self { file, node }
    }

    /// An error at this element.
    pub fn error(&self, problem: impl Into<String>, remedy: impl Into<String>) -> SdfError {
        let tag = self.node.tag_name().name();
        SdfError::Element {
            file: self.file.to_owned(),
            line: self
                .node
                .document()
                .text_pos_at(self.node.range().start)
                .row,
            element: match self.node.attribute("name") {
                Some(name) => format!("{tag} name=\"{name}\""),
                None => tag.to_owned(),
            },
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    pub fn tag(&self) -> &'a str {
        self.node.tag_name().name()
    }

    /// Child elements with that tag, without a namespace.
    pub fn children(self, tag: &'static str) -> impl Iterator<Item = Self> {
        let file = self.file;
        self.node
            .children()
            .filter(move |n| n.has_tag_name(tag) && n.tag_name().namespace().is_none())
            .map(move |node| Self { file, node })
    }

    /// Child elements of our own namespace with that tag.
    pub fn own(self, tag: &'static str) -> impl Iterator<Item = Self> {
        let file = self.file;
        self.node
            .children()
            .filter(move |n| n.has_tag_name((NAMESPACE, tag)))
            .map(move |node| Self { file, node })
    }

    pub fn child(self, tag: &'static str) -> Option<Self> {
        self.children(tag).next()
    }

    pub fn need(self, tag: &'static str) -> Result<Self, SdfError> {
        self.child(tag)
            .ok_or_else(|| self.error(format!("has no <{tag}>"), format!("add a <{tag}> element")))
    }

    pub fn text(self) -> &'a str {
        self.node.text().unwrap_or("").trim()
    }

    pub fn attribute(self, name: &str) -> Option<&'a str> {
        self.node.attribute(name)
    }

    pub fn need_attribute(self, name: &str) -> Result<&'a str, SdfError> {
        match self.node.attribute(name) {
            Some(value) if !value.trim().is_empty() => Ok(value.trim()),
            _ => Err(self.error(
                format!("has no attribute {name}"),
                format!("write {name}=\"...\""),
            )),
        }
    }

    fn parse_number(self, text: &str) -> Result<f64, SdfError> {
        match text.parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(x),
            _ => Err(self.error(
                format!("expected a finite number, found \"{text}\""),
                "write a decimal number",
            )),
        }
    }

    /// The text as exactly `N` finite numbers.
    pub fn numbers<const N: usize>(self) -> Result<[f64; N], SdfError> {
        self.parse_numbers(self.text())
    }

    fn parse_numbers<const N: usize>(self, text: &str) -> Result<[f64; N], SdfError> {
        let mut out = [0.0; N];
        let mut words = text.split_whitespace();
        for slot in &mut out {
            let word = words.next().ok_or_else(|| {
                self.error(
                    format!("expected {N} numbers, found \"{text}\""),
                    format!("write {N} numbers separated by spaces"),
                )
            })?;
            *slot = self.parse_number(word)?;
        }
        match words.next() {
            None => Ok(out),
            Some(word) => Err(self.error(
                format!("expected {N} numbers, found more (\"{word}\")"),
                format!("write {N} numbers separated by spaces"),
            )),
        }
    }

    /// The number in the child element `tag`, or `default`.
    pub fn number_or(self, tag: &'static str, default: f64) -> Result<f64, SdfError> {
        match self.child(tag) {
            Some(child) => Ok(child.numbers::<1>()?[0]),
            None => Ok(default),
        }
    }

    /// The number in the child element `tag`, which must be there.
    pub fn number(self, tag: &'static str) -> Result<f64, SdfError> {
        Ok(self.need(tag)?.numbers::<1>()?[0])
    }

    /// The number in the child element `tag`, which must be there and positive.
    pub fn positive(self, tag: &'static str) -> Result<f64, SdfError> {
        let child = self.need(tag)?;
        child.check_positive(child.numbers::<1>()?[0])
    }

    pub fn check_positive(self, x: f64) -> Result<f64, SdfError> {
        if x > 0.0 && (x as f32) > 0.0 && (x as f32).is_finite() {
            Ok(x)
        } else {
            Err(self.error(
                format!("expected a positive number, found {x}"),
                "write a number greater than zero",
            ))
        }
    }

    /// Three numbers as a vector.
    pub fn vec3(self) -> Result<Vec3, SdfError> {
        Ok(Vec3::from(self.numbers::<3>()?.map(|x| x as f32)))
    }

    /// A vector made unit length.
    pub fn unit_vec3(self) -> Result<Vec3, SdfError> {
        self.vec3()?.try_normalize().ok_or_else(|| {
            self.error(
                "expected a direction, found a zero vector",
                "write a vector such as 0 0 1",
            )
        })
    }

    pub fn boolean_or(self, tag: &'static str, default: bool) -> Result<bool, SdfError> {
        let Some(child) = self.child(tag) else {
            return Ok(default);
        };
        match child.text() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            other => Err(child.error(
                format!("expected true or false, found \"{other}\""),
                "write true or false",
            )),
        }
    }

    /// A pose `x y z roll pitch yaw` (fixed axes).
    pub fn pose(self) -> Result<Pose, SdfError> {
        if self.text().is_empty() {
            return Ok(Pose::IDENTITY);
        }
        let [x, y, z, roll, pitch, yaw] = self.numbers::<6>()?.map(|x| x as f32);
        Ok(Pose::from_parts(
            Vec3::new(x, y, z),
            Quat::from_euler(EulerRot::ZYX, yaw, pitch, roll),
        ))
    }

    /// The `<pose>` child, or identity; `relative_to` must not be used.
    pub fn local_pose(self) -> Result<Pose, SdfError> {
        let Some(child) = self.child("pose") else {
            return Ok(Pose::IDENTITY);
        };
        if let Some(frame) = child.attribute("relative_to").filter(|f| !f.is_empty()) {
            return Err(child.error(
                format!("relative_to=\"{frame}\" is read on links and joints alone"),
                "give the pose in the frame of the element around it",
            ));
        }
        child.pose()
    }

    /// A number in an attribute, or `default`.
    pub fn number_attribute_or(self, name: &str, default: f64) -> Result<f64, SdfError> {
        match self.attribute(name) {
            Some(text) => self.parse_number(text.trim()),
            None => Ok(default),
        }
    }

    /// Numbers in an attribute, which must be there.
    pub fn numbers_attribute<const N: usize>(self, name: &str) -> Result<[f64; N], SdfError> {
        self.parse_numbers(self.need_attribute(name)?)
    }

    /// Refuses the second of two equal names.
    pub fn unique<'b>(
        self,
        name: &str,
        mut taken: impl Iterator<Item = &'b str>,
    ) -> Result<(), SdfError> {
        if taken.any(|other| other == name) {
            return Err(self.error(
                format!("the name \"{name}\" is taken already"),
                "give every one its own name",
            ));
        }
        Ok(())
    }
}
