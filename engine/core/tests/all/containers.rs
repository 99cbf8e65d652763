//! Containers with wrong sizes, unusual formats, tags and joins. The files are made here, from
//! samples or from those in tests/data.

use std::path::{Path, PathBuf};

use hitscribe_core::audio::file::AudioFile;

use crate::wav_bytes::{FRAMES, RATE_HZ, chunk, fmt, mono, pcm, riff, sample, whole};

fn data(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(folder.join(name)).unwrap()
}

struct Read {
    samples: Vec<f32>,
    channel_count: usize,
    sample_rate_hz: u32,
    warning: Option<String>,
    is_incomplete: bool,
}

fn try_read(name: &str, bytes: &[u8]) -> Result<Read, String> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let mut file = AudioFile::open(&path).map_err(|error| error.to_string())?;
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().map_err(|error| error.to_string())? {
        samples.extend_from_slice(block);
    }
    Ok(Read {
        samples,
        channel_count: file.channel_count(),
        sample_rate_hz: file.sample_rate_hz(),
        warning: file.warning(),
        is_incomplete: file.is_incomplete(),
    })
}

#[track_caller]
fn read(name: &str, bytes: &[u8]) -> Read {
    try_read(name, bytes).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(name: &str, bytes: &[u8], reason: &str) {
    let error = try_read(name, bytes).map(|_| ()).unwrap_err();
    assert!(error.contains(reason), "{error}");
    assert!(!error.contains("damaged"), "{error}");
}

#[track_caller]
fn assert_all(read: &Read) {
    let is_right = |(frame, value): (usize, &f32)| *value == f32::from(sample(frame)) / 32_768.0;
    assert_eq!(read.samples.len(), FRAMES);
    assert!(read.samples.iter().enumerate().all(is_right));
    assert_eq!((read.channel_count, read.sample_rate_hz), (1, RATE_HZ));
    assert!(!read.is_incomplete, "{:?}", read.warning);
}

#[test]
fn wav_files_with_wrong_sizes_are_read_to_the_end() {
    let size = pcm().len() as u32;
    let all = 4 + mono().len() as u32 + 8 + size;
    let with = |riff_size, data_size| {
        let data = chunk(b"data", data_size, &pcm());
        read("a.wav", &riff(Some(riff_size), &[mono(), data]))
    };
    // Sizes of RIFF and of the data, and whether a warning is due.
    for (riff_size, data_size, is_wrong) in [
        (all, size, false),
        (all - 8, size, false),
        (0, size, false),
        (all / 2, size, false),
        (u32::MAX, u32::MAX, false),
        (0x7fff_f024, 0x7fff_f000, false),
        (0, 0, true),
        (all, 0, true),
        (all, size + 5_000, true),
        (all, size / 2, true),
    ] {
        let read = with(riff_size, data_size);
        assert_all(&read);
        assert_eq!(read.warning.is_some(), is_wrong, "{riff_size} {data_size}");
    }
    let cut = with(all + 5_000, size + 5_000);
    assert!(cut.is_incomplete);
    let warning = cut.warning.unwrap();
    assert_eq!(warning, "ends after 4000 of 6500 frames (truncated?)");
}

#[test]
fn chunks_around_the_samples_do_not_matter() {
    let list = |size: u32| chunk(b"LIST", size, b"INFOISFT\x0e\0\0\0Lavf58.29.100\0");
    let samples = || whole(b"data", &pcm());
    for before in [
        list(26),
        list(5_000_000),
        list(200),
        list(10),
        chunk(b"junk", 5, b"abcde"),
        chunk(b"junk", 5, b"abcde\0"),
    ] {
        assert_all(&read(
            "a.wav",
            &riff(None, &[mono(), before.clone(), samples()]),
        ));
        assert_all(&read("a.wav", &riff(None, &[before, mono(), samples()])));
    }
    for after in [list(26), vec![0; 5_000], b"TAG".to_vec(), list(9_999)] {
        assert_all(&read("a.wav", &riff(None, &[mono(), samples(), after])));
    }
    // What lies behind the form is not part of it.
    let garbage = [riff(None, &[mono(), samples()]), vec![7; 3_000]].concat();
    assert_all(&read("a.wav", &garbage));
}

#[test]
fn formats_are_described_in_many_ways() {
    let extensible = |bits: u16| {
        let mut fmt = fmt(0xfffe, 1, 2, 16);
        fmt.extend([22_u16.to_le_bytes(), bits.to_le_bytes()].concat());
        fmt.extend(0_u32.to_le_bytes());
        fmt.extend(b"\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
        fmt
    };
    let longer = |length: usize| [fmt(1, 1, 2, 16), vec![0; length - 16]].concat();
    for fmt in [
        extensible(16),
        extensible(0),
        longer(18),
        longer(20),
        longer(22),
        longer(40),
        fmt(1, 1, 2, 12),
    ] {
        let file = riff(None, &[whole(b"fmt ", &fmt), whole(b"data", &pcm())]);
        assert_all(&read("a.wav", &file));
    }
    // 24 bits in 32: the upper ones.
    let wide: Vec<u8> = (0..FRAMES)
        .flat_map(|frame| (i32::from(sample(frame)) << 16).to_le_bytes())
        .collect();
    let format = whole(b"fmt ", &fmt(1, 1, 4, 24));
    assert_all(&read(
        "a.wav",
        &riff(None, &[format, whole(b"data", &wide)]),
    ));
}

#[test]
fn relatives_of_wav_are_read() {
    let swapped = |bytes: &[u8]| -> Vec<u8> {
        bytes
            .chunks(2)
            .flat_map(|pair| [pair[1], pair[0]])
            .collect()
    };
    let size = pcm().len() as u32;
    for name in [b"RF64", b"BW64"] {
        let sizes = [
            u64::from(size + 80).to_le_bytes(),
            u64::from(size).to_le_bytes(),
            [0; 8],
        ];
        let ds64 = whole(b"ds64", &[sizes.concat(), vec![0; 4]].concat());
        let data = chunk(b"data", u32::MAX, &pcm());
        let body = [b"WAVE".to_vec(), ds64, mono(), data].concat();
        let read = read("a.wav", &chunk(name, u32::MAX, &body));
        assert_all(&read);
        assert_eq!(read.warning, None);
    }
    let big = |name: &[u8; 4], body: &[u8]| {
        [name, (body.len() as u32).to_be_bytes().as_slice(), body].concat()
    };
    let mut format = 1_u16.to_be_bytes().to_vec();
    format.extend(1_u16.to_be_bytes());
    format.extend([RATE_HZ.to_be_bytes(), (2 * RATE_HZ).to_be_bytes()].concat());
    format.extend([2_u16.to_be_bytes(), 16_u16.to_be_bytes()].concat());
    let samples = big(b"data", &swapped(&pcm()));
    let body = [b"WAVE".to_vec(), big(b"fmt ", &format), samples].concat();
    assert_all(&read("a.wav", &big(b"RIFX", &body)));

    let guid = |name: &[u8; 4], rest: &[u8; 12]| [name.as_slice(), rest].concat();
    let usual = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";
    let w64 = |name: &[u8; 4], body: &[u8]| {
        let size = (24 + body.len() as u64).to_le_bytes();
        let padding = vec![0; (8 - body.len() % 8) % 8];
        [guid(name, usual), size.to_vec(), body.to_vec(), padding].concat()
    };
    let chunks = [
        guid(b"wave", usual),
        w64(b"fmt ", &fmt(1, 1, 2, 16)),
        w64(b"junk", b"abc"),
        w64(b"data", &pcm()),
    ];
    let body = chunks.concat();
    let head = guid(b"riff", b"\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0");
    let size = (24 + body.len() as u64).to_le_bytes();
    assert_all(&read("a.w64", &[head, size.to_vec(), body].concat()));
}

#[test]
fn aiff_au_and_caf_files_are_read_at_any_stated_length() {
    let big: Vec<u8> = (0..FRAMES)
        .flat_map(|frame| sample(frame).to_be_bytes())
        .collect();
    let size = big.len() as u32;
    let aiff = |frames: u32, size: u32| {
        let mut common = 1_u16.to_be_bytes().to_vec();
        common.extend(frames.to_be_bytes());
        common.extend(16_u16.to_be_bytes());
        // 8000 as an 80-bit number.
        common.extend(b"\x40\x0b\xfa\0\0\0\0\0\0\0");
        let chunk = |name: &[u8; 4], size: u32, body: &[u8]| {
            [name, size.to_be_bytes().as_slice(), body].concat()
        };
        let sound = [vec![0; 8], big.clone()].concat();
        let body = [
            b"AIFF".to_vec(),
            chunk(b"COMM", 18, &common),
            chunk(b"SSND", size, &sound),
        ];
        chunk(b"FORM", 0, &body.concat())
    };
    for (frames, size) in [
        (FRAMES as u32, size + 8),
        (0, 0),
        (FRAMES as u32, 0),
        (0, size + 8),
    ] {
        assert_all(&read("a.aiff", &aiff(frames, size)));
    }
    for stated in [size, u32::MAX] {
        let words = [24, stated, 3, RATE_HZ, 1].map(u32::to_be_bytes).concat();
        assert_all(&read(
            "a.au",
            &[b".snd".to_vec(), words, big.clone()].concat(),
        ));
    }
    for stated in [i64::from(size) + 4, -1] {
        let mut caf = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20".to_vec();
        caf.extend(f64::from(RATE_HZ).to_be_bytes());
        caf.extend(b"lpcm");
        caf.extend([0_u32, 2, 1, 1, 16].map(u32::to_be_bytes).concat());
        caf.extend(b"data");
        caf.extend(stated.to_be_bytes());
        caf.extend([0; 4]);
        caf.extend(&big);
        assert_all(&read("a.caf", &caf));
    }
}

#[test]
fn files_of_many_channels_are_read() {
    for channels in [3_u16, 32, 33, 64, 200] {
        let frames =
            (0..FRAMES).flat_map(|frame| sample(frame).to_le_bytes().repeat(channels.into()));
        let format = whole(b"fmt ", &fmt(1, channels, 2, 16));
        let read = read(
            "a.wav",
            &riff(None, &[format, whole(b"data", &frames.collect::<Vec<_>>())]),
        );
        assert_eq!(read.channel_count, usize::from(channels));
        assert_eq!(read.samples.len(), FRAMES * read.channel_count);
        let last = f32::from(sample(FRAMES - 1)) / 32_768.0;
        assert!(
            read.samples[read.samples.len() - 3..]
                .iter()
                .all(|x| *x == last)
        );
    }
}

/// An ID3v2 tag with a title in UTF-16 and a picture that has MPEG headers in it.
fn id3v2(picture_bytes: usize) -> Vec<u8> {
    let frame = |name: &[u8; 4], body: &[u8]| {
        [
            name,
            (body.len() as u32).to_be_bytes().as_slice(),
            &[0, 0],
            body,
        ]
        .concat()
    };
    let title: Vec<u8> = "Täst".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let title = frame(b"TIT2", &[b"\x01\xff\xfe".to_vec(), title].concat());
    let picture = [
        b"\0image/jpeg\0\x03\0".to_vec(),
        b"\xff\xfb\x90\x64".repeat(picture_bytes / 4),
    ];
    let body = [title, frame(b"APIC", &picture.concat())].concat();
    let size = [21, 14, 7, 0].map(|shift| (body.len() >> shift & 0x7f) as u8);
    [b"ID3\x03\0\0".to_vec(), size.to_vec(), body].concat()
}

#[test]
fn tags_and_joins_of_mp3_files_do_not_matter() {
    let plain = data("ping.mp3");
    let alone = read("a.mp3", &plain);
    let id3v1 = [b"TAG".to_vec(), vec![b'x'; 125]].concat();
    for tagged in [
        [id3v2(100), plain.clone()].concat(),
        [id3v2(600_000), id3v2(10), plain.clone(), id3v1.clone()].concat(),
        [plain.clone(), id3v1.clone()].concat(),
    ] {
        let read = read("a.mp3", &tagged);
        assert!(read.samples == alone.samples, "{}", read.samples.len());
        assert_eq!(read.warning, None);
    }
    for joined in [
        [plain.clone(), plain.clone()].concat(),
        [
            id3v2(9_000),
            plain.clone(),
            id3v1,
            id3v2(9_000),
            plain.clone(),
        ]
        .concat(),
    ] {
        let read = read("a.mp3", &joined);
        let (first, second) = read.samples.split_at(alone.samples.len());
        assert!(first == alone.samples && second == alone.samples);
        assert_eq!(read.warning, None);
    }
    let cut = read("a.mp3", &plain[..plain.len() / 2]);
    assert!(cut.is_incomplete);
    // Without the first frame, which states the length, an estimate is not taken for the end.
    let (head, rest) = (&plain[..2], &plain[2..]);
    let second = 2 + rest.windows(2).position(|pair| pair == head).unwrap();
    let frames = &plain[second..];
    let (once, thrice) = (read("a.mp3", frames), read("a.mp3", &frames.repeat(3)));
    assert!(once.samples.len() >= alone.samples.len());
    assert_eq!(thrice.samples.len(), 3 * once.samples.len());
    assert_eq!((once.warning, thrice.warning), (None, None));
}

#[test]
fn compressed_samples_keep_their_time() {
    for name in ["ping.opus", "ping_aac.m4a", "ping_alac.m4a"] {
        let read = read(name, &data(name));
        assert_eq!((read.channel_count, read.warning), (2, None), "{name}");
        let seconds = |frames: usize| frames as f64 / f64::from(read.sample_rate_hz);
        let start = read.samples.iter().position(|x| x.abs() > 0.2).unwrap();
        let (start, length) = (seconds(start / 2), seconds(read.samples.len() / 2));
        assert!(
            (0.4985..0.5015).contains(&start),
            "{name}: starts at {start} s"
        );
        assert!((length - 1.0).abs() < 0.003, "{name}: {length} s");
    }
}

#[test]
fn chained_streams_are_read_and_a_cut_one_says_so() {
    let plain = data("ping.ogg");
    let alone = read("a.ogg", &plain);
    let chained = read("a.ogg", &[plain.clone(), plain.clone()].concat());
    assert_eq!(chained.samples.len(), 2 * alone.samples.len());
    assert!(chained.samples[alone.samples.len()..] == alone.samples);
    assert_eq!(chained.warning, None);
    let cut = [plain.clone(), plain[..plain.len() - 100].to_vec()].concat();
    let cut = read("a.ogg", &cut);
    assert!(cut.is_incomplete && cut.samples == alone.samples);
    let warning = cut.warning.unwrap();
    assert!(warning.contains("is cut off after"), "{warning}");
}

#[test]
fn flac_files_with_odd_blocks_are_read() {
    let plain = data("ping.flac");
    let alone = read("a.flac", &plain);
    let block = |kind: u8, body: &[u8]| {
        let size = (body.len() as u32).to_be_bytes();
        [&[kind], &size[1..], body].concat()
    };
    // The blocks before the first frame; the first is the stream information.
    let mut frames = 4;
    loop {
        let size = u32::from_be_bytes([0, plain[frames + 1], plain[frames + 2], plain[frames + 3]]);
        let is_last = plain[frames] & 0x80 != 0;
        frames += 4 + size as usize;
        if is_last {
            break;
        }
    }
    let info = [b"fLaC\0".as_slice(), &plain[5..42]].concat();
    for blocks in [
        [block(5, &[1; 500]), block(0x84, b"\xff\xff\xff\xff")].concat(),
        [block(6, &[9; 700_000]), block(0xfe, &[1])].concat(),
        // The size leads far beyond the end.
        b"\x05\xff\xff\xff".to_vec(),
    ] {
        let read = read(
            "a.flac",
            &[info.clone(), blocks, plain[frames..].to_vec()].concat(),
        );
        assert!(read.samples == alone.samples, "{}", read.samples.len());
        assert_eq!(read.warning, None);
    }
}

#[test]
fn what_is_not_supported_is_named() {
    let asf = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c";
    refused(
        "a.wma",
        &asf.repeat(50),
        "is a WMA or ASF file, which is not supported",
    );
    refused(
        "a.wav",
        &b"<!DOCTYPE html><html>".repeat(20),
        "is a web page, not audio",
    );
    refused("a.mp3", &b"MThd\0\0\0\x06".repeat(20), "is a MIDI file");
    refused("a.wv", &b"wvpk".repeat(50), "is a WavPack file");
    let gsm = riff(
        None,
        &[whole(b"fmt ", &fmt(0x31, 1, 1, 0)), whole(b"data", &pcm())],
    );
    refused(
        "a.wav",
        &gsm,
        "is a WAV file with GSM 6.10 audio, which is not supported",
    );
    refused(
        "a.m4a",
        b"\0\0\0\x10ftypM4A \0\0\0\0\0\0\0\0mdat",
        "without an index (moov)",
    );
}

#[test]
fn an_aac_description_that_is_cut_short_is_read_as_far_as_it_goes() {
    let (plain, described) = (data("ping_aac.m4a"), [5, 0x13, 0x90, 0x56, 0xe5, 0]);
    let mut windows = plain.windows(described.len());
    let at = windows.position(|bytes| bytes == described).unwrap();
    // Two bytes instead of five, with the flag for more, in descriptors that are as much shorter.
    let mut cut = plain.clone();
    cut.splice(at..at + 6, [2, 0x13, 0x92]);
    cut.splice(at + 9..at + 9, [0; 3]);
    cut[at - 18] -= 3;
    cut[at - 26] -= 3;
    assert!(read("a.m4a", &cut).samples == read("a.m4a", &plain).samples);
}
