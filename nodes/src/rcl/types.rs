//! Types that are installed: their code is in libraries of their packages, by names that
//! rosidl gives, `rosidl_typesupport_c__get_message_type_support_handle__std_msgs__msg__String`.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr::{self, NonNull};

use libloading::Library;
use r2r_rcl as rcl;

use super::{RclError, check};
use std::ffi::c_int;

/// How the middleware reads and writes a message's type. It lies in a library that stays
/// loaded.
#[derive(Clone, Copy)]
pub(super) struct MessageSupport(pub *const rcl::rosidl_message_type_support_t);

// SAFETY: it points to constants of a library that is never unloaded.
unsafe impl Send for MessageSupport {}
// SAFETY: as above; nothing is changed through it.
unsafe impl Sync for MessageSupport {}

/// A service's type, with what turns requests and replies to bytes and back.
#[derive(Clone, Copy)]
pub(super) struct ServiceKind {
    pub support: *const rcl::rosidl_service_type_support_t,
    pub request: Structure,
    pub response: Structure,
}

// SAFETY: as `MessageSupport`.
unsafe impl Send for ServiceKind {}
// SAFETY: as `MessageSupport`.
unsafe impl Sync for ServiceKind {}

/// A message as rosidl's C structure: how it is made, freed, written and read.
#[derive(Clone, Copy)]
pub(super) struct Structure {
    support: MessageSupport,
    create: unsafe extern "C" fn() -> *mut c_void,
    destroy: unsafe extern "C" fn(*mut c_void),
}

/// The packages' libraries, by file name.
#[derive(Default)]
pub(super) struct Types(BTreeMap<String, &'static Library>);

impl Types {
    /// Of a message, `std_msgs/msg/String`.
    ///
    /// # Errors
    /// [`RclError::Type`] if it is not installed.
    pub fn message(&mut self, type_name: &str) -> Result<MessageSupport, RclError> {
        let get = format!(
            "rosidl_typesupport_c__get_message_type_support_handle__{}",
            type_name.replace('/', "__")
        );
        let get = self.symbol(type_name, "rosidl_typesupport_c", &get)?;
        // SAFETY: rosidl gives functions of this name this signature.
        let support = unsafe {
            let get: extern "C" fn() -> *const rcl::rosidl_message_type_support_t =
                std::mem::transmute(get);
            get()
        };
        Ok(MessageSupport(support))
    }

    /// Of a service, `std_srvs/srv/Trigger`.
    ///
    /// # Errors
    /// [`RclError::Type`] if it is not installed.
    pub fn service(&mut self, type_name: &str) -> Result<ServiceKind, RclError> {
        let get = format!(
            "rosidl_typesupport_c__get_service_type_support_handle__{}",
            type_name.replace('/', "__")
        );
        let get = self.symbol(type_name, "rosidl_typesupport_c", &get)?;
        // SAFETY: rosidl gives functions of this name this signature.
        let support = unsafe {
            let get: extern "C" fn() -> *const rcl::rosidl_service_type_support_t =
                std::mem::transmute(get);
            get()
        };
        Ok(ServiceKind {
            support,
            request: self.structure(&format!("{type_name}_Request"))?,
            response: self.structure(&format!("{type_name}_Response"))?,
        })
    }

    fn structure(&mut self, type_name: &str) -> Result<Structure, RclError> {
        let name = type_name.replace('/', "__");
        let generator = "rosidl_generator_c";
        let create = self.symbol(type_name, generator, &format!("{name}__create"))?;
        let destroy = self.symbol(type_name, generator, &format!("{name}__destroy"))?;
        let support = self.message(type_name)?;
        // SAFETY: rosidl gives functions of these names these signatures.
        unsafe {
            Ok(Structure {
                support,
                create: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *mut c_void>(
                    create,
                ),
                destroy: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(
                    destroy,
                ),
            })
        }
    }

    /// The address of a function of the type's package.
    fn symbol(&mut self, type_name: &str, part: &str, name: &str) -> Result<*mut c_void, RclError> {
        let wrong = |reason: String| RclError::Type {
            type_name: type_name.to_owned(),
            reason,
        };
        let Some((package, _)) = type_name.split_once('/') else {
            return Err(RclError::Name(type_name.to_owned()));
        };
        let file = format!("lib{package}__{part}.so");
        if !self.0.contains_key(&file) {
            // SAFETY: what runs when a library of rosidl is loaded are its own constants.
            let library = unsafe { Library::new(&file) };
            let library = library.map_err(|e| wrong(e.to_string()))?;
            // rcl keeps pointers into it to the end.
            self.0.insert(file.clone(), Box::leak(Box::new(library)));
        }
        // SAFETY: only the address is taken here; who calls it says why its type is right.
        let symbol = unsafe { self.0[&file].get::<*mut c_void>(name.as_bytes()) };
        let symbol = symbol.map_err(|e| wrong(e.to_string()))?;
        // SAFETY: the library stays loaded.
        let address = unsafe { symbol.try_as_raw_ptr() };
        address
            .filter(|a| !a.is_null())
            .ok_or_else(|| wrong(format!("{file} has no {name}")))
    }
}

/// A message in a structure.
pub(super) struct Message {
    at: NonNull<c_void>,
    of: Structure,
}

impl Message {
    /// One with default values.
    ///
    /// # Errors
    /// [`RclError::Memory`].
    pub fn new(of: Structure) -> Result<Self, RclError> {
        // SAFETY: `create` is the one of the structure's type.
        let at = unsafe { (of.create)() };
        let at = NonNull::new(at).ok_or(RclError::Memory("a message"))?;
        Ok(Message { at, of })
    }

    /// For rcl to write to or read from.
    pub fn as_ptr(&self) -> *mut c_void {
        self.at.as_ptr()
    }

    /// Reads CDR.
    ///
    /// # Errors
    /// [`RclError::Refused`] of what is no such message.
    pub fn read(of: Structure, cdr: &mut [u8]) -> Result<Self, RclError> {
        let message = Message::new(of)?;
        let bytes = borrowed(cdr);
        // SAFETY: the structure is of the type of `support`, and the bytes outlive the call.
        let code = unsafe { rcl::rmw_deserialize(&bytes, message.of.support.0, message.as_ptr()) };
        check(code, || "read a message".into())?;
        Ok(message)
    }

    /// As CDR.
    ///
    /// # Errors
    /// [`RclError::Refused`].
    pub fn write(&self) -> Result<Vec<u8>, RclError> {
        let mut bytes = Bytes::new()?;
        // SAFETY: the structure is of the type of `support`, and `bytes` is an array of rcl.
        let code =
            unsafe { rcl::rmw_serialize(self.as_ptr(), self.of.support.0, bytes.as_mut_ptr()) };
        check(code, || "write a message".into())?;
        Ok(bytes.to_vec())
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: `create` of the same type made it, and it is freed once.
        unsafe { (self.of.destroy)(self.at.as_ptr()) };
    }
}

/// An array of rcl's that grows as rcl needs it.
pub(super) struct Bytes(rcl::rcl_serialized_message_t);

// SAFETY: it owns its memory, which any thread may free.
unsafe impl Send for Bytes {}

impl Bytes {
    /// An empty one.
    ///
    /// # Errors
    /// [`RclError::Refused`].
    pub fn new() -> Result<Self, RclError> {
        // SAFETY: the array is initialised by the call before it is used.
        unsafe {
            let allocator = rcl::rcutils_get_default_allocator();
            let mut bytes = rcl::rcutils_get_zero_initialized_uint8_array();
            let code: c_int = rcl::rcutils_uint8_array_init(&mut bytes, 0, &allocator);
            check(code, || "make an array".into())?;
            Ok(Bytes(bytes))
        }
    }

    /// For rcl to write to.
    pub fn as_mut_ptr(&mut self) -> *mut rcl::rcl_serialized_message_t {
        &mut self.0
    }

    /// What rcl has written.
    pub fn to_vec(&self) -> Vec<u8> {
        if self.0.buffer.is_null() {
            return Vec::new();
        }
        // SAFETY: rcl has written so many bytes there.
        unsafe { std::slice::from_raw_parts(self.0.buffer, self.0.buffer_length) }.to_vec()
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // SAFETY: it was initialised, and is freed once.
        unsafe { rcl::rcutils_uint8_array_fini(&mut self.0) };
    }
}

/// Our bytes, lent to rcl to read.
pub(super) fn borrowed(cdr: &mut [u8]) -> rcl::rcl_serialized_message_t {
    // SAFETY: both only return values.
    let (mut bytes, allocator) = unsafe {
        (
            rcl::rcutils_get_zero_initialized_uint8_array(),
            rcl::rcutils_get_default_allocator(),
        )
    };
    bytes.buffer = if cdr.is_empty() {
        ptr::null_mut()
    } else {
        cdr.as_mut_ptr()
    };
    bytes.buffer_length = cdr.len();
    bytes.buffer_capacity = cdr.len();
    bytes.allocator = allocator;
    bytes
}
