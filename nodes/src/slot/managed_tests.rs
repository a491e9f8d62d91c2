//! Managed nodes, driven by hand.

use super::*;
use crate::graph::Graph;
use crate::host::NodeSpec;
use saccade_msgs::geometry_msgs::Twist;
use saccade_msgs::lifecycle_msgs::TransitionEvent;
use saccade_msgs::saccade_msgs::wander;
use saccade_msgs::std_msgs::Bool;
use saccade_msgs::std_srvs::trigger;

fn started(spec: &NodeSpec) -> Slot {
    let made = Graph::build(std::slice::from_ref(spec));
    let (_, mut instances) = made.unwrap_or_else(|e| panic!("{e}"));
    let mut slot = Slot::new(instances.remove(0), 0);
    slot.drive(Input::Start, 0, 0);
    slot
}

/// Goes through a transition; whether it was made, the states on the way, and what else
/// the node said.
fn change(slot: &mut Slot, label: &str) -> (bool, Vec<String>, Vec<Output>) {
    let transition = Transition {
        id: 0,
        label: label.to_owned(),
    };
    let input = Input::Request {
        service: lifecycle::CHANGE,
        id: 7,
        payload: Payload::new(change_state::Request { transition }),
    };
    let (mut made, mut states, mut rest) = (false, Vec::new(), Vec::new());
    for output in slot.drive(input, 0, 0) {
        match output {
            Output::Publish { topic, payload } if topic == lifecycle::EVENTS.name => {
                let event = payload.get::<TransitionEvent>().expect("an event");
                states.push(event.goal_state.label.clone());
            }
            Output::Respond { id: 7, payload, .. } => {
                let response = payload.get::<change_state::Response>();
                made = response.expect("an answer").success;
            }
            Output::Log(_) => {}
            output => rest.push(output),
        }
    }
    (made, states, rest)
}

fn goal(id: u64) -> Input {
    Input::Goal {
        action: "wander",
        id,
        payload: Payload::new(wander::Goal {
            seed: 1,
            length_m: 10.0,
        }),
    }
}

const STEP: Input = Input::Timer { name: "step" };

#[test]
fn a_robot_that_moves_is_stopped_and_rests() {
    let mut slot = started(&NodeSpec::new("wander"));
    slot.drive(goal(3), 0, 0);
    let twist = |output: &Output| match output {
        Output::Publish { payload, .. } => payload.get::<Twist>().ok().map(|t| *t),
        _ => None,
    };
    let moves = slot.drive(STEP, 0, 0).iter().find_map(twist);
    assert!(moves.is_some_and(|t| t.linear.x > 0.0), "{moves:?}");
    let (made, states, said) = change(&mut slot, "deactivate");
    assert_eq!(
        (made, states),
        (true, vec!["deactivating".into(), "inactive".into()])
    );
    assert_eq!(said.iter().find_map(twist), Some(Twist::default()));
    let ended = |o: &Output| {
        let aborted = GoalStatus::Aborted;
        matches!(o, Output::FinishGoal { id: 3, status, .. } if *status == aborted)
    };
    assert_eq!(said.iter().filter(|o| ended(o)).count(), 1, "{said:?}");
    assert_eq!(slot.next_due_ns(), None);
    assert!(slot.drive(STEP, 0, 0).is_empty());
    let refused = slot.drive(goal(4), 0, 0);
    let is_refused = |o: &Output| {
        matches!(
            o,
            Output::AnswerGoal {
                id: 4,
                accepted: false,
                ..
            }
        )
    };
    assert!(refused.iter().any(is_refused), "{refused:?}");
    // At work again it takes goals, and does not go on with the old one.
    assert!(change(&mut slot, "activate").0);
    assert!(slot.drive(STEP, 0, 0).is_empty());
    assert!(slot.next_due_ns().is_some());
    slot.drive(goal(5), 0, 0);
    assert!(slot.drive(STEP, 0, 0).iter().any(|o| twist(o).is_some()));
    assert!(change(&mut slot, "shutdown").0);
    assert_eq!(
        (slot.state(), change(&mut slot, "activate").0),
        ("finalized", false)
    );
}

#[test]
fn what_it_has_sent_is_cancelled_and_its_end_is_no_news() {
    let mut slot = started(&NodeSpec::new("microsaccade"));
    let sent = |outputs: &[Output]| {
        let goal = |o: &Output| match o {
            Output::SendGoal { action, id, .. } => Some((*action, *id)),
            _ => None,
        };
        outputs.iter().find_map(goal)
    };
    let service = slot.instance.interface.services[0].name;
    let ask = |slot: &mut Slot| {
        let (id, payload) = (1, Payload::new(trigger::Request::default()));
        slot.drive(
            Input::Request {
                service,
                id,
                payload,
            },
            0,
            0,
        )
    };
    let (action, id) = sent(&ask(&mut slot)).expect("a saccade");
    let (_, _, said) = change(&mut slot, "deactivate");
    let cancels = |o: &Output| matches!(o, Output::CancelGoal { id: i, .. } if *i == id);
    assert_eq!(said.iter().filter(|o| cancels(o)).count(), 1, "{said:?}");
    let ended = Input::GoalResult {
        action,
        id,
        status: GoalStatus::Canceled,
        payload: Payload::default_of("control_msgs/action/FollowJointTrajectory_Result")
            .expect("known"),
    };
    assert!(slot.drive(ended, 0, 0).is_empty());
    // It answers that it does nothing.
    let answers = ask(&mut slot);
    let refuses = |o: &Output| match o {
        Output::Respond { payload, .. } => payload.get::<trigger::Response>().ok(),
        _ => None,
    };
    let answer = answers.iter().find_map(refuses).expect("an answer");
    assert!(!answer.success && sent(&answers).is_none());
    assert!(change(&mut slot, "activate").0);
    assert!(sent(&ask(&mut slot)).is_some());
}

#[test]
fn what_cannot_be_configured_can_be_tried_again() {
    let spec = NodeSpec::new("eprop_classifier")
        .parameter(AUTOSTART, false)
        .parameter("weights", "/there/is/none.safetensors");
    let mut slot = started(&spec);
    assert_eq!((slot.state(), slot.next_due_ns()), ("unconfigured", None));
    for _ in 0..2 {
        let (made, states, _) = change(&mut slot, "configure");
        let way = ["configuring", "errorprocessing", "unconfigured"];
        assert_eq!((made, states), (false, way.map(str::to_owned).to_vec()));
    }
    assert!(!change(&mut slot, "activate").0);
}

#[test]
fn a_node_made_anew_is_told_what_nobody_says_again() {
    let mut slot = started(&NodeSpec::new("path_integration").parameter(AUTOSTART, false));
    assert!(change(&mut slot, "configure").0);
    let payload = Payload::new(Bool { data: true });
    slot.drive(
        Input::Message {
            topic: "e_stop",
            payload,
        },
        0,
        0,
    );
    let warning = |slot: &Slot| slot.instance.node.health().warning;
    assert_eq!(warning(&slot), None, "at rest it hears nothing");
    for way in ["activate", "deactivate", "cleanup", "configure", "activate"] {
        assert!(change(&mut slot, way).0, "{way}");
    }
    assert_eq!(warning(&slot).as_deref(), Some("e_stop is on"));
}
