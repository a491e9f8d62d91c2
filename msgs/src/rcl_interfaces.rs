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

message! {
    /// Parameters of a node that have changed.
    pub struct ParameterEvent = "rcl_interfaces/msg/ParameterEvent" {
        /// When.
        stamp: Time,
        /// Full name of the node.
        node: String,
        /// Those that are there from now on.
        new_parameters: Vec<Parameter>,
        /// Those with another value.
        changed_parameters: Vec<Parameter>,
        /// Those that are there no more.
        deleted_parameters: Vec<Parameter>,
    }
}

message! {
    /// What a parameter may be, as a double.
    pub struct FloatingPointRange = "rcl_interfaces/msg/FloatingPointRange" {
        /// Least.
        from_value: f64,
        /// Greatest.
        to_value: f64,
        /// From one allowed value to the next; 0: all between.
        step: f64,
    }
}

message! {
    /// What a parameter may be, as an integer.
    #[derive(Eq, Hash)]
    pub struct IntegerRange = "rcl_interfaces/msg/IntegerRange" {
        /// Least.
        from_value: i64,
        /// Greatest.
        to_value: i64,
        /// From one allowed value to the next; 0: all between.
        step: u64,
    }
}

message! {
    /// What a parameter is.
    pub struct ParameterDescriptor = "rcl_interfaces/msg/ParameterDescriptor" {
        /// Its name.
        name: String,
        /// Its type, as in [`ParameterValue`].
        r#type: u8,
        /// What it does.
        description: String,
        /// What its ranges do not say.
        additional_constraints: String,
        /// Whether it keeps its value.
        read_only: bool = false,
        /// Whether its type may change.
        dynamic_typing: bool = false,
        /// Of a double.
        floating_point_range: Option<FloatingPointRange>,
        /// Of an integer.
        integer_range: Option<IntegerRange>,
    }
}

message! {
    /// Names of parameters.
    #[derive(Eq, Hash)]
    pub struct ListParametersResult = "rcl_interfaces/msg/ListParametersResult" {
        /// Their names.
        names: Vec<String>,
        /// What stands before the last dot of their names.
        prefixes: Vec<String>,
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

/// What parameters are.
#[derive(Debug, Clone, Copy)]
pub struct DescribeParameters;

impl Service for DescribeParameters {
    type Request = describe_parameters::Request;
    type Response = describe_parameters::Response;
    const TYPE_NAME: &'static str = "rcl_interfaces/srv/DescribeParameters";
}

/// The two sides of [`DescribeParameters`].
pub mod describe_parameters {
    use super::ParameterDescriptor;
    use crate::macros::message;

    message! {
        /// Which.
        #[derive(Eq, Hash)]
        pub struct Request = "rcl_interfaces/srv/DescribeParameters_Request" {
            /// Names of parameters.
            names: Vec<String>,
        }
    }

    message! {
        /// The answer.
        pub struct Response = "rcl_interfaces/srv/DescribeParameters_Response" {
            /// For each name.
            descriptors: Vec<ParameterDescriptor>,
        }
    }
}

/// What values parameters have.
#[derive(Debug, Clone, Copy)]
pub struct GetParameters;

impl Service for GetParameters {
    type Request = get_parameters::Request;
    type Response = get_parameters::Response;
    const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetParameters";
}

/// The two sides of [`GetParameters`].
pub mod get_parameters {
    use super::ParameterValue;
    use crate::macros::message;

    message! {
        /// Which.
        #[derive(Eq, Hash)]
        pub struct Request = "rcl_interfaces/srv/GetParameters_Request" {
            /// Names of parameters.
            names: Vec<String>,
        }
    }

    message! {
        /// The answer.
        pub struct Response = "rcl_interfaces/srv/GetParameters_Response" {
            /// For each name; of type 0 where there is no such parameter.
            values: Vec<ParameterValue>,
        }
    }
}

/// Which types parameters have.
#[derive(Debug, Clone, Copy)]
pub struct GetParameterTypes;

impl Service for GetParameterTypes {
    type Request = get_parameter_types::Request;
    type Response = get_parameter_types::Response;
    const TYPE_NAME: &'static str = "rcl_interfaces/srv/GetParameterTypes";
}

/// The two sides of [`GetParameterTypes`].
pub mod get_parameter_types {
    use crate::macros::message;

    message! {
        /// Which.
        #[derive(Eq, Hash)]
        pub struct Request = "rcl_interfaces/srv/GetParameterTypes_Request" {
            /// Names of parameters.
            names: Vec<String>,
        }
    }

    message! {
        /// The answer.
        #[derive(Eq, Hash)]
        pub struct Response = "rcl_interfaces/srv/GetParameterTypes_Response" {
            /// For each name, as in [`ParameterValue`](super::ParameterValue).
            types: Vec<u8>,
        }
    }
}

/// Which parameters there are.
#[derive(Debug, Clone, Copy)]
pub struct ListParameters;

impl Service for ListParameters {
    type Request = list_parameters::Request;
    type Response = list_parameters::Response;
    const TYPE_NAME: &'static str = "rcl_interfaces/srv/ListParameters";
}

/// The two sides of [`ListParameters`].
pub mod list_parameters {
    use super::ListParametersResult;
    use crate::macros::message;

    message! {
        /// Which.
        #[derive(Eq, Hash)]
        pub struct Request = "rcl_interfaces/srv/ListParameters_Request" {
            /// Only those with one of these before a dot in their names; empty: all.
            prefixes: Vec<String>,
            /// How many parts a name may have after its prefix; 0: any number.
            depth: u64,
        }
        const {
            /// Any number of parts.
            DEPTH_RECURSIVE: u64 = 0,
        }
    }

    message! {
        /// The answer.
        #[derive(Eq, Hash)]
        pub struct Response = "rcl_interfaces/srv/ListParameters_Response" {
            /// Their names.
            result: ListParametersResult,
        }
    }
}
