use super::*;

/// Hashes in the code that ROS 2's generators have made for Iron and later.
const PUBLISHED: &[(&str, &str)] = &[
    (
        "std_msgs/msg/String",
        "df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18",
    ),
    (
        "std_msgs/msg/Header",
        "f49fb3ae2cf070f793645ff749683ac6b06203e41c891e17701b1cb597ce6a01",
    ),
    (
        "std_msgs/msg/ColorRGBA",
        "77a7a5b9ae477306097665106e0413ba74440245b1f3d0c6d6405fe5c7813fe8",
    ),
    (
        "builtin_interfaces/msg/Time",
        "b106235e25a4c5ed35098aa0a61a3ee9c9b18d197f398b0e4206cea9acf9c197",
    ),
    (
        "sensor_msgs/msg/JointState",
        "a13ee3a330e346c9d87b5aa18d24e11690752bd33a0350f11c5882bc9179260e",
    ),
    (
        "sensor_msgs/msg/Image",
        "d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
    ),
    (
        "sensor_msgs/msg/CompressedImage",
        "15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a",
    ),
    (
        "geometry_msgs/msg/TransformStamped",
        "0a241f87d04668d94099cbb5ba11691d5ad32c2f29682e4eb5653424bd275206",
    ),
    (
        "trajectory_msgs/msg/JointTrajectory",
        "179b33eba59d676f6d967ac71fe35e7ca2f64b2f3928f4a018cec115e213796e",
    ),
    (
        "trajectory_msgs/msg/MultiDOFJointTrajectory",
        "3a18fd095292a65cfde8833c72985a30af981f3ec44494655c6267262b443a4a",
    ),
    // A bounded sequence (ranges), octets.
    (
        "rcl_interfaces/msg/ParameterDescriptor",
        "52175dbfda6c51153101d33d2a9da05743f66f02d5ab2ca9ec4709b46b73d704",
    ),
    (
        "rcl_interfaces/msg/ParameterValue",
        "115fc089a387e23c7ecd3525c9189c379109119d6ab82e8dfbde0fdf6a7f9b68",
    ),
    (
        "rcl_interfaces/msg/Parameter",
        "ddfe6442cffc462317adb5c92536a7b6dd55858c5c3e1e328165a6b73c2831af",
    ),
    // Services, the first with an empty request.
    (
        "std_srvs/srv/Trigger",
        "eeff2cd6fa5ad9d27cdf4dec64818317839b62f212a91e6b5304b634b2062c5f",
    ),
    (
        "std_srvs/srv/SetBool",
        "abe9e4bb6b41b40e6789712c00ec8871923e089af3f667a79992a428cff2da0a",
    ),
    (
        "action_msgs/srv/CancelGoal",
        "573d8b0a534451d7bc2ac8c5ffde8ac14b8593b7001175d0cd6516dcbeb8689a",
    ),
    (
        "control_msgs/action/FollowJointTrajectory_SendGoal",
        "b13789dddc325a7a962825c45e28c77d37237ec129dd0c34dc5994562938c57f",
    ),
    (
        "control_msgs/action/FollowJointTrajectory_GetResult",
        "e3ceb38e3e1867c8dc0f46014df26e90eb93422f27e9e97f936e07f94be4bc8b",
    ),
    (
        "control_msgs/action/FollowJointTrajectory_FeedbackMessage",
        "80398fcb9674a79081a9906e2ccf0c804dd7cb15e22e362e606ee87186beab71",
    ),
];

#[test]
fn hashes_are_those_that_ros_has() {
    let wrong: Vec<_> = (PUBLISHED.iter())
        .map(|(name, hash)| {
            (
                name,
                rihs01(name).expect("a known type"),
                format!("RIHS01_{hash}"),
            )
        })
        .filter(|(_, ours, published)| ours != published)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn everything_in_the_registry_has_one_and_nothing_else() {
    for entry in registry::ENTRIES {
        let hash = rihs01(entry.type_name).expect("a known type");
        assert_eq!(hash.len(), "RIHS01_".len() + 64, "{}", entry.type_name);
        let json = json(
            &described(entry.type_name, &mut Known::default()).expect("a known type"),
            &BTreeMap::new(),
        );
        assert!(!json.contains("\"type_id\": 0,"), "{json}");
    }
    for none in [
        "std_msgs/msg/Strin",
        "std_srvs/srv/Trig",
        "a/action/B_SendGoal",
        "_GetResult",
    ] {
        let text = rihs01(none).expect_err("there is none").to_string();
        assert!(
            text.contains(
                none.trim_end_matches("_SendGoal")
                    .trim_end_matches("_GetResult")
            )
        );
    }
}

#[test]
fn humble_has_none() {
    let mut types = Types::new(Distribution::Humble);
    assert_eq!(types.hash("std_msgs/msg/String").expect("a word"), NONE);
}
