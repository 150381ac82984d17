//! Writes a picture as PNG: one byte a pixel and a palette, compressed.

use crate::cloudwatch::widget_image::canvas::Canvas;

/// How hard the compressor tries, of 10.
const EFFORT: u8 = 6;

pub(super) fn encoded(canvas: &Canvas) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let (width, height) = canvas.size();
    let mut header = Vec::new();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    // Eight bits, palette, and the only methods that there are.
    header.extend_from_slice(&[8, 3, 0, 0, 0]);
    chunk(*b"IHDR", &header, &mut out);
    let palette: Vec<u8> =
        canvas.palette().iter().flat_map(|colour| [colour.0, colour.1, colour.2]).collect();
    chunk(*b"PLTE", &palette, &mut out);
    let mut rows = Vec::new();
    for row in canvas.rows() {
        // No filter.
        rows.push(0);
        rows.extend_from_slice(row);
    }
    chunk(*b"IDAT", &miniz_oxide::deflate::compress_to_vec_zlib(&rows, EFFORT), &mut out);
    chunk(*b"IEND", &[], &mut out);
    out
}

fn chunk(kind: [u8; 4], data: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    let checked = kind.iter().chain(data);
    let sum = checksum(checked.clone().copied());
    out.extend(checked);
    out.extend_from_slice(&sum.to_be_bytes());
}

/// CRC-32, bit by bit: a picture is small.
fn checksum(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0xEDB8_8320 * (sum & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::widget_image::canvas::{Canvas, Colour};

    #[test]
    fn a_checksum_is_the_one_of_the_standard() {
        assert_eq!(checksum(b"123456789".iter().copied()), 0xCBF4_3926);
        assert_eq!(checksum(b"IEND".iter().copied()), 0xAE42_6082);
    }

    #[test]
    fn what_is_drawn_can_be_read_back() {
        let mut canvas = Canvas::new(3, 2);
        canvas.rectangle((1, 0), (1, 1), Colour(1, 2, 3));
        let png = encoded(&canvas);
        assert_eq!(&png[12..29], b"IHDR\0\0\0\x03\0\0\0\x02\x08\x03\0\0\0");
        assert_eq!(&png[33..47], b"\0\0\0\x06PLTE\xff\xff\xff\x01\x02\x03");
        let data = png.windows(4).position(|word| word == b"IDAT").unwrap();
        let rows = miniz_oxide::inflate::decompress_to_vec_zlib(&png[data + 4..]).unwrap();
        assert_eq!(rows, [0, 0, 1, 0, 0, 0, 1, 0]);
    }
}
