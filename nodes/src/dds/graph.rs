//! How ROS 2 learns that a participant's endpoints belong to a node: the message
//! `rmw_dds_common/msg/ParticipantEntitiesInfo` on `ros_discovery_info`.

use saccade_msgs::cdr::{Encoding, Writer};

use super::Distribution;

pub(super) const TOPIC: &str = "ros_discovery_info";
pub(super) const TYPE: &str = "rmw_dds_common::msg::dds_::ParticipantEntitiesInfo_";

/// Identifier of a participant or endpoint, as DDS has it.
pub(super) type Guid = [u8; 16];

/// A participant's nodes.
#[derive(Debug, Clone)]
pub(super) struct Announcement {
    pub distribution: Distribution,
    pub participant: Guid,
    pub nodes: Vec<Announced>,
}

/// A node and its endpoints.
#[derive(Debug, Clone, Default)]
pub(super) struct Announced {
    /// `/`, or `/robot`.
    pub namespace: String,
    pub name: String,
    pub readers: Vec<Guid>,
    pub writers: Vec<Guid>,
}

impl Announcement {
    pub fn to_cdr(&self) -> Vec<u8> {
        let mut w = Writer::new(Encoding::Cdr);
        self.guid(&mut w, &self.participant);
        w.count(self.nodes.len());
        for node in &self.nodes {
            w.string(&node.namespace);
            w.string(&node.name);
            for endpoints in [&node.readers, &node.writers] {
                w.count(endpoints.len());
                for guid in endpoints {
                    self.guid(&mut w, guid);
                }
            }
        }
        w.into_bytes()
    }

    fn guid(&self, w: &mut Writer, guid: &Guid) {
        w.raw(guid);
        if self.distribution == Distribution::Humble {
            w.raw(&[0; 8]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, from the message's definition.
    #[test]
    fn bytes_of_both_distributions() {
        let announcement = |distribution| Announcement {
            distribution,
            participant: [7; 16],
            nodes: vec![Announced {
                namespace: "/".into(),
                name: "saccade".into(),
                readers: Vec::new(),
                writers: vec![[9; 16]],
            }],
        };
        let middle = [
            &[1, 0, 0, 0, 2, 0, 0, 0][..],
            b"/\0\0\0",
            &[8, 0, 0, 0],
            b"saccade\0",
            &[0, 0, 0, 0, 1, 0, 0, 0],
        ]
        .concat();
        let header = [0, 1, 0, 0];
        let jazzy = [&header[..], &[7; 16], &middle, &[9; 16]].concat();
        assert_eq!(announcement(Distribution::Jazzy).to_cdr(), jazzy);
        let rest = [0; 8];
        let humble = [&header[..], &[7; 16], &rest, &middle, &[9; 16], &rest].concat();
        assert_eq!(announcement(Distribution::Humble).to_cdr(), humble);
    }
}
