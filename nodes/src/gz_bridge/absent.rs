//! What stands for Gazebo's transport where it was not built in.

/// There is none.
pub enum Link {}

impl Link {
    /// Says how to have it.
    pub fn open() -> Result<Self, String> {
        Err("this program was built without Gazebo's transport: \
             build it with --features gz-transport"
            .to_owned())
    }

    pub fn subscribe(&mut self, _topic: &str, _kind: &str) -> Result<usize, String> {
        match *self {}
    }

    pub fn advertise(&mut self, _topic: &str, _kind: &str) -> Result<usize, String> {
        match *self {}
    }

    pub fn publish(&mut self, _publisher: usize, _message: &[u8]) -> bool {
        match *self {}
    }

    pub fn take(&mut self) -> Option<(usize, Vec<u8>)> {
        match *self {}
    }

    pub fn dropped(&self) -> u64 {
        match *self {}
    }
}
