//! Quality of service: ours, DDS's, and rosbag2's.

use rustdds::policy::{
    Durability, History, Lifespan, Reliability as DdsReliability, ResourceLimits,
};
use rustdds::{Duration, QosPolicies, QosPolicyBuilder};

use crate::{Qos, Reliability};
use saccade_rosbags::QosProfile;

/// Messages that a reliable publisher may have under way, unacknowledged.
const WINDOW: i32 = 1024;
/// Depth of a best-effort publisher at least: what DDS's thread has not sent yet
/// must not be pushed out by what comes in one burst.
const MIN_BURST: usize = 64;

/// The policies of a publisher that waits so long at a full queue.
pub(super) fn writer_policies(qos: Qos, patience: Duration) -> QosPolicies {
    let policies = |qos: Qos| match qos.lifespan_ns {
        Some(ns) => policies(qos, patience).lifespan(Lifespan {
            duration: Duration::from_nanos(ns.max(0)),
        }),
        None => policies(qos, patience),
    };
    match qos.reliability {
        Reliability::Reliable => policies(qos)
            .resource_limits(ResourceLimits {
                max_samples: WINDOW.max(depth(qos)),
                max_instances: 1,
                max_samples_per_instance: WINDOW.max(depth(qos)),
            })
            .build(),
        Reliability::BestEffort => policies(qos.depth(qos.depth.max(MIN_BURST))).build(),
    }
}

/// The policies of a subscriber.
pub(super) fn reader_policies(qos: Qos) -> QosPolicies {
    policies(qos, Duration::ZERO).build()
}

fn policies(qos: Qos, patience: Duration) -> QosPolicyBuilder {
    let durability = if qos.transient_local {
        Durability::TransientLocal
    } else {
        Durability::Volatile
    };
    let builder = QosPolicyBuilder::new()
        .durability(durability)
        .history(History::KeepLast { depth: depth(qos) });
    match qos.reliability {
        Reliability::Reliable => builder.reliable(patience),
        Reliability::BestEffort => builder.best_effort(),
    }
}

fn depth(qos: Qos) -> i32 {
    i32::try_from(qos.depth.max(1)).unwrap_or(i32::MAX)
}

/// What another participant says about itself. It does not say how deep its
/// queue is: `depth` is 0.
pub(super) fn discovered(policies: &QosPolicies) -> Qos {
    Qos {
        reliability: match policies.reliability() {
            Some(DdsReliability::Reliable { .. }) => Reliability::Reliable,
            _ => Reliability::BestEffort,
        },
        depth: 0,
        transient_local: policies
            .durability()
            .is_some_and(|d| d > Durability::Volatile),
        lifespan_ns: (policies.lifespan())
            .filter(|l| l.duration < Duration::INFINITE)
            // DDS counts in 2^-32 s.
            .map(|l| (l.duration.to_nanoseconds() + 500) / 1000 * 1000),
    }
}

/// As rosbag2 writes an infinite time: seconds and nanoseconds.
const FOREVER: (u64, u64) = (9_223_372_036, 854_775_807);
const NS_PER_S: u64 = 1_000_000_000;

/// The publishers' profiles as rosbag2 records them (YAML). A depth of 0 is
/// written as an unknown history.
pub fn qos_to_yaml(publishers: &[Qos]) -> String {
    let profiles: Vec<_> = publishers.iter().map(to_profile).collect();
    QosProfile::to_text(&profiles)
}

/// The profiles in what rosbag2 recorded, of any version.
///
/// # Errors
/// What in the text is no profile.
pub fn qos_from_yaml(yaml: &str) -> Result<Vec<Qos>, String> {
    let profiles = QosProfile::parse_list(yaml)?;
    Ok(profiles.iter().map(from_profile).collect())
}

fn to_profile(qos: &Qos) -> QosProfile {
    QosProfile {
        history: if qos.depth == 0 { 3 } else { 1 },
        depth: qos.depth as u64,
        reliability: match qos.reliability {
            Reliability::Reliable => 1,
            Reliability::BestEffort => 2,
        },
        durability: if qos.transient_local { 1 } else { 2 },
        deadline: FOREVER,
        lifespan: match qos.lifespan_ns.map(u64::try_from) {
            Some(Ok(ns)) => (ns / NS_PER_S, ns % NS_PER_S),
            _ => FOREVER,
        },
        liveliness: 1,
        liveliness_lease_duration: FOREVER,
        avoid_ros_namespace_conventions: false,
    }
}

fn from_profile(profile: &QosProfile) -> Qos {
    let (sec, nsec) = profile.lifespan;
    let lifespan_ns = sec
        .checked_mul(NS_PER_S)
        .and_then(|ns| ns.checked_add(nsec));
    Qos {
        reliability: match profile.reliability {
            2 => Reliability::BestEffort,
            _ => Reliability::Reliable,
        },
        depth: usize::try_from(profile.depth).unwrap_or(usize::MAX),
        transient_local: profile.durability == 1,
        // 0 is how Fast DDS writes none.
        lifespan_ns: (lifespan_ns.filter(|ns| profile.lifespan < FOREVER && *ns > 0))
            .and_then(|ns| i64::try_from(ns).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_go_through_yaml() {
        let profiles = [
            Qos::SENSOR,
            Qos::LATCHED,
            Qos::DEFAULT.depth(0),
            Qos::DEFAULT.lifespan_ms(2500),
        ];
        let text = qos_to_yaml(&profiles);
        assert_eq!(qos_from_yaml(&text).expect("profiles"), profiles);
        assert_eq!(qos_from_yaml("").expect("none"), []);
        assert!(qos_from_yaml("depth: 3").is_err());
    }

    #[test]
    fn policies_say_what_the_profile_says() {
        for qos in [Qos::SENSOR, Qos::LATCHED, Qos::DEFAULT] {
            assert_eq!(discovered(&reader_policies(qos)), qos.depth(0));
            let qos = qos.lifespan_ms(100);
            assert_eq!(
                discovered(&writer_policies(qos, Duration::ZERO)),
                qos.depth(0)
            );
        }
    }
}
