//! The known callables and references of a pickle: dictionaries, tensors, storages.

use crate::checkpoint::pickle::limits::{MAX_NAME_BYTES, MAX_NODES, Step};
use crate::checkpoint::pickle::value::{Node, Storage, TensorView, Value, value_at};

/// The full name of a class or function.
pub(super) fn global_name(module: &str, name: &str) -> Step<String> {
    if module.len() + name.len() > MAX_NAME_BYTES {
        return Err("an overlong class name".into());
    }
    Ok(format!("{module}.{name}"))
}

/// The result of a known call: a new value, or a node that exists already.
pub(super) enum Made {
    Dict(Vec<(Node, Node)>),
    Tensor(TensorView),
    Same(Node),
}

/// The result of a call among the values `nodes`; `None` if the callable is not known. A dictionary
/// copies at most `copies_left` entries of a list.
pub(super) fn called(
    nodes: &[Value],
    callee: Node,
    arguments: Node,
    copies_left: usize,
) -> Step<Option<Made>> {
    match (value_at(nodes, callee), value_at(nodes, arguments)) {
        (Value::Global(name), Value::Tuple(arguments)) => {
            known_call(nodes, name, arguments, copies_left)
        }
        _ => Ok(None),
    }
}

fn known_call(
    nodes: &[Value],
    name: &str,
    arguments: &[Node],
    copies_left: usize,
) -> Step<Option<Made>> {
    Ok(match name {
        "collections.OrderedDict" | "builtins.dict" | "__builtin__.dict" => {
            let mut entries = Vec::new();
            let items = arguments.first().map(|&node| value_at(nodes, node));
            if let Some(Value::List(items)) = items {
                if items.len() > copies_left {
                    return Err(format!("more than {MAX_NODES} values"));
                }
                for &item in items {
                    if let Value::Tuple(pair) = value_at(nodes, item)
                        && let [key, value] = pair[..]
                    {
                        entries.push((key, value));
                    }
                }
            }
            Some(Made::Dict(entries))
        }
        "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
            Some(Made::Tensor(tensor(nodes, arguments)?))
        }
        "torch._utils._rebuild_parameter" => arguments.first().map(|&tensor| Made::Same(tensor)),
        // A subclass of Tensor: (function, type, arguments, state).
        "torch._tensor._rebuild_from_type_v2" => match arguments {
            [function, _, inner, ..] => {
                match (value_at(nodes, *function), value_at(nodes, *inner)) {
                    (Value::Global(name), Value::Tuple(inner))
                        if name.starts_with("torch._utils._rebuild") =>
                    {
                        known_call(nodes, name, inner, copies_left)?
                    }
                    _ => None,
                }
            }
            _ => None,
        },
        _ => None,
    })
}

fn tensor(nodes: &[Value], arguments: &[Node]) -> Step<TensorView> {
    let [storage, offset, shape, strides, ..] = arguments else {
        return Err("a tensor without shape".into());
    };
    let Value::Storage(storage) = value_at(nodes, *storage) else {
        return Err("a tensor without storage".into());
    };
    let (Value::Int(offset), Value::Tuple(shape), Value::Tuple(strides)) = (
        value_at(nodes, *offset),
        value_at(nodes, *shape),
        value_at(nodes, *strides),
    ) else {
        return Err("a tensor with a malformed shape".into());
    };
    let sizes = |sizes: &[Node]| -> Step<Vec<u64>> {
        let size = |&node: &Node| match value_at(nodes, node) {
            Value::Int(size) => {
                u64::try_from(*size).map_err(|_| "a tensor with a negative size".to_owned())
            }
            _ => Err("a tensor with a malformed shape".to_owned()),
        };
        sizes.iter().map(size).collect()
    };
    if shape.len() != strides.len() || shape.len() > 8 {
        return Err("a tensor with a malformed shape".into());
    }
    Ok(TensorView {
        storage: storage.clone(),
        offset: u64::try_from(*offset).map_err(|_| "a tensor with a negative offset")?,
        shape: sizes(shape)?,
        strides: sizes(strides)?,
    })
}

/// The storage of a persistent id: ('storage', class, key, device, element count, ...).
pub(super) fn referred_storage(nodes: &[Value], id: Node) -> Option<Storage> {
    let value = |node: Node| value_at(nodes, node);
    let Value::Tuple(items) = value(id) else {
        return None;
    };
    let [tag, class, key, _, elements, ..] = items[..] else {
        return None;
    };
    match (value(tag), value(class), value(key), value(elements)) {
        (Value::Str(tag), Value::Global(class), Value::Str(key), Value::Int(elements))
            if tag == "storage" && key.len() <= MAX_NAME_BYTES =>
        {
            Some(Storage {
                kind: class.rsplit('.').next().unwrap_or_default().to_owned(),
                key: key.clone(),
                elements: u64::try_from(*elements).unwrap_or(0),
            })
        }
        _ => None,
    }
}
