//! Fuzz targets of cargo-fuzz. What they run is `saccade_tests::parsers`.

pub use libfuzzer_sys::fuzz_target;
pub use saccade_tests::parsers::{Heap, check};

/// A target that gives its inputs to the parser of this name.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        #[global_allocator]
        static HEAP: $crate::Heap = $crate::Heap::new(std::alloc::System, usize::MAX);

        $crate::fuzz_target!(|input: &[u8]| $crate::check($name, input, &HEAP));
    };
}
