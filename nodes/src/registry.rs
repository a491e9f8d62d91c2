//! All nodes by executable name.

use crate::interface::Interface;
use crate::node::Factory;

/// A kind of node.
pub struct Entry {
    /// Its declarations.
    pub interface: &'static Interface,
    /// Makes one.
    pub create: Factory,
}

/// Every node there is, in the order of the documentation.
pub static NODES: &[Entry] = &[
    Entry {
        interface: &crate::dvs_ingest::INTERFACE,
        create: crate::dvs_ingest::create,
    },
    Entry {
        interface: &crate::eprop_classifier::INTERFACE,
        create: crate::eprop_classifier::create,
    },
    Entry {
        interface: &crate::embedded_arena::INTERFACE,
        create: crate::embedded_arena::create,
    },
    Entry {
        interface: &crate::embedded_whiskeye::INTERFACE,
        create: crate::embedded_whiskeye::create,
    },
    Entry {
        interface: &crate::embedded_world::INTERFACE,
        create: crate::embedded_world::create,
    },
    Entry {
        interface: &crate::event_generator::INTERFACE,
        create: crate::event_generator::create,
    },
    Entry {
        interface: &crate::event_image::INTERFACE,
        create: crate::event_image::create,
    },
    Entry {
        interface: &crate::explore::INTERFACE,
        create: crate::explore::create,
    },
    Entry {
        interface: &crate::gazebo_whiskeye::INTERFACE,
        create: crate::gazebo_whiskeye::create,
    },
    Entry {
        interface: &crate::grasp_affordance::INTERFACE,
        create: crate::grasp_affordance::create,
    },
    Entry {
        interface: &crate::gz_bridge::INTERFACE,
        create: crate::gz_bridge::create,
    },
    Entry {
        interface: &crate::journey_referee::INTERFACE,
        create: crate::journey_referee::create,
    },
    Entry {
        interface: &crate::microsaccade::INTERFACE,
        create: crate::microsaccade::create,
    },
    Entry {
        interface: &crate::optic_flow::INTERFACE,
        create: crate::optic_flow::create,
    },
    Entry {
        interface: &crate::path_integration::INTERFACE,
        create: crate::path_integration::create,
    },
    Entry {
        interface: &crate::place_recognition::INTERFACE,
        create: crate::place_recognition::create,
    },
    Entry {
        interface: &crate::referee::INTERFACE,
        create: crate::referee::create,
    },
    Entry {
        interface: &crate::teacher::INTERFACE,
        create: crate::teacher::create,
    },
    Entry {
        interface: &crate::trajectory_server::INTERFACE,
        create: crate::trajectory_server::create,
    },
    Entry {
        interface: &crate::wander::INTERFACE,
        create: crate::wander::create,
    },
    Entry {
        interface: &crate::whisk::INTERFACE,
        create: crate::whisk::create,
    },
];

/// The node with this executable name.
pub fn find(exec: &str) -> Option<&'static Entry> {
    NODES.iter().find(|e| e.interface.name == exec)
}

/// All executable names.
pub fn names() -> Vec<&'static str> {
    NODES.iter().map(|e| e.interface.name).collect()
}

/// All interfaces.
pub fn interfaces() -> impl Iterator<Item = &'static Interface> {
    NODES.iter().map(|e| e.interface)
}
