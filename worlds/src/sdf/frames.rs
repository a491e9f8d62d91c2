//! Poses of links and joints in their model, following `relative_to`.
//!
//! SDF 1.7 and later: a link's pose is relative to the model unless
//! `relative_to` names a link or a joint; a joint's pose is relative to its child
//! link unless `relative_to` says otherwise.

use super::xml::El;
use super::{Pose, SdfError};

/// A frame of a model before its pose in the model is known.
pub struct Frame<'a, 'i> {
    pub name: String,
    /// The link or joint, for errors.
    pub element: El<'a, 'i>,
    /// Name of the frame the pose is relative to; `None` is the model.
    pub relative_to: Option<String>,
    pub pose: Pose,
}

impl<'a, 'i> Frame<'a, 'i> {
    /// Reads `<pose>` of a link or joint; `default` is what a pose without
    /// `relative_to` is relative to.
    pub fn read(element: El<'a, 'i>, name: &str, default: Option<&str>) -> Result<Self, SdfError> {
        let pose = element.child("pose");
        let relative_to = pose
            .and_then(|p| p.attribute("relative_to"))
            .filter(|f| !f.is_empty())
            .or(default)
            .filter(|&f| f != "__model__")
            .map(str::to_owned);
        Ok(Self {
            name: name.to_owned(),
            element,
            relative_to,
            pose: pose.map_or(Ok(Pose::IDENTITY), El::pose)?,
        })
    }
}

/// Poses of all frames in the model frame, in the same order.
pub fn resolve(frames: &[Frame<'_, '_>]) -> Result<Vec<Pose>, SdfError> {
    frames
        .iter()
        .map(|frame| {
            let mut pose = frame.pose;
            let mut at = frame;
            // A chain longer than there are frames goes round in a circle.
            for _ in 0..=frames.len() {
                let Some(name) = &at.relative_to else {
                    return Ok(pose);
                };
                at = frames.iter().find(|f| f.name == *name).ok_or_else(|| {
                    at.element.error(
                        format!("its pose is relative to \"{name}\", which is no link or joint of the model"),
                        "name a link or joint of the same model",
                    )
                })?;
                pose = at.pose * pose;
            }
            Err(frame.element.error(
                "its pose is relative to itself in a circle",
                "let the chain of relative_to end at the model",
            ))
        })
        .collect()
}
