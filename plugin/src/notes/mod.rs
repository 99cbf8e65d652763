//! From detected notes to MIDI: note map, velocity curve, quantization, MIDI clips.

pub mod mapper;
pub mod midi_clip;
pub mod note_map;
pub mod quantize;
pub mod selection;
pub mod velocity_curve;
