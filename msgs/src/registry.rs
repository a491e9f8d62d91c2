//! All message types by name.

use crate::cdr::{CdrError, Reader};
use crate::schema::Schema;
use crate::{AnyMessage, Message, Ros1Message, from_cdr, from_ros1, to_cdr, to_json, to_ros1};
use crate::{
    action_msgs, builtin_interfaces, control_msgs, diagnostic_msgs, dvs_msgs, event_camera_msgs,
    geometry_msgs, lifecycle_msgs, nav_msgs, rcl_interfaces, ros_gz_interfaces, rosgraph_msgs,
    saccade_msgs, sensor_msgs, std_msgs, std_srvs, tf2_msgs, trajectory_msgs,
    unique_identifier_msgs, vision_msgs, visualization_msgs,
};

use std::sync::Arc;

/// What can be done with a message whose type is known by name only.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// `package/msg/Name`.
    pub type_name: &'static str,
    /// The type as data, and from it its definitions.
    pub schema: fn() -> Schema,
    /// Reads a body of the type; what follows it is left unread.
    pub decode: fn(&mut Reader<'_>) -> Result<Arc<dyn AnyMessage>, CdrError>,
    /// A message of which nobody has set a field.
    pub default: fn() -> Arc<dyn AnyMessage>,
    /// CDR to a JSON object.
    pub cdr_to_json: fn(&[u8]) -> Result<String, CdrError>,
    /// CDR of either byte order to little-endian CDR without padding at its end.
    pub cdr_to_cdr: fn(&[u8]) -> Result<Vec<u8>, CdrError>,
    /// Where ROS 1 has the type with the same fields.
    pub ros1: Option<Ros1Entry>,
}

/// ROS 1 to CDR and back.
#[derive(Debug, Clone, Copy)]
pub struct Ros1Entry {
    /// ROS 1 to little-endian CDR; the `seq` of headers is dropped.
    pub to_cdr: fn(&[u8]) -> Result<Vec<u8>, CdrError>,
    /// CDR to ROS 1; the `seq` of headers is 0.
    pub from_cdr: fn(&[u8]) -> Result<Vec<u8>, CdrError>,
}

impl Entry {
    const fn of<M: Message>(ros1: Option<Ros1Entry>) -> Self {
        Self {
            type_name: M::TYPE_NAME,
            schema: M::schema,
            decode: |r| Ok(Arc::new(M::decode(r)?)),
            default: || Arc::new(M::default()),
            cdr_to_json: |bytes| Ok(to_json(&from_cdr::<M>(bytes)?)),
            cdr_to_cdr: |bytes| Ok(to_cdr(&from_cdr::<M>(bytes)?)),
            ros1,
        }
    }
}

impl Ros1Entry {
    const fn of<M: Ros1Message>() -> Self {
        Self {
            to_cdr: |bytes| Ok(to_cdr(&from_ros1::<M>(bytes)?)),
            from_cdr: |bytes| Ok(to_ros1(&from_cdr::<M>(bytes)?)),
        }
    }
}

macro_rules! types {
    ($(ros1 $both:ty,)* ; $($ros2:ty,)*) => {
        $(impl Ros1Message for $both {})*

        /// Every message type of this crate.
        pub const ENTRIES: &[Entry] = &[
            $(Entry::of::<$both>(Some(Ros1Entry::of::<$both>())),)*
            $(Entry::of::<$ros2>(None),)*
        ];
    };
}

// Marked `ros1`: the ROS 1 definition has the same fields (held against PyPI
// `rosbags` in tests/), or the type is our own.
types! {
    ros1 geometry_msgs::Point,
    ros1 geometry_msgs::PointStamped,
    ros1 geometry_msgs::Pose,
    ros1 geometry_msgs::Pose2D,
    ros1 geometry_msgs::PoseStamped,
    ros1 geometry_msgs::PoseWithCovariance,
    ros1 geometry_msgs::PoseWithCovarianceStamped,
    ros1 geometry_msgs::Quaternion,
    ros1 geometry_msgs::Transform,
    ros1 geometry_msgs::TransformStamped,
    ros1 geometry_msgs::Twist,
    ros1 geometry_msgs::TwistStamped,
    ros1 geometry_msgs::TwistWithCovariance,
    ros1 geometry_msgs::TwistWithCovarianceStamped,
    ros1 geometry_msgs::Vector3,
    ros1 geometry_msgs::Wrench,
    ros1 diagnostic_msgs::DiagnosticArray,
    ros1 diagnostic_msgs::DiagnosticStatus,
    ros1 diagnostic_msgs::KeyValue,
    ros1 dvs_msgs::Event,
    ros1 dvs_msgs::EventArray,
    ros1 event_camera_msgs::EventPacket,
    ros1 nav_msgs::Odometry,
    ros1 nav_msgs::Path,
    ros1 rosgraph_msgs::Clock,
    ros1 saccade_msgs::Activity,
    ros1 saccade_msgs::ClockRelation,
    ros1 saccade_msgs::Decision,
    ros1 saccade_msgs::Exchange,
    ros1 saccade_msgs::GraspState,
    ros1 saccade_msgs::InputLog,
    ros1 saccade_msgs::JourneyResult,
    ros1 saccade_msgs::Label,
    ros1 saccade_msgs::ObjectTruth,
    ros1 saccade_msgs::PlaceMap,
    ros1 saccade_msgs::Places,
    ros1 saccade_msgs::SaccadePhase,
    ros1 saccade_msgs::Spikes,
    ros1 saccade_msgs::TrialResult,
    ros1 saccade_msgs::WhiskPhase,
    ros1 sensor_msgs::CompressedImage,
    ros1 sensor_msgs::Image,
    ros1 sensor_msgs::Imu,
    ros1 sensor_msgs::JointState,
    ros1 sensor_msgs::LaserScan,
    ros1 sensor_msgs::RegionOfInterest,
    ros1 std_msgs::Bool,
    ros1 std_msgs::ColorRGBA,
    ros1 std_msgs::Float32MultiArray,
    ros1 std_msgs::Float64,
    ros1 std_msgs::Float64MultiArray,
    ros1 std_msgs::Header,
    ros1 std_msgs::MultiArrayDimension,
    ros1 std_msgs::MultiArrayLayout,
    ros1 std_msgs::String,
    ros1 std_msgs::UInt32,
    ros1 tf2_msgs::TFMessage,
    ros1 trajectory_msgs::JointTrajectory,
    ros1 trajectory_msgs::JointTrajectoryPoint,
    ros1 trajectory_msgs::MultiDOFJointTrajectory,
    ros1 trajectory_msgs::MultiDOFJointTrajectoryPoint,
    ;
    action_msgs::GoalInfo,
    action_msgs::GoalStatus,
    action_msgs::GoalStatusArray,
    action_msgs::cancel_goal::Request,
    action_msgs::cancel_goal::Response,
    builtin_interfaces::Duration,
    builtin_interfaces::Time,
    control_msgs::JointComponentTolerance,
    control_msgs::JointTolerance,
    control_msgs::follow_joint_trajectory::Feedback,
    control_msgs::follow_joint_trajectory::Goal,
    control_msgs::follow_joint_trajectory::Result,
    lifecycle_msgs::State,
    lifecycle_msgs::Transition,
    lifecycle_msgs::TransitionDescription,
    lifecycle_msgs::TransitionEvent,
    lifecycle_msgs::change_state::Request,
    lifecycle_msgs::change_state::Response,
    lifecycle_msgs::get_available_states::Request,
    lifecycle_msgs::get_available_states::Response,
    lifecycle_msgs::get_available_transitions::Request,
    lifecycle_msgs::get_available_transitions::Response,
    lifecycle_msgs::get_state::Request,
    lifecycle_msgs::get_state::Response,
    rcl_interfaces::FloatingPointRange,
    rcl_interfaces::IntegerRange,
    rcl_interfaces::ListParametersResult,
    rcl_interfaces::Log,
    rcl_interfaces::Parameter,
    rcl_interfaces::ParameterDescriptor,
    rcl_interfaces::ParameterEvent,
    rcl_interfaces::ParameterValue,
    rcl_interfaces::SetParametersResult,
    rcl_interfaces::describe_parameters::Request,
    rcl_interfaces::describe_parameters::Response,
    rcl_interfaces::get_parameter_types::Request,
    rcl_interfaces::get_parameter_types::Response,
    rcl_interfaces::get_parameters::Request,
    rcl_interfaces::get_parameters::Response,
    rcl_interfaces::list_parameters::Request,
    rcl_interfaces::list_parameters::Response,
    rcl_interfaces::set_parameters::Request,
    rcl_interfaces::set_parameters::Response,
    rcl_interfaces::set_parameters_atomically::Request,
    rcl_interfaces::set_parameters_atomically::Response,
    ros_gz_interfaces::Contact,
    ros_gz_interfaces::Contacts,
    ros_gz_interfaces::Entity,
    ros_gz_interfaces::JointWrench,
    saccade_msgs::grasp_object::Feedback,
    saccade_msgs::grasp_object::Goal,
    saccade_msgs::grasp_object::Result,
    saccade_msgs::named_place::Request,
    saccade_msgs::named_place::Response,
    saccade_msgs::randomise::Request,
    saccade_msgs::randomise::Response,
    saccade_msgs::return_home::Feedback,
    saccade_msgs::return_home::Goal,
    saccade_msgs::return_home::Result,
    saccade_msgs::wander::Feedback,
    saccade_msgs::wander::Goal,
    saccade_msgs::wander::Result,
    sensor_msgs::CameraInfo,
    std_srvs::set_bool::Request,
    std_srvs::set_bool::Response,
    std_srvs::trigger::Request,
    std_srvs::trigger::Response,
    unique_identifier_msgs::UUID,
    vision_msgs::Classification,
    vision_msgs::ObjectHypothesis,
    visualization_msgs::Marker,
    visualization_msgs::MarkerArray,
    visualization_msgs::MeshFile,
    visualization_msgs::UVCoordinate,
}

/// The entry of a type, by its ROS 2 name.
#[must_use]
pub fn find(type_name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.type_name == type_name)
}

/// The ROS 2 definition of a type with all it is made of.
#[must_use]
pub fn definition_of(type_name: &str) -> Option<String> {
    find(type_name).map(|entry| (entry.schema)().definition())
}
