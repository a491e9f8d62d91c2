//! ROS 2's XML launch format.
