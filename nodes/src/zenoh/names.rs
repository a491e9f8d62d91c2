//! Key expressions of topics and services, and the liveliness tokens that the graph is
//! made of.
//!
//! A topic is `domain/topic/type/hash`. A token is
//! `@ros2_lv/domain/session/node/entity/kind/enclave/namespace/name`, and for all but nodes
//! `/topic/type/hash/qos` after it; slashes within a part are `%`.

use crate::interface::{Qos, Reliability};

/// What is in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Node,
    Publisher,
    Subscription,
    Server,
    Client,
}

impl Kind {
    fn text(self) -> &'static str {
        match self {
            Kind::Node => "NN",
            Kind::Publisher => "MP",
            Kind::Subscription => "MS",
            Kind::Server => "SS",
            Kind::Client => "SC",
        }
    }
}

/// A node of ours in the graph.
#[derive(Debug, Clone)]
pub(super) struct NodeName {
    pub domain: u16,
    /// Zenoh's name of the session.
    pub session: String,
    /// Its number in the session.
    pub number: usize,
    /// `/` or `/robot`.
    pub namespace: String,
    pub name: String,
}

/// What is published, heard, served or called.
#[derive(Debug, Clone)]
pub(super) struct TopicName {
    /// Absolute: `/scan`.
    pub name: String,
    /// As in DDS: `sensor_msgs::msg::dds_::LaserScan_`.
    pub dds_type: String,
    pub hash: String,
}

impl TopicName {
    /// Where its messages go.
    pub fn key(&self, domain: u16) -> String {
        let name = self.name.trim_start_matches('/');
        format!("{domain}/{name}/{}/{}", self.dds_type, self.hash)
    }
}

impl NodeName {
    /// The token that says that the node is there.
    pub fn token(&self) -> String {
        self.beginning(self.number, Kind::Node)
    }

    /// The token of something that the node has.
    pub fn token_of(&self, entity: usize, kind: Kind, topic: &TopicName, qos: Qos) -> String {
        let TopicName {
            name,
            dds_type,
            hash,
        } = topic;
        let (front, name) = (self.beginning(entity, kind), mangled(name));
        format!("{front}/{name}/{dds_type}/{hash}/{}", qos_text(qos))
    }

    fn beginning(&self, entity: usize, kind: Kind) -> String {
        let (domain, session, number) = (self.domain, &self.session, self.number);
        let (kind, namespace) = (kind.text(), mangled(&self.namespace));
        // The enclave is the root: `/`.
        let name = &self.name;
        format!("@ros2_lv/{domain}/{session}/{number}/{entity}/{kind}/%/{namespace}/{name}")
    }
}

fn mangled(name: &str) -> String {
    name.replace('/', "%")
}

/// Reliability, durability, history, deadline, lifespan and liveliness. What is left out is
/// the reader's default; versions of `rmw_zenoh_cpp` differ in that, so the first three are
/// always said (numbers of rmw's enumerations).
fn qos_text(qos: Qos) -> String {
    let reliability = match qos.reliability {
        Reliability::Reliable => 1,
        Reliability::BestEffort => 2,
    };
    let durability = if qos.transient_local { 1 } else { 2 };
    let depth = qos.depth.max(1);
    let lifespan = qos.lifespan_ns.and_then(|ns| u64::try_from(ns).ok());
    let lifespan = lifespan.map_or(",".to_owned(), |ns| {
        format!("{},{}", ns / 1_000_000_000, ns % 1_000_000_000)
    });
    format!("{reliability}:{durability}:1,{depth}:,:{lifespan}:,,")
}

/// The identifier of what has this token: `rmw_zenoh_cpp` makes it of the token on both
/// sides, XXH3 of 128 bits, the lower half first.
pub(super) fn gid(token: &str) -> [u8; 16] {
    xxhash_rust::xxh3::xxh3_128(token.as_bytes()).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chatter() -> TopicName {
        TopicName {
            name: "/chatter".to_owned(),
            dds_type: "std_msgs::msg::dds_::String_".to_owned(),
            hash: "RIHS01_df66".to_owned(),
        }
    }

    fn talker(namespace: &str) -> NodeName {
        NodeName {
            domain: 2,
            session: "8b20".to_owned(),
            number: 0,
            namespace: namespace.to_owned(),
            name: "talker".to_owned(),
        }
    }

    // The examples of rmw_zenoh's design page, but for what is said of the quality of service.
    #[test]
    fn names_are_as_the_design_page_has_them() {
        assert_eq!(
            chatter().key(2),
            "2/chatter/std_msgs::msg::dds_::String_/RIHS01_df66"
        );
        assert_eq!(talker("/").token(), "@ros2_lv/2/8b20/0/0/NN/%/%/talker");
        let token = talker("/a/b").token_of(10, Kind::Publisher, &chatter(), Qos::DEFAULT.depth(7));
        assert_eq!(
            token,
            "@ros2_lv/2/8b20/0/10/MP/%/%a%b/talker/%chatter/std_msgs::msg::dds_::String_/\
             RIHS01_df66/1:2:1,7:,:,:,,"
        );
        let kept = qos_text(Qos::LATCHED.lifespan_ms(1500));
        assert_eq!(kept, "1:1:1,1:,:1,500000000:,,");
        assert_eq!(qos_text(Qos::SENSOR.depth(0)), "2:2:1,1:,:,:,,");
    }

    #[test]
    fn identifiers_are_the_hash_of_the_token() {
        // XXH3's own test vector of nothing, seed 0: low and high half.
        let nothing = [0x6001_c324_468d_497f_u64, 0x99aa_06d3_0147_98d8];
        let bytes = nothing.map(u64::to_le_bytes).concat();
        assert_eq!(gid("").as_slice(), bytes);
        assert_ne!(gid("a"), gid("b"));
    }
}
