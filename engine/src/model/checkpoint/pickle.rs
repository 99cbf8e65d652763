//! A pickle reader that builds plain data and never calls anything.
//!
//! Checkpoints of PyTorch are pickles, which in Python may run any code. Here a class or function
//! is only a name: a handful of names that stand for tensors and dictionaries are understood, every
//! other object is kept as [`Value::Opaque`]. What a file can cost is bounded by its own size, by
//! [`MAX_NODES`] and by [`MAX_STACK`].

use std::collections::HashMap;

/// Most values that one pickle may hold.
const MAX_NODES: usize = 4_000_000;
/// Deepest stack.
const MAX_STACK: usize = 1_000_000;
/// Longest integer in bytes; Python's are unbounded.
const MAX_LONG_BYTES: usize = 64;
/// Longest name of a class or a storage: names are copied, so they must be short.
const MAX_NAME_BYTES: usize = 256;

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
    let mut machine = Machine {
        bytes,
        at: 0,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        copied: 0,
    };
    let root = machine.run()?;
    let length = machine.at;
    Ok((
        Pickle {
            nodes: machine.nodes,
            root,
        },
        length,
    ))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Value>,
    stack: Vec<Node>,
    marks: Vec<usize>,
    memo: HashMap<u32, Node>,
    /// Entries copied from lists to dictionaries so far.
    copied: usize,
}

type Step<T = ()> = Result<T, String>;

impl Machine<'_> {
    fn run(&mut self) -> Step<Node> {
        loop {
            let start = self.at;
            let code = self.byte()?;
            if code == b'.' {
                return self.pop();
            }
            self.opcode(code)
                .map_err(|reason| format!("pickle, byte {start}: {reason}"))?;
        }
    }

    fn opcode(&mut self, code: u8) -> Step {
        match code {
            // Protocol and framing.
            0x80 => {
                self.take(1)?;
            }
            0x95 => {
                self.take(8)?;
            }
            // Plain values.
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))?;
            }
            b'K' => {
                let value = self.byte()?;
                self.push(Value::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()))?;
            }
            b'I' | b'L' => self.decimal()?,
            b'F' => {
                let value = self.line()?.trim().parse().map_err(|_| "not a number")?;
                self.push(Value::Float(value))?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(value))?;
            }
            0x8a => {
                let length = usize::from(self.byte()?);
                self.long(length)?;
            }
            0x8b => {
                let length = self.length32()?;
                self.long(length)?;
            }
            b'X' => {
                let length = self.length32()?;
                self.text(length)?;
            }
            0x8c | b'U' => {
                let length = usize::from(self.byte()?);
                self.text(length)?;
            }
            b'T' => {
                let length = self.length32()?;
                self.text(length)?;
            }
            0x8d => {
                let length = self.length64()?;
                self.text(length)?;
            }
            b'V' | b'S' => {
                let line = self.line()?.trim_matches(['\'', '"']).to_owned();
                self.push(Value::Str(line))?;
            }
            b'C' => {
                let length = usize::from(self.byte()?);
                self.raw(length)?;
            }
            b'B' => {
                let length = self.length32()?;
                self.raw(length)?;
            }
            0x8e | 0x96 => {
                let length = self.length64()?;
                self.raw(length)?;
            }
            // Stack.
            b'(' => {
                if self.marks.len() >= MAX_STACK {
                    return Err(format!("more than {MAX_STACK} marks"));
                }
                self.marks.push(self.stack.len());
            }
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_mark()?;
            }
            b'2' => {
                let top = *self.stack.last().ok_or("empty stack")?;
                self.stack_push(top)?;
            }
            // Memo.
            b'q' => {
                let key = self.byte()?;
                self.remember(key.into())?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.remember(key)?;
            }
            b'p' => {
                let key = self.line()?.trim().parse().map_err(|_| "bad memo key")?;
                self.remember(key)?;
            }
            0x94 => {
                let key = self.memo.len() as u32;
                self.remember(key)?;
            }
            b'h' => {
                let key = self.byte()?;
                self.recall(key.into())?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b'g' => {
                let key = self.line()?.trim().parse().map_err(|_| "bad memo key")?;
                self.recall(key)?;
            }
            _ => self.container_or_object(code)?,
        }
        Ok(())
    }

    fn container_or_object(&mut self, code: u8) -> Step {
        match code {
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b']' | 0x8f => self.push(Value::List(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b't' => {
                let items = self.pop_mark()?;
                self.push(Value::Tuple(items))?;
            }
            b'l' | 0x91 => {
                let items = self.pop_mark()?;
                self.push(Value::List(items))?;
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push(Value::Dict(pairs(&items)))?;
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let from = self.stack.len().checked_sub(count).ok_or("empty stack")?;
                let items = self.stack.split_off(from);
                self.push(Value::Tuple(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.extend_list(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(&[key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.extend_dict(&items)?;
            }
            b'c' => {
                let module = self.line()?.to_owned();
                let name = self.line()?;
                let global = global_name(&module, name)?;
                self.push(Value::Global(global))?;
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Value::Str(module), Value::Str(name)) = (self.value(module), self.value(name))
                else {
                    return Err("a class name that is no text".into());
                };
                let global = global_name(module, name)?;
                self.push(Value::Global(global))?;
            }
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let callee = self.pop()?;
                self.call(callee, arguments)?;
            }
            0x92 => {
                self.pop()?;
                let arguments = self.pop()?;
                let callee = self.pop()?;
                self.call(callee, arguments)?;
            }
            b'o' | b'i' => {
                if code == b'i' {
                    self.line()?;
                    self.line()?;
                }
                self.pop_mark()?;
                self.push(Value::Opaque)?;
            }
            // The state of an object is of no use to us.
            b'b' => {
                self.pop()?;
            }
            b'Q' => {
                let id = self.pop()?;
                self.persistent(id)?;
            }
            // Extension registry and out-of-band buffers: nothing we could resolve.
            0x82 => {
                self.take(1)?;
                self.push(Value::Opaque)?;
            }
            0x83 => {
                self.take(2)?;
                self.push(Value::Opaque)?;
            }
            0x84 => {
                self.take(4)?;
                self.push(Value::Opaque)?;
            }
            0x97 => self.push(Value::Opaque)?,
            0x98 => {}
            other => return Err(format!("unknown opcode {other:#04x}")),
        }
        Ok(())
    }

    /// What a call would make, for the few callables we know.
    fn call(&mut self, callee: Node, arguments: Node) -> Step {
        let made = match (self.value(callee), self.value(arguments)) {
            (Value::Global(name), Value::Tuple(arguments)) => self.known_call(name, arguments)?,
            _ => None,
        };
        if let Some(Made::Value(Value::Dict(entries))) = &made {
            self.copied += entries.len();
        }
        match made {
            Some(Made::Value(value)) => self.push(value),
            Some(Made::Same(node)) => self.stack_push(node),
            None => self.push(Value::Opaque),
        }
    }

    fn known_call(&self, name: &str, arguments: &[Node]) -> Step<Option<Made>> {
        Ok(match name {
            "collections.OrderedDict" | "builtins.dict" | "__builtin__.dict" => {
                let mut entries = Vec::new();
                if let Some(Value::List(items)) = arguments.first().map(|&node| self.value(node)) {
                    if self.copied.saturating_add(items.len()) > MAX_NODES {
                        return Err(format!("more than {MAX_NODES} values"));
                    }
                    for &item in items {
                        if let Value::Tuple(pair) = self.value(item)
                            && let [key, value] = pair[..]
                        {
                            entries.push((key, value));
                        }
                    }
                }
                Some(Made::Value(Value::Dict(entries)))
            }
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                Some(Made::Value(self.tensor(arguments)?))
            }
            "torch._utils._rebuild_parameter" => {
                arguments.first().map(|&tensor| Made::Same(tensor))
            }
            // (function, type, arguments, state): a subclass of Tensor.
            "torch._tensor._rebuild_from_type_v2" => match arguments {
                [function, _, inner, ..] => match (self.value(*function), self.value(*inner)) {
                    (Value::Global(name), Value::Tuple(inner))
                        if name.starts_with("torch._utils._rebuild") =>
                    {
                        self.known_call(name, inner)?
                    }
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
    }

    fn tensor(&self, arguments: &[Node]) -> Step<Value> {
        let [storage, offset, shape, strides, ..] = arguments else {
            return Err("a tensor without shape".into());
        };
        let Value::Storage(storage) = self.value(*storage) else {
            return Err("a tensor without storage".into());
        };
        let (Value::Int(offset), Value::Tuple(shape), Value::Tuple(strides)) = (
            self.value(*offset),
            self.value(*shape),
            self.value(*strides),
        ) else {
            return Err("a tensor with a malformed shape".into());
        };
        let sizes = |nodes: &[Node]| -> Step<Vec<u64>> {
            let size = |&node: &Node| match self.value(node) {
                Value::Int(size) => {
                    u64::try_from(*size).map_err(|_| "a tensor with a negative size".to_owned())
                }
                _ => Err("a tensor with a malformed shape".to_owned()),
            };
            nodes.iter().map(size).collect()
        };
        if shape.len() != strides.len() || shape.len() > 8 {
            return Err("a tensor with a malformed shape".into());
        }
        Ok(Value::Tensor(TensorView {
            storage: storage.clone(),
            offset: u64::try_from(*offset).map_err(|_| "a tensor with a negative offset")?,
            shape: sizes(shape)?,
            strides: sizes(strides)?,
        }))
    }

    /// ('storage', class, key, device, number of elements, ...)
    fn persistent(&mut self, id: Node) -> Step {
        let storage = match self.value(id) {
            Value::Tuple(items) => match items[..] {
                [tag, class, key, _, elements, ..] => {
                    match (
                        self.value(tag),
                        self.value(class),
                        self.value(key),
                        self.value(elements),
                    ) {
                        (
                            Value::Str(tag),
                            Value::Global(class),
                            Value::Str(key),
                            Value::Int(elements),
                        ) if tag == "storage" && key.len() <= MAX_NAME_BYTES => Some(Storage {
                            kind: class.rsplit('.').next().unwrap_or_default().to_owned(),
                            key: key.clone(),
                            elements: u64::try_from(*elements).unwrap_or(0),
                        }),
                        _ => None,
                    }
                }
                _ => None,
            },
            _ => None,
        };
        self.push(storage.map_or(Value::Opaque, Value::Storage))
    }

    fn extend_list(&mut self, items: &[Node]) -> Step {
        let list = *self.stack.last().ok_or("empty stack")?;
        if let Some(Value::List(own)) = self.nodes.get_mut(list as usize) {
            own.extend_from_slice(items);
        }
        Ok(())
    }

    fn extend_dict(&mut self, items: &[Node]) -> Step {
        let dict = *self.stack.last().ok_or("empty stack")?;
        if let Some(Value::Dict(own)) = self.nodes.get_mut(dict as usize) {
            own.extend(pairs(items));
        }
        Ok(())
    }

    fn remember(&mut self, key: u32) -> Step {
        let top = *self.stack.last().ok_or("empty stack")?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Step {
        let node = *self.memo.get(&key).ok_or("unknown memo key")?;
        self.stack_push(node)
    }

    fn decimal(&mut self) -> Step {
        let line = self.line()?.trim().trim_end_matches('L').to_owned();
        let value = match line.as_str() {
            "00" => Value::Bool(false),
            "01" => Value::Bool(true),
            digits => Value::Int(digits.parse().map_err(|_| "not a 64-bit integer")?),
        };
        self.push(value)
    }

    /// A little-endian two's-complement integer.
    fn long(&mut self, length: usize) -> Step {
        if length > MAX_LONG_BYTES {
            return Err(format!("an integer of {length} bytes"));
        }
        let bytes = self.take(length)?;
        let value = if length > 8 {
            Value::Bytes(bytes.to_vec())
        } else {
            let sign = if bytes.last().is_some_and(|&top| top >= 0x80) {
                0xff
            } else {
                0
            };
            let mut wide = [sign; 8];
            wide[..length].copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(wide))
        };
        self.push(value)
    }

    fn text(&mut self, length: usize) -> Step {
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.push(Value::Str(text))
    }

    fn raw(&mut self, length: usize) -> Step {
        let bytes = self.take(length)?.to_vec();
        self.push(Value::Bytes(bytes))
    }

    fn value(&self, node: Node) -> &Value {
        self.nodes.get(node as usize).unwrap_or(&Value::None)
    }

    fn push(&mut self, value: Value) -> Step {
        if self.nodes.len() >= MAX_NODES {
            return Err(format!("more than {MAX_NODES} values"));
        }
        self.nodes.push(value);
        self.stack_push((self.nodes.len() - 1) as Node)
    }

    fn stack_push(&mut self, node: Node) -> Step {
        if self.stack.len() >= MAX_STACK {
            return Err(format!("more than {MAX_STACK} values on the stack"));
        }
        self.stack.push(node);
        Ok(())
    }

    fn pop(&mut self) -> Step<Node> {
        self.stack.pop().ok_or_else(|| "empty stack".to_owned())
    }

    fn pop_mark(&mut self) -> Step<Vec<Node>> {
        let mark = self.marks.pop().ok_or("no mark on the stack")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }

    fn length32(&mut self) -> Step<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn length64(&mut self) -> Step<usize> {
        usize::try_from(u64::from_le_bytes(self.array()?))
            .map_err(|_| "a length beyond memory".to_owned())
    }

    fn take(&mut self, length: usize) -> Step<&[u8]> {
        let end = self
            .at
            .checked_add(length)
            .filter(|&end| end <= self.bytes.len())
            .ok_or("the data end early")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn line(&mut self) -> Step<&str> {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or("the data end early")?;
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|_| "not UTF-8".to_owned())
    }
}

enum Made {
    Value(Value),
    Same(Node),
}

fn global_name(module: &str, name: &str) -> Step<String> {
    if module.len() + name.len() > MAX_NAME_BYTES {
        return Err("an overlong class name".into());
    }
    Ok(format!("{module}.{name}"))
}

fn pairs(items: &[Node]) -> Vec<(Node, Node)> {
    items
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect()
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
