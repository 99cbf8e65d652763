//! The known callables and references of a pickle: dictionaries, tensors, storages.

use crate::checkpoint::pickle::machine::{MAX_NAME_BYTES, MAX_NODES, Machine, Step};
use crate::checkpoint::pickle::value::{Node, Storage, TensorView, Value};

impl Machine<'_> {
    /// Pushes the result of a call of a known callable, or an opaque value.
    pub(super) fn call(&mut self, callee: Node, arguments: Node) -> Step {
        let made = match (self.value(callee), self.value(arguments)) {
            (Value::Global(name), Value::Tuple(arguments)) => self.known_call(name, arguments)?,
            _ => None,
        };
        if let Some(CallResult::Value(Value::Dict(entries))) = &made {
            self.copied += entries.len();
        }
        match made {
            Some(CallResult::Value(value)) => self.push(value),
            Some(CallResult::Same(node)) => self.stack_push(node),
            None => self.push(Value::Opaque),
        }
    }

    fn known_call(&self, name: &str, arguments: &[Node]) -> Step<Option<CallResult>> {
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
                Some(CallResult::Value(Value::Dict(entries)))
            }
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                Some(CallResult::Value(self.tensor(arguments)?))
            }
            "torch._utils._rebuild_parameter" => {
                arguments.first().map(|&tensor| CallResult::Same(tensor))
            }
            // A subclass of Tensor: (function, type, arguments, state).
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

    /// Pushes the storage of a persistent id: ('storage', class, key, device, element count, ...).
    pub(super) fn persistent(&mut self, id: Node) -> Step {
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
}

/// The result of a known call: a new value, or a node that exists already.
enum CallResult {
    Value(Value),
    Same(Node),
}
