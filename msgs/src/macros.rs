//! One field list makes everything of a message type.

/// Makes a message type of one field list: the struct, its encodings, its
/// definition. Fields and constants take `as byte` where ROS spells a type
/// otherwise, fields `= value` where ROS gives them a default.
macro_rules! message {
    (
        $(#[$doc:meta])*
        pub struct $name:ident = $type_name:literal {
            $($(#[$field_doc:meta])* $field:ident: $ty:ty $(as $field_ros:ident)? $(= $default:literal)?,)*
        }
        $(const {
            $($(#[$const_doc:meta])* $constant:ident: $const_ty:ident $(as $const_ros:ident)? = $value:expr,)*
        })?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        $(impl $name {
            $($(#[$const_doc])* pub const $constant: $const_ty = $value;)*
        })?

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::macros::default_of!($ty $(, $default)?),)* }
            }
        }

        impl $crate::Message for $name {
            const TYPE_NAME: &'static str = $type_name;

            const MIN_SIZE: usize = {
                let size = 0 $(+ <$ty as $crate::field::Field>::MIN_SIZE)*;
                if size == 0 { 1 } else { size }
            };

            fn schema() -> $crate::schema::Schema {
                $crate::schema::Schema {
                    type_name: $type_name,
                    constants: vec![$($(
                        $crate::schema::Constant {
                            name: stringify!($constant),
                            ros_type: $crate::macros::ros_name!($const_ty $(, $const_ros)?),
                            value: Self::$constant.to_string(),
                        },
                    )*)?],
                    fields: vec![$(
                        $crate::schema::FieldSchema {
                            name: $crate::macros::field_name!($field),
                            ty: <$ty as $crate::field::Field>::ros_type()
                                $(.renamed(stringify!($field_ros)))?,
                            default: $crate::macros::default_text!($($default)?),
                        },
                    )*],
                }
            }

            #[allow(unused_variables)]
            fn encode(&self, w: &mut $crate::cdr::Writer) {
                const HIDDEN: Option<$crate::field::Hidden> =
                    $crate::field::Hidden::of($type_name, $crate::macros::count!($($field)*));
                if let Some(hidden) = HIDDEN {
                    hidden.put(w);
                }
                $($crate::field::Field::put(&self.$field, w);)*
            }

            #[inline]
            #[allow(unused_variables)]
            fn decode(r: &mut $crate::cdr::Reader<'_>) -> ::std::result::Result<Self, $crate::cdr::CdrError> {
                const HIDDEN: Option<$crate::field::Hidden> =
                    $crate::field::Hidden::of($type_name, $crate::macros::count!($($field)*));
                if let Some(hidden) = HIDDEN {
                    r.at(&$crate::cdr::Place { message: $type_name, field: "(implicit)" });
                    hidden.get(r)?;
                }
                Ok(Self { $($field: {
                    r.at(&$crate::cdr::Place {
                        message: $type_name,
                        field: $crate::macros::field_name!($field),
                    });
                    $crate::field::Field::get(r)?
                },)* })
            }

            #[allow(unused_variables, unused_mut, unused_assignments)]
            fn write_json(&self, out: &mut ::std::string::String) {
                let mut separator = '{';
                $(
                    out.push(separator);
                    out.push('"');
                    out.push_str($crate::macros::field_name!($field));
                    out.push_str("\":");
                    $crate::field::Field::json(&self.$field, out);
                    separator = ',';
                )*
                if separator == '{' {
                    out.push('{');
                }
                out.push('}');
            }
        }
    };
}

macro_rules! default_of {
    ($ty:ty) => {
        <$ty as $crate::field::Field>::zero()
    };
    ($ty:ty, $default:literal) => {
        $default
    };
}

macro_rules! default_text {
    () => {
        None
    };
    ($default:literal) => {
        Some(stringify!($default))
    };
}

/// ROS fields may be named as Rust keywords are: `r#type` is `type`.
macro_rules! field_name {
    ($field:ident) => {{
        const NAME: &str = stringify!($field);
        const PLAIN: &str = $crate::macros::without_raw(NAME);
        PLAIN
    }};
}

macro_rules! count {
    () => { 0 };
    ($first:ident $($rest:ident)*) => { 1 + $crate::macros::count!($($rest)*) };
}

/// The name of a constant's type.
macro_rules! ros_name {
    ($ty:ident, $ros:ident) => {
        stringify!($ros)
    };
    (u8) => {
        "uint8"
    };
    (u16) => {
        "uint16"
    };
    (i8) => {
        "int8"
    };
    (u64) => {
        "uint64"
    };
    (i32) => {
        "int32"
    };
}

pub(crate) const fn without_raw(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

pub(crate) use {count, default_of, default_text, field_name, message, ros_name};
