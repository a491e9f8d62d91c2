//! Reading and writing of ROS bags and event-camera files.
