//! The stack machine that executes pickle opcodes.

use std::collections::HashMap;

use crate::checkpoint::pickle::limits::{MAX_NODES, Step};
use crate::checkpoint::pickle::objects::{Made, called, global_name, referred_storage};
use crate::checkpoint::pickle::value::{Node, Pickle, Value, value_at};

/// Limit on the depth of the stack.
const MAX_STACK: usize = 1_000_000;
/// Limit on the length of an integer in bytes; Python has none.
const MAX_LONG_BYTES: usize = 64;

/// The state of the machine.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Value>,
    stack: Vec<Node>,
    marks: Vec<usize>,
    memo: HashMap<u32, Node>,
    /// Number of entries copied from lists to dictionaries so far.
    copied: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            copied: 0,
        }
    }

    /// Runs to the end of the pickle. Returns it and its length in bytes.
    pub(super) fn run(mut self) -> Step<(Pickle, usize)> {
        let root = self.root()?;
        let pickle = Pickle {
            nodes: self.nodes,
            root,
        };
        Ok((pickle, self.at))
    }

    fn root(&mut self) -> Step<Node> {
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
                let (Value::Str(module), Value::Str(name)) =
                    (value_at(&self.nodes, module), value_at(&self.nodes, name))
                else {
                    return Err("a class name that is not a string".into());
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
            // The state of an object is ignored.
            b'b' => {
                self.pop()?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = referred_storage(&self.nodes, id);
                self.push(storage.map_or(Value::Opaque, Value::Storage))?;
            }
            // Extension registry and out-of-band buffers cannot be resolved.
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

    /// Pushes the result of a call of a known callable, or an opaque value.
    fn call(&mut self, callee: Node, arguments: Node) -> Step {
        match called(&self.nodes, callee, arguments, MAX_NODES - self.copied)? {
            Some(Made::Dict(entries)) => {
                self.copied += entries.len();
                self.push(Value::Dict(entries))
            }
            Some(Made::Tensor(tensor)) => self.push(Value::Tensor(tensor)),
            Some(Made::Same(node)) => self.stack_push(node),
            None => self.push(Value::Opaque),
        }
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
            .map_err(|_| "a length beyond the address space".to_owned())
    }

    fn take(&mut self, length: usize) -> Step<&[u8]> {
        let end = self
            .at
            .checked_add(length)
            .filter(|&end| end <= self.bytes.len())
            .ok_or("unexpected end of data")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn line(&mut self) -> Step<&str> {
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .ok_or("unexpected end of data")?;
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|_| "not UTF-8".to_owned())
    }
}

fn pairs(items: &[Node]) -> Vec<(Node, Node)> {
    items
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect()
}
