//! ROS 2 message types, CDR and ROS 1 encodings, schema texts.
