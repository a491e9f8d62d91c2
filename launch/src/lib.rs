//! Launch files, the saccade command and its launcher.
