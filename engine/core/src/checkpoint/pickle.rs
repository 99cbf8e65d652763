//! A pickle reader that builds plain data and never calls anything.
//!
//! PyTorch checkpoints are pickles, which can run any code in Python. Here a class or function is
//! only a name. The names of tensors and dictionaries are known; every other object becomes
//! [`Value::Opaque`]. The cost of reading is bounded by the length of the pickle and by limits on
//! the number of values and the depth of the stack.

mod limits;
mod machine;
mod objects;
mod value;

pub use value::{Node, Pickle, Storage, TensorView, Value};

use crate::checkpoint::pickle::machine::Machine;

/// Reads the pickle at the start of `bytes`. Returns it and its length in bytes.
///
/// # Errors
/// One line: why the pickle is invalid, and where.
pub fn parse(bytes: &[u8]) -> Result<(Pickle, usize), String> {
    Machine::new(bytes).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_objects_are_opaque_and_nothing_is_called() {
        // {'a': os.system('x'), 'b': 7}
        let bytes = b"\x80\x02}(X\x01\x00\x00\x00acos\nsystem\nX\x01\x00\x00\x00x\x85RX\x01\x00\x00\x00bK\x07u.";
        let (pickle, length) = parse(bytes).unwrap();
        assert_eq!(length, bytes.len());
        assert!(matches!(pickle.at(&["a"]), Some(Value::Opaque)));
        assert!(matches!(pickle.at(&["b"]), Some(Value::Int(7))));
    }

    #[test]
    fn invalid_lengths_and_stacks_are_errors() {
        for bytes in [
            &b"\x80\x02X\xff\xff\xff\x7fabc."[..],
            b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
            b"h\x05.",
            b"(",
            b".",
            b"t.",
        ] {
            assert!(parse(bytes).is_err(), "{bytes:?}");
        }
    }
}
