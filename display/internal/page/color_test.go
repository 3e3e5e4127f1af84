package page

import "testing"

func TestContrastIsThatOfWCAG(t *testing.T) {
	// Pairs with the ratios that the definition gives: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
	for _, test := range []struct {
		a, b Color
		want float64
	}{
		{Color{}, Color{255, 255, 255}, 21},
		{Color{255, 255, 255}, Color{255, 255, 255}, 1},
		{Color{0x77, 0x77, 0x77}, Color{255, 255, 255}, 4.48}, // the grey that just fails level AA
	} {
		if got := contrast(test.a, test.b); got < test.want-0.005 || got > test.want+0.005 {
			t.Errorf("contrast(%v, %v) = %.3f, want %.2f", test.a, test.b, got, test.want)
		}
	}
}

func TestEveryColorCanBeSeenOnBothPapers(t *testing.T) {
	for r := 0; r < 256; r += 51 {
		for g := 0; g < 256; g += 51 {
			for b := 0; b < 256; b += 51 {
				c := Color{uint8(r), uint8(g), uint8(b)}
				for _, paper := range []Color{lightPaper, darkPaper} {
					if got := contrast(c.on(paper), paper); got < 3 {
						t.Errorf("%v becomes %v on %v, with a contrast of %.2f", c, c.on(paper), paper, got)
					}
				}
			}
		}
	}
}

func TestColorsStayWhatTheyAreCalled(t *testing.T) {
	for name, test := range map[string]struct {
		lamp Color
		is   func(Color) bool
	}{
		"red":    {Color{R: 255}, func(c Color) bool { return c.R > 2*c.G && c.R > 2*c.B }},
		"blue":   {Color{G: 60, B: 255}, func(c Color) bool { return c.B > 2*c.R && c.B > 2*c.G-20 }},
		"green":  {Color{G: 255}, func(c Color) bool { return c.G > 2*c.R && c.G > 2*c.B }},
		"purple": {Color{R: 170, B: 255}, func(c Color) bool { return c.B > c.R && c.R > 2*c.G }},
	} {
		for _, paper := range []Color{lightPaper, darkPaper} {
			if got := test.lamp.on(paper); !test.is(got) {
				t.Errorf("on %v, %s becomes %v", paper, name, got)
			}
		}
	}
}
