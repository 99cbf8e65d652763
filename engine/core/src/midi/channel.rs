//! MIDI channels, counted from 0.

/// Channel of drums in General MIDI: number 9 in the file, shown as channel 10.
pub const DRUM_CHANNEL: u8 = 9;

/// Channels of a MIDI port.
pub(super) const CHANNELS: usize = 16;

/// Channels of a port that are not the drum channel.
pub(super) const MELODIC_CHANNELS: usize = CHANNELS - 1;

/// The `index`-th channel that is not the drum channel; an index above 14 gives the last one.
pub(super) fn melodic_channel(index: usize) -> u8 {
    let channel = index.min(MELODIC_CHANNELS - 1) as u8;
    channel + u8::from(channel >= DRUM_CHANNEL)
}
