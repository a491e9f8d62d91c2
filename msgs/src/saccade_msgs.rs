//! Our own types, for what no standard one covers. The ROS 2 package of the same
//! name is made from the files in `msg/`, `srv/` and `action/`.

use crate::geometry_msgs::Pose;
use crate::macros::message;
use crate::std_msgs::Header;
use crate::{Action, Service};

message! {
    /// Spikes of one population.
    #[derive(Eq, Hash)]
    pub struct Spikes = "saccade_msgs/msg/Spikes" {
        /// The stamp is what the offsets count from.
        header: Header,
        /// Name of the population.
        population: String,
        /// Neurons in it.
        size: u32,
        /// Counts the messages; a gap is a loss.
        seq: u64,
        /// Which neurons, each less than `size`.
        ids: Vec<u32>,
        /// When, in microseconds after the stamp; as many as `ids`.
        offsets_us: Vec<u32>,
    }
}

message! {
    /// How a sensor's own clock runs against ROS time, and what its stream has lost:
    /// ROS time = sensor time + `offset_ns` + (sensor time - `at_ns`) * `drift_ppm` / 10^6.
    pub struct ClockRelation = "saccade_msgs/msg/ClockRelation" {
        /// When, and the frame of the sensor.
        header: Header,
        /// Sensor time at which `offset_ns` holds, in nanoseconds.
        at_ns: u64,
        /// ROS time minus sensor time there, by the packets that travelled fastest.
        offset_ns: i64,
        /// How much faster ROS time runs, in millionths; 0 until it is known.
        drift_ppm: f64,
        /// How long packets travelled longer than the fastest since the last message,
        /// mean in nanoseconds.
        residual_ns: i64,
        /// Packets it rests on, since the last jump.
        packets: u64,
        /// Times that one of the clocks was set, and the relation found anew.
        jumps: u64,
        /// Packets whose events lie before those of the packet before.
        backwards: u64,
        /// Packets that brought no later event while ROS time went on.
        stalled: u64,
        /// Packets lost, by the gaps in their numbers.
        lost: u64,
        /// Times without an event for longer than is set as a gap.
        gaps: u64,
    }
}

message! {
    /// What there is to see, for learning.
    #[derive(Eq, Hash)]
    pub struct Label = "saccade_msgs/msg/Label" {
        /// From when on.
        header: Header,
        /// Name of the class.
        label: String,
        /// Its index in [`CLASSES`](crate::CLASSES); -1 is none.
        class_id: i32,
        /// Whether the learning signal is on.
        learn: bool,
    }
}

message! {
    /// The eye starts or ends a microsaccade.
    #[derive(Eq, Hash)]
    pub struct SaccadePhase = "saccade_msgs/msg/SaccadePhase" {
        /// When.
        header: Header,
        /// Counts the saccades.
        id: u32,
        /// Whether the eye moves.
        moving: bool,
        /// `pan`, `tilt`, or both.
        axis: String,
    }
}

message! {
    /// The whiskers begin to go forward, or have done so.
    #[derive(Eq, Hash)]
    pub struct WhiskPhase = "saccade_msgs/msg/WhiskPhase" {
        /// When.
        header: Header,
        /// Counts the whisks.
        id: u32,
        /// Whether they go forward; the end of protraction is when a whisk is sampled.
        protracting: bool,
    }
}

message! {
    /// The known places that are most like what is sensed.
    pub struct Places = "saccade_msgs/msg/Places" {
        /// When, in the map's frame.
        header: Header,
        /// What it was taken with: both, vision or touch.
        senses: String,
        /// The code of what is sensed.
        code: Vec<f32>,
        /// 0 what is known exactly, 1 what is like nothing known.
        novelty: f32,
        /// Numbers of the places, the most alike first.
        ids: Vec<u64>,
        /// How much alike each is, -1 to 1; as many as `ids`.
        scores: Vec<f32>,
        /// Where each is; as many as `ids`.
        poses: Vec<Pose>,
        /// How many places are known.
        known: u64,
        /// Whether this one is one of them from now on.
        learnt: bool,
    }
}

message! {
    /// The places that a robot knows, as the bytes of a map file.
    #[derive(Eq, Hash)]
    pub struct PlaceMap = "saccade_msgs/msg/PlaceMap" {
        /// When.
        header: Header,
        /// Fingerprint of the network that made their codes.
        network: String,
        /// How many there are.
        places: u64,
        /// The bytes.
        data: Vec<u8>,
    }
}

message! {
    /// What the network's output says at a tick.
    pub struct Activity = "saccade_msgs/msg/Activity" {
        /// When.
        header: Header,
        /// The classes, in the order of the lists.
        classes: Vec<String>,
        /// The readout of each class.
        evidence: Vec<f32>,
        /// The probability of each class.
        probabilities: Vec<f32>,
        /// Mean rate of the recurrent neurons, in Hz.
        rate_hz: f32,
        /// The tick.
        tick: u64,
    }
}

message! {
    /// What the network takes it for.
    pub struct Decision = "saccade_msgs/msg/Decision" {
        /// When it was decided.
        header: Header,
        /// During which saccade.
        saccade_id: u32,
        /// Name of the class.
        label: String,
        /// Its index in [`CLASSES`](crate::CLASSES).
        class_id: i32,
        /// Probability of the class, 0 to 1.
        confidence: f32,
        /// The probability of each class.
        probabilities: Vec<f32>,
        /// Whether the saccade is over and this stands.
        r#final: bool,
        /// Time since the saccade's onset, in seconds.
        since_onset_s: f32,
        /// Events taken in since then.
        events: u64,
    }
}

message! {
    /// The grasping state machine entered a state.
    #[derive(Eq, Hash)]
    pub struct GraspState = "saccade_msgs/msg/GraspState" {
        /// When.
        header: Header,
        /// Name of the state.
        state: String,
        /// Name of the state before.
        previous: String,
        /// Why.
        reason: String,
        /// The class it is about; empty where none is.
        label: String,
    }
}

message! {
    /// What really stands on the table. For scoring only: no node may read it.
    pub struct ObjectTruth = "saccade_msgs/msg/ObjectTruth" {
        /// When, in the world's frame.
        header: Header,
        /// Name of the class; `background` where nothing stands there.
        label: String,
        /// Its index in [`CLASSES`](crate::CLASSES).
        class_id: i32,
        /// Where it is.
        pose: Pose,
        /// Its extent along its own axes, in metres.
        size: [f64; 3],
        /// How many times as large as its model.
        scale: f64,
        /// Name of the table's texture.
        texture: String,
        /// Where the light shines to; a unit vector.
        light_direction: [f64; 3],
        /// How bright it is; 1 is nominal.
        light_intensity: f64,
        /// The seed of the scene.
        seed: u64,
        /// Whether the hand's fingers touch it and nothing else does.
        held_by_contact: bool,
    }
}

message! {
    /// The verdict on one grasping trial. For scoring only.
    pub struct TrialResult = "saccade_msgs/msg/TrialResult" {
        /// When the trial ended.
        header: Header,
        /// Its number, from 1.
        trial: u32,
        /// The seed of its scene.
        seed: u64,
        /// What lay there; `background` where nothing did.
        truth: String,
        /// Name of the table's texture.
        texture: String,
        /// What the robot decided for; empty where it did not decide.
        decision: String,
        /// Probability of the decision, 0 to 1.
        confidence: f32,
        /// Time from the saccade's onset to the decision, in seconds.
        decision_time_s: f64,
        /// What the robot did.
        outcome: String,
        /// Why the verdict is what it is.
        reason: String,
        /// The verdict: lifted and held after the right decision, or still where nothing lay.
        success: bool,
        /// Whether an arm joint moved.
        moved: bool,
        /// How high the object rose, in metres.
        lift_m: f64,
        /// How long it stayed up, in seconds.
        held_s: f64,
    }
}

message! {
    /// The verdict on one journey out and home. For scoring only.
    pub struct JourneyResult = "saccade_msgs/msg/JourneyResult" {
        /// When the journey ended.
        header: Header,
        /// Its number, from 1.
        journey: u32,
        /// The seed of its ground, wind and noise.
        seed: u64,
        /// Length of the way out, in metres.
        out_length_m: f64,
        /// Distance from home where it turned, in metres.
        out_distance_m: f64,
        /// Length of the way home, in metres.
        home_length_m: f64,
        /// Distance from home where it ended, in metres.
        end_distance_m: f64,
        /// That distance as a share of `out_length_m`.
        error: f64,
        /// Time from the turn to the end, in seconds.
        home_time_s: f64,
        /// What the robot says how it ended.
        outcome: String,
        /// Why the verdict is what it is.
        reason: String,
        /// The verdict: `error` is small enough.
        success: bool,
    }
}

message! {
    /// One message of a service's or action's traffic, as recorded.
    #[derive(Eq, Hash)]
    pub struct Exchange = "saccade_msgs/msg/Exchange" {
        /// When.
        header: Header,
        /// Name of the service or action.
        name: String,
        /// ROS type name of the message in `cdr`.
        r#type: String,
        /// One of the constants.
        kind: u8,
        /// Which call or goal.
        id: u64,
        /// As in `action_msgs/GoalStatus`; 0 for services.
        status: i8,
        /// The message with its encapsulation header.
        cdr: Vec<u8>,
    }
    const {
        /// A client asks.
        REQUEST: u8 = 0,
        /// A server answers.
        RESPONSE: u8 = 1,
        /// A client sends a goal.
        GOAL: u8 = 2,
        /// A server takes or refuses it.
        GOAL_RESPONSE: u8 = 3,
        /// A client cancels it.
        CANCEL: u8 = 4,
        /// A server says how it goes.
        FEEDBACK: u8 = 5,
        /// A server says how it ended.
        RESULT: u8 = 6,
    }
}

message! {
    /// What came into a node in which order, so that a recording can be replayed.
    /// The lists have one element per input.
    #[derive(Eq, Hash)]
    pub struct InputLog = "saccade_msgs/msg/InputLog" {
        /// Name of the node.
        node: String,
        /// How many inputs came before these.
        first_order: u64,
        /// The node's time, in nanoseconds.
        now_ns: Vec<i64>,
        /// The engine tick it fell into.
        tick: Vec<u64>,
        /// What kind of input; the host's own numbering.
        kind: Vec<u8>,
        /// Index into `names`.
        name: Vec<u16>,
        /// Which message of that name.
        source_sequence: Vec<u32>,
        /// Topics, services, actions, timers.
        names: Vec<String>,
    }
}

/// Make a new scene.
#[derive(Debug, Clone, Copy)]
pub struct Randomise;

impl Service for Randomise {
    type Request = randomise::Request;
    type Response = randomise::Response;
    const TYPE_NAME: &'static str = "saccade_msgs/srv/Randomise";
}

/// The two sides of [`Randomise`].
pub mod randomise {
    use crate::macros::message;

    message! {
        /// Which scene.
        #[derive(Eq, Hash)]
        pub struct Request = "saccade_msgs/srv/Randomise_Request" {
            /// All that is drawn comes from it.
            seed: u64,
            /// The class that shall stand there; empty draws one.
            label: String,
            /// Sizes and textures of `train`, `test` or `any`.
            split: String,
        }
    }

    message! {
        /// What came of it.
        #[derive(Eq, Hash)]
        pub struct Response = "saccade_msgs/srv/Randomise_Response" {
            /// Whether the scene stands.
            success: bool,
            /// Why not.
            message: String,
            /// The class that stands there.
            label: String,
        }
    }
}

/// Remember or forget a place by its name.
#[derive(Debug, Clone, Copy)]
pub struct NamedPlace;

impl Service for NamedPlace {
    type Request = named_place::Request;
    type Response = named_place::Response;
    const TYPE_NAME: &'static str = "saccade_msgs/srv/NamedPlace";
}

/// The two sides of [`NamedPlace`].
pub mod named_place {
    use crate::macros::message;

    message! {
        /// Which place.
        #[derive(Eq, Hash)]
        pub struct Request = "saccade_msgs/srv/NamedPlace_Request" {
            /// Its name.
            name: String,
        }
    }

    message! {
        /// What came of it.
        #[derive(Eq, Hash)]
        pub struct Response = "saccade_msgs/srv/NamedPlace_Response" {
            /// Whether it was done.
            success: bool,
            /// What was done, or why not.
            message: String,
        }
    }
}

/// Look at the table, decide, and pick up what stands there.
#[derive(Debug, Clone, Copy)]
pub struct GraspObject;

impl Action for GraspObject {
    type Goal = grasp_object::Goal;
    type Result = grasp_object::Result;
    type Feedback = grasp_object::Feedback;
    const TYPE_NAME: &'static str = "saccade_msgs/action/GraspObject";
}

/// The three messages of [`GraspObject`].
pub mod grasp_object {
    use crate::macros::message;

    message! {
        /// Which trial.
        pub struct Goal = "saccade_msgs/action/GraspObject_Goal" {
            /// Its number.
            trial: u32,
            /// After how many seconds to give up.
            timeout_s: f64,
        }
    }

    message! {
        /// How it ended.
        pub struct Result = "saccade_msgs/action/GraspObject_Result" {
            /// Whether the robot believes that it held the object.
            success: bool,
            /// The class it decided for.
            label: String,
            /// What it did: `grasped`, `refused`, `nothing`, `failed`, ...
            outcome: String,
            /// Why.
            reason: String,
            /// Time from the saccade's onset to the decision, in seconds.
            decision_time_s: f64,
            /// Probability of the class, 0 to 1.
            confidence: f32,
        }
    }

    message! {
        /// How it goes.
        #[derive(Eq, Hash)]
        pub struct Feedback = "saccade_msgs/action/GraspObject_Feedback" {
            /// Name of the state.
            state: String,
        }
    }
}

/// Go back to where home was set, or to a place that was remembered.
#[derive(Debug, Clone, Copy)]
pub struct ReturnHome;

impl Action for ReturnHome {
    type Goal = return_home::Goal;
    type Result = return_home::Result;
    type Feedback = return_home::Feedback;
    const TYPE_NAME: &'static str = "saccade_msgs/action/ReturnHome";
}

/// The three messages of [`ReturnHome`].
pub mod return_home {
    use crate::macros::message;

    message! {
        /// Where to, and how long it may take.
        pub struct Goal = "saccade_msgs/action/ReturnHome_Goal" {
            /// After how many seconds to give up; 0 is what the node has set.
            timeout_s: f64,
            /// Name of a place that was remembered; empty: home.
            place: String,
        }
    }

    message! {
        /// How it ended.
        pub struct Result = "saccade_msgs/action/ReturnHome_Result" {
            /// Whether the robot believes that it is there.
            success: bool,
            /// `home`, `there` (at a place), `cancelled`, `timeout`, `lost` or `stopped`.
            outcome: String,
            /// Why.
            reason: String,
            /// Distance from there by the memory, in metres.
            distance_m: f64,
            /// Way since the goal was taken, in metres.
            travelled_m: f64,
            /// Time since the goal was taken, in seconds.
            duration_s: f64,
        }
    }

    message! {
        /// How it goes.
        pub struct Feedback = "saccade_msgs/action/ReturnHome_Feedback" {
            /// Distance from there by the memory, in metres.
            distance_m: f64,
            /// Where it lies, from straight ahead, to the left positive, in rad.
            direction_rad: f64,
            /// `homing`, `blocked`, or what it waits for.
            state: String,
        }
    }
}

/// Go about at random.
#[derive(Debug, Clone, Copy)]
pub struct Wander;

impl Action for Wander {
    type Goal = wander::Goal;
    type Result = wander::Result;
    type Feedback = wander::Feedback;
    const TYPE_NAME: &'static str = "saccade_msgs/action/Wander";
}

/// The three messages of [`Wander`].
pub mod wander {
    use crate::macros::message;

    message! {
        /// Where to, and how far.
        #[derive(Copy)]
        pub struct Goal = "saccade_msgs/action/Wander_Goal" {
            /// The way comes from it.
            seed: u64,
            /// Length of the way by what was commanded, in metres.
            length_m: f64,
        }
    }

    message! {
        /// How it ended.
        #[derive(Copy)]
        pub struct Result = "saccade_msgs/action/Wander_Result" {
            /// Whether the whole way was gone.
            success: bool,
            /// Length by what was commanded, in metres.
            length_m: f64,
        }
    }

    message! {
        /// How it goes.
        #[derive(Copy)]
        pub struct Feedback = "saccade_msgs/action/Wander_Feedback" {
            /// Length so far by what was commanded, in metres.
            length_m: f64,
        }
    }
}
