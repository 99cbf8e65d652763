//! A pickle reader that builds plain data and never calls anything.
//!
//! Checkpoints of PyTorch are pickles, which in Python may run any code. Here a class or function
//! is only a name: a handful of names that stand for tensors and dictionaries are understood, every
//! other object is kept as [`Value::Opaque`]. What a file can cost is bounded by its own size, by
//! limits on the number of values and the depth of the stack.

mod machine;
mod objects;

use machine::Machine;

/// Index of a value in a [`Pickle`].
pub type Node = u32;

/// A value of a pickle. Lists, tuples and dictionaries hold indices of other values and may form
/// circles.
#[derive(Clone, Debug)]
pub enum Value {
    /// Python's `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(String),
    /// Raw bytes, or an integer too large for 64 bits.
    Bytes(Vec<u8>),
    /// A list or a set.
    List(Vec<Node>),
    /// A tuple.
    Tuple(Vec<Node>),
    /// Keys and values in order.
    Dict(Vec<(Node, Node)>),
    /// The name of a class or function.
    Global(String),
    /// A reference to tensor storage outside the pickle.
    Storage(Storage),
    /// A tensor: a view of a storage.
    Tensor(TensorView),
    /// Any other object; what it was made from is not kept.
    Opaque,
}

/// Storage that lies outside the pickle.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// Class name such as `FloatStorage`, or a dtype such as `float32`.
    pub kind: String,
    /// Name of the storage in the file.
    pub key: String,
    /// Number of elements as the pickle says.
    pub elements: u64,
}

/// A strided view of a storage, in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorView {
    /// The storage.
    pub storage: Storage,
    /// First element.
    pub offset: u64,
    /// Shape.
    pub shape: Vec<u64>,
    /// Distance between neighbours in each dimension.
    pub strides: Vec<u64>,
}

/// A parsed pickle.
#[derive(Debug)]
pub struct Pickle {
    nodes: Vec<Value>,
    root: Node,
}

impl Pickle {
    /// The outermost value.
    pub fn root(&self) -> &Value {
        self.get(self.root)
    }

    /// The value at `node`.
    pub fn get(&self, node: Node) -> &Value {
        self.nodes.get(node as usize).unwrap_or(&Value::None)
    }

    /// All values, in the order of the file.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.nodes.iter()
    }

    /// The value under the text key `name` of a dictionary.
    pub fn item<'a>(&'a self, dictionary: &Value, name: &str) -> Option<&'a Value> {
        let Value::Dict(entries) = dictionary else {
            return None;
        };
        let mut found = entries
            .iter()
            .filter(|(key, _)| matches!(self.get(*key), Value::Str(key) if key == name));
        found.next_back().map(|(_, value)| self.get(*value))
    }

    /// The value at a path of text keys from the root.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter()
            .try_fold(self.root(), |value, name| self.item(value, name))
    }
}

/// Reads one pickle from the start of `bytes`; returns it and the number of bytes it took.
///
/// # Errors
/// One line that says what is wrong with the bytes.
pub fn parse(bytes: &[u8]) -> Result<(Pickle, usize), String> {
    Machine::new(bytes).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_objects_are_skipped_and_nothing_is_called() {
        // {'a': os.system('x'), 'b': 7}
        let bytes = b"\x80\x02}(X\x01\x00\x00\x00acos\nsystem\nX\x01\x00\x00\x00x\x85RX\x01\x00\x00\x00bK\x07u.";
        let (pickle, length) = parse(bytes).unwrap();
        assert_eq!(length, bytes.len());
        assert!(matches!(pickle.at(&["a"]), Some(Value::Opaque)));
        assert!(matches!(pickle.at(&["b"]), Some(Value::Int(7))));
    }

    #[test]
    fn lies_about_lengths_are_errors() {
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
