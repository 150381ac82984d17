//! A sheet of pixels with lines, rectangles and small capitals.

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour(pub(super) u8, pub(super) u8, pub(super) u8);

impl Colour {
    pub(super) const WHITE: Colour = Colour(255, 255, 255);

    /// Returns the colour as it looks when it is laid over white thinly.
    pub(super) fn thin(self) -> Self {
        let thin = |part: u8| 255 - (255 - part) / 6;
        Colour(thin(self.0), thin(self.1), thin(self.2))
    }
}

/// Pixels of one dot of a letter.
const DOT: i32 = 2;

/// Distance from one letter to the next.
const LETTER: i32 = 4 * DOT;

/// Letters of three dots by five, each row as an octal digit.
const GLYPHS: [(char, &str); 48] = [
    ('0', "75557"),
    ('1', "26227"),
    ('2', "71747"),
    ('3', "71717"),
    ('4', "55711"),
    ('5', "74717"),
    ('6', "74757"),
    ('7', "71111"),
    ('8', "75757"),
    ('9', "75717"),
    ('A', "25755"),
    ('B', "65656"),
    ('C', "34443"),
    ('D', "65556"),
    ('E', "74647"),
    ('F', "74644"),
    ('G', "34553"),
    ('H', "55755"),
    ('I', "72227"),
    ('J', "11152"),
    ('K', "55655"),
    ('L', "44447"),
    ('M', "57755"),
    ('N', "65555"),
    ('O', "25552"),
    ('P', "65644"),
    ('Q', "25573"),
    ('R', "65655"),
    ('S', "34216"),
    ('T', "72222"),
    ('U', "55557"),
    ('V', "55552"),
    ('W', "55775"),
    ('X', "55255"),
    ('Y', "55222"),
    ('Z', "71247"),
    ('.', "00002"),
    (',', "00024"),
    (':', "02020"),
    ('-', "00700"),
    ('_', "00007"),
    ('(', "12221"),
    (')', "42224"),
    ('/', "11244"),
    ('%', "51245"),
    ('=', "07070"),
    ('+', "02720"),
    (' ', "00000"),
];

/// What stands for every other letter.
const UNKNOWN: &str = "00200";

/// A picture of at most 256 colours.
#[derive(Debug)]
pub(super) struct Canvas {
    width: usize,
    height: usize,
    palette: Vec<Colour>,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Returns a white sheet.
    pub(super) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (to_usize(i64::from(width)), to_usize(i64::from(height)));
        Canvas { width, height, palette: vec![Colour::WHITE], pixels: vec![0; width * height] }
    }

    pub(super) fn size(&self) -> (u32, u32) {
        let size = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
        (size(self.width), size(self.height))
    }

    pub(super) fn palette(&self) -> &[Colour] {
        &self.palette
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks(self.width.max(1))
    }

    fn entry(&mut self, colour: Colour) -> u8 {
        let known = self.palette.iter().position(|known| *known == colour);
        let place = known.unwrap_or_else(|| {
            self.palette.push(colour);
            self.palette.len() - 1
        });
        u8::try_from(place).unwrap_or_default()
    }

    /// Colours one pixel; one outside the sheet is left out.
    fn dot(&mut self, x: i32, y: i32, entry: u8) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x < self.width
            && let Some(pixel) = self.pixels.get_mut(y * self.width + x)
        {
            *pixel = entry;
        }
    }

    /// Fills a rectangle, both corners included.
    pub(super) fn rectangle(&mut self, from: (i32, i32), to: (i32, i32), colour: Colour) {
        let entry = self.entry(colour);
        for y in from.1.min(to.1)..=from.1.max(to.1) {
            for x in from.0.min(to.0)..=from.0.max(to.0) {
                self.dot(x, y, entry);
            }
        }
    }

    /// Draws a line of two pixels' width.
    pub(super) fn line(&mut self, from: (i32, i32), to: (i32, i32), colour: Colour) {
        let entry = self.entry(colour);
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1);
        for step in 0..=steps {
            let x = from.0 + (to.0 - from.0) * step / steps;
            let y = from.1 + (to.1 - from.1) * step / steps;
            for (across, down) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                self.dot(x + across, y + down, entry);
            }
        }
    }

    /// Draws an upright or a level line with gaps.
    pub(super) fn dashes(&mut self, from: (i32, i32), to: (i32, i32), colour: Colour) {
        let entry = self.entry(colour);
        for y in from.1.min(to.1)..=from.1.max(to.1) {
            for x in from.0.min(to.0)..=from.0.max(to.0) {
                if (x + y) % 8 < 5 {
                    self.dot(x, y, entry);
                }
            }
        }
    }

    /// Writes a text with its upper left corner at a place; what does not fit the sheet is cut off.
    pub(super) fn text(&mut self, text: &str, (x, y): (i32, i32), colour: Colour) {
        let entry = self.entry(colour);
        for (place, letter) in (0..).zip(text.chars()) {
            let letter = letter.to_ascii_uppercase();
            let glyph =
                GLYPHS.iter().find(|(known, _)| *known == letter).map_or(UNKNOWN, |(_, glyph)| *glyph);
            for (row, digit) in (0..).zip(glyph.chars()) {
                let dots = digit.to_digit(8).unwrap_or_default();
                for column in (0..3).filter(|column| dots & (4 >> column) != 0) {
                    let corner = (x + place * LETTER + column * DOT, y + row * DOT);
                    for (across, down) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                        self.dot(corner.0 + across, corner.1 + down, entry);
                    }
                }
            }
        }
    }

    /// Returns how wide a text is.
    pub(super) fn width_of(text: &str) -> i32 {
        i32::try_from(text.chars().count()).unwrap_or(i32::MAX / LETTER).saturating_mul(LETTER)
    }
}

fn to_usize(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}
