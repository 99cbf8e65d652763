//! What kind of file the first bytes belong to.

use super::chunks::ChunkStyle;
use super::riff;

/// A kind of file that can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Wave(ChunkStyle),
    Aiff,
    Au,
    Flac,
    Mp4,
    /// MPEG audio, possibly after other bytes.
    Mpeg,
    Caf,
    /// Found by its own reader: Ogg, Matroska, ADTS.
    Other,
}

/// Extension and name, by the first bytes of files that are not supported. The bytes may begin
/// later than at the start.
const UNSUPPORTED: &[(usize, &[u8], &str)] = &[
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a WMA or ASF file"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"MPCK", "a Musepack file"),
    (0, b"MP+", "a Musepack file"),
    (0, b"TTA1", "a True Audio file"),
    (0, b"TTA2", "a True Audio file"),
    (0, b"tBaK", "a TAK file"),
    (0, b"OFR ", "an OptimFROG file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"#!SILK", "a SILK file"),
    (0, b"DSD ", "a DSD file"),
    (0, b"FRM8", "a DSD file"),
    (0, b".RMF", "a RealAudio file"),
    (0, b".ra\xfd", "a RealAudio file"),
    (0, b"Creative Voice File", "a Creative Voice file"),
    (0, b"NIST_1A", "a NIST SPHERE file"),
    (0, b"\x0b\x77", "a Dolby AC-3 file"),
    (0, b"\x7f\xfe\x80\x01", "a DTS file"),
    (0, b"MThd", "a MIDI file"),
    (8, b"RMID", "a MIDI file"),
    (8, b"AVI ", "an AVI video"),
    (8, b"8SVX", "an 8SVX file"),
    (8, b"16SV", "a 16SV file"),
    (0, b"FLV\x01", "a Flash video"),
    (0, b"\0\0\x01\xba", "an MPEG video"),
    (0, b"\0\0\x01\xb3", "an MPEG video"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"Rar!", "a RAR archive"),
    (0, b"7z\xbc\xaf", "a 7-Zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"%PDF", "a PDF file"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (8, b"WEBP", "a WebP picture"),
    (0, b"version https://git-lfs", "a Git LFS pointer"),
];

/// The kind of a file by its first bytes, or what it is that is not supported.
pub(super) fn kind(head: &[u8]) -> Result<Option<Kind>, &'static str> {
    let begins = |at: usize, with: &[u8]| head.get(at..).is_some_and(|h| h.starts_with(with));
    if let Some(style) = riff::style(head) {
        return Ok(Some(Kind::Wave(style)));
    }
    if begins(0, b"FORM") && (begins(8, b"AIFF") || begins(8, b"AIFC")) {
        return Ok(Some(Kind::Aiff));
    }
    if begins(0, b".snd") || begins(0, b"dns.") {
        return Ok(Some(Kind::Au));
    }
    if begins(0, b"fLaC") {
        return Ok(Some(Kind::Flac));
    }
    let atoms: [&[u8]; 6] = [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"];
    if atoms.iter().any(|name| begins(4, name)) {
        return Ok(Some(Kind::Mp4));
    }
    if begins(0, b"caff") {
        return Ok(Some(Kind::Caf));
    }
    let others: [&[u8]; 2] = [b"OggS", b"\x1a\x45\xdf\xa3"];
    if others.iter().any(|name| begins(0, name)) {
        return Ok(Some(Kind::Other));
    }
    // ADTS has the same synchronization as MPEG audio, with a layer that this does not have.
    if let [0xff, second, ..] = head
        && second & 0xe0 == 0xe0
    {
        let is_adts = second & 0xf6 == 0xf0;
        return Ok(Some(if is_adts { Kind::Other } else { Kind::Mpeg }));
    }
    let known = UNSUPPORTED.iter().find(|(at, with, _)| begins(*at, with));
    if let Some((_, _, name)) = known {
        return Err(name);
    }
    if begins(0, b"G") && begins(188, b"G") {
        return Err("an MPEG transport stream");
    }
    let text: String = String::from_utf8_lossy(&head[..head.len().min(64)]).to_lowercase();
    let text = text.trim_start();
    if ["<!doctype html", "<html", "<head"]
        .iter()
        .any(|tag| text.starts_with(tag))
    {
        return Err("a web page");
    }
    Ok(None)
}
