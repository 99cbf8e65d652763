//! The values of a pickle.

/// Index of a value in a [`Pickle`].
pub type Node = u32;

/// A value of a pickle. Lists, tuples and dictionaries contain indices of other values, possibly in
/// cycles.
#[derive(Clone, Debug)]
pub enum Value {
    /// Python's `None`.
    None,
    /// A Boolean.
    Bool(bool),
    /// An integer that fits 64 bits.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A string.
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
    /// Any other object, without its contents.
    Opaque,
}

/// A reference to tensor storage outside of the pickle.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// Class name such as `FloatStorage`, or a dtype such as `float32`.
    pub kind: String,
    /// Key of the storage in the file.
    pub key: String,
    /// Number of elements, as declared by the pickle.
    pub elements: u64,
}

/// A strided view of a storage, in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorView {
    /// The storage.
    pub storage: Storage,
    /// Index of the first element.
    pub offset: u64,
    /// Shape.
    pub shape: Vec<u64>,
    /// Distance between neighbours in each dimension.
    pub strides: Vec<u64>,
}

/// The value at `node`; [`Value::None`] if there is none.
pub(super) fn value_at(nodes: &[Value], node: Node) -> &Value {
    nodes.get(node as usize).unwrap_or(&Value::None)
}

/// A parsed pickle.
#[derive(Debug)]
pub struct Pickle {
    pub(super) nodes: Vec<Value>,
    pub(super) root: Node,
}

impl Pickle {
    /// The outermost value.
    pub fn root(&self) -> &Value {
        self.get(self.root)
    }

    /// The value at `node`; [`Value::None`] if there is none.
    pub fn get(&self, node: Node) -> &Value {
        value_at(&self.nodes, node)
    }

    /// All values, in the order of the file.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.nodes.iter()
    }

    /// The value of the string key `name` in a dictionary.
    pub fn item<'a>(&'a self, dictionary: &Value, name: &str) -> Option<&'a Value> {
        let Value::Dict(entries) = dictionary else {
            return None;
        };
        let mut found = entries
            .iter()
            .filter(|(key, _)| matches!(self.get(*key), Value::Str(key) if key == name));
        found.next_back().map(|(_, value)| self.get(*value))
    }

    /// The value at a path of string keys from the root.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter()
            .try_fold(self.root(), |value, name| self.item(value, name))
    }
}
