//! Services without a subject of their own.

use crate::Service;

/// Do what the service's name says.
#[derive(Debug, Clone, Copy)]
pub struct Trigger;

impl Service for Trigger {
    type Request = trigger::Request;
    type Response = trigger::Response;
    const TYPE_NAME: &'static str = "std_srvs/srv/Trigger";
}

/// The two sides of [`Trigger`].
pub mod trigger {
    use crate::macros::message;

    message! {
        /// Nothing to say.
        #[derive(Copy, Eq, Hash)]
        pub struct Request = "std_srvs/srv/Trigger_Request" {}
    }

    message! {
        /// How it went.
        #[derive(Eq, Hash)]
        pub struct Response = "std_srvs/srv/Trigger_Response" {
            /// Whether it was done.
            success: bool,
            /// Why not, or what was done.
            message: String,
        }
    }
}

/// Switch something on or off.
#[derive(Debug, Clone, Copy)]
pub struct SetBool;

impl Service for SetBool {
    type Request = set_bool::Request;
    type Response = set_bool::Response;
    const TYPE_NAME: &'static str = "std_srvs/srv/SetBool";
}

/// The two sides of [`SetBool`].
pub mod set_bool {
    use crate::macros::message;

    message! {
        /// On or off.
        #[derive(Copy, Eq, Hash)]
        pub struct Request = "std_srvs/srv/SetBool_Request" {
            /// On.
            data: bool,
        }
    }

    message! {
        /// How it went.
        #[derive(Eq, Hash)]
        pub struct Response = "std_srvs/srv/SetBool_Response" {
            /// Whether it was done.
            success: bool,
            /// Why not, or what was done.
            message: String,
        }
    }
}
