//! The nodes of Saccade and the hosts that run them.
