//! What nodes log, and their parameters.

use crate::Service;
use crate::builtin_interfaces::Time;
use crate::macros::message;

message! {
    /// A line of the log.
    #[derive(Eq, Hash)]
    pub struct Log = "rcl_interfaces/msg/Log" {
        /// When.
        stamp: Time,
        /// How grave: one of the constants.
        level: u8,
        /// Which logger.
        name: String,
        /// The text.
        msg: String,
        /// Source file.
        file: String,
        /// Function.
        function: String,
        /// Line of the file.
        line: u32,
    }
    const {
        /// For developers.
        DEBUG: u8 as byte = 10,
        /// What goes on.
        INFO: u8 as byte = 20,
        /// Something is odd.
        WARN: u8 as byte = 30,
        /// Something failed.
        ERROR: u8 as byte = 40,
        /// The process cannot go on.
        FATAL: u8 as byte = 50,
    }
}

message! {
    /// A parameter's value: the field that `type` names.
    pub struct ParameterValue = "rcl_interfaces/msg/ParameterValue" {
        /// As in `rcl_interfaces/msg/ParameterType`: 0 not set, 1 bool, 2 integer,
        /// 3 double, 4 string, 5 to 9 arrays of bytes and of these.
        r#type: u8,
        /// Type 1.
        bool_value: bool,
        /// Type 2.
        integer_value: i64,
        /// Type 3.
        double_value: f64,
        /// Type 4.
        string_value: String,
        /// Type 5.
        byte_array_value: Vec<u8> as byte,
        /// Type 6.
        bool_array_value: Vec<bool>,
        /// Type 7.
        integer_array_value: Vec<i64>,
        /// Type 8.
        double_array_value: Vec<f64>,
        /// Type 9.
        string_array_value: Vec<String>,
    }
}

message! {
    /// A parameter.
    pub struct Parameter = "rcl_interfaces/msg/Parameter" {
        /// Its name.
        name: String,
        /// Its value.
        value: ParameterValue,
    }
}

message! {
    /// Whether parameters were taken.
    #[derive(Eq, Hash)]
    pub struct SetParametersResult = "rcl_interfaces/msg/SetParametersResult" {
        /// Whether they were.
        successful: bool,
        /// Why not.
        reason: String,
    }
}

/// Set parameters, each for itself.
#[derive(Debug, Clone, Copy)]
pub struct SetParameters;

impl Service for SetParameters {
    type Request = set_parameters::Request;
    type Response = set_parameters::Response;
    const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetParameters";
}

/// The two sides of [`SetParameters`].
pub mod set_parameters {
    use super::{Parameter, SetParametersResult};
    use crate::macros::message;

    message! {
        /// Which.
        pub struct Request = "rcl_interfaces/srv/SetParameters_Request" {
            /// The new values.
            parameters: Vec<Parameter>,
        }
    }

    message! {
        /// How it went.
        #[derive(Eq, Hash)]
        pub struct Response = "rcl_interfaces/srv/SetParameters_Response" {
            /// For each parameter of the request.
            results: Vec<SetParametersResult>,
        }
    }
}

/// Set parameters, all or none.
#[derive(Debug, Clone, Copy)]
pub struct SetParametersAtomically;

impl Service for SetParametersAtomically {
    type Request = set_parameters_atomically::Request;
    type Response = set_parameters_atomically::Response;
    const TYPE_NAME: &'static str = "rcl_interfaces/srv/SetParametersAtomically";
}

/// The two sides of [`SetParametersAtomically`].
pub mod set_parameters_atomically {
    use super::{Parameter, SetParametersResult};
    use crate::macros::message;

    message! {
        /// Which.
        pub struct Request = "rcl_interfaces/srv/SetParametersAtomically_Request" {
            /// The new values.
            parameters: Vec<Parameter>,
        }
    }

    message! {
        /// How it went.
        #[derive(Eq, Hash)]
        pub struct Response = "rcl_interfaces/srv/SetParametersAtomically_Response" {
            /// For all of them.
            result: SetParametersResult,
        }
    }
}
