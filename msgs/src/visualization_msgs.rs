//! Things to draw in RViz.

use crate::builtin_interfaces::Duration;
use crate::geometry_msgs::{Point, Pose, Vector3};
use crate::macros::message;
use crate::sensor_msgs::CompressedImage;
use crate::std_msgs::{ColorRGBA, Header};

message! {
    /// Several things to draw.
    pub struct MarkerArray = "visualization_msgs/msg/MarkerArray" {
        /// The things.
        markers: Vec<Marker>,
    }
}

message! {
    /// A thing to draw.
    pub struct Marker = "visualization_msgs/msg/Marker" {
        /// When, in which frame.
        header: Header,
        /// With `id`, its name.
        ns: String,
        /// With `ns`, its name.
        id: i32,
        /// Its shape: a constant from `ARROW` on.
        r#type: i32,
        /// What to do: `ADD`, `MODIFY`, `DELETE` or `DELETEALL`.
        action: i32,
        /// Where.
        pose: Pose,
        /// How large, in metres.
        scale: Vector3,
        /// Its colour.
        color: ColorRGBA,
        /// How long it stays; zero is for ever.
        lifetime: Duration,
        /// Whether it moves along with its frame.
        frame_locked: bool,
        /// For lines, lists and arrows.
        points: Vec<Point>,
        /// One for each point, or none.
        colors: Vec<ColorRGBA>,
        /// Where to find the texture.
        texture_resource: String,
        /// The texture itself.
        texture: CompressedImage,
        /// Where the texture goes, one for each point.
        uv_coordinates: Vec<UVCoordinate>,
        /// For `TEXT_VIEW_FACING`.
        text: String,
        /// Where to find the mesh.
        mesh_resource: String,
        /// The mesh itself.
        mesh_file: MeshFile,
        /// Whether to use the materials the mesh brings.
        mesh_use_embedded_materials: bool,
    }
    const {
        /// An arrow.
        ARROW: i32 = 0,
        /// A box.
        CUBE: i32 = 1,
        /// A ball.
        SPHERE: i32 = 2,
        /// A cylinder along z.
        CYLINDER: i32 = 3,
        /// A line through all points.
        LINE_STRIP: i32 = 4,
        /// A line for every two points.
        LINE_LIST: i32 = 5,
        /// A box at every point.
        CUBE_LIST: i32 = 6,
        /// A ball at every point.
        SPHERE_LIST: i32 = 7,
        /// Points.
        POINTS: i32 = 8,
        /// A text that faces the viewer.
        TEXT_VIEW_FACING: i32 = 9,
        /// A mesh from a file.
        MESH_RESOURCE: i32 = 10,
        /// A triangle for every three points.
        TRIANGLE_LIST: i32 = 11,
        /// Draw it.
        ADD: i32 = 0,
        /// Draw it anew.
        MODIFY: i32 = 0,
        /// Take it away.
        DELETE: i32 = 2,
        /// Take all away.
        DELETEALL: i32 = 3,
    }
}

message! {
    /// Where a point is on a texture, 0 to 1.
    #[derive(Copy)]
    pub struct UVCoordinate = "visualization_msgs/msg/UVCoordinate" {
        /// From the left.
        u: f32,
        /// From the bottom.
        v: f32,
    }
}

message! {
    /// A file with a mesh.
    #[derive(Eq, Hash)]
    pub struct MeshFile = "visualization_msgs/msg/MeshFile" {
        /// Its name, for the format.
        filename: String,
        /// Its content.
        data: Vec<u8>,
    }
}
