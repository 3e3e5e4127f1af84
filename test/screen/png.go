package screen

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Scheme is the colours that a terminal has where a program selects none.
type Scheme struct{ Text, Back Color }

// The schemes that people have.
var (
	Dark  = Scheme{Color{222, 222, 222, true}, Color{16, 17, 20, true}}
	Light = Scheme{Color{30, 30, 30, true}, Color{255, 255, 255, true}}
)

// Size of a cell in a picture, in pixels.
const (
	cellWidth  = 10
	cellHeight = 20
	baseline   = 15
	margin     = 10
)

// PNG writes a picture of the screen.
func (s *Screen) PNG(w io.Writer, scheme Scheme) error {
	regular, err := face(gomono.TTF)
	if err != nil {
		return err
	}
	bold, err := face(gomonobold.TTF)
	if err != nil {
		return err
	}
	canvas := image.NewRGBA(image.Rect(0, 0, s.Columns*cellWidth+2*margin, s.Rows*cellHeight+2*margin))
	fill(canvas, canvas.Bounds(), scheme.Back)
	for y, row := range s.Cells {
		for x, cell := range row {
			text, back := cell.Text, cell.Back
			if !text.Set {
				text = scheme.Text
			}
			if !back.Set {
				back = scheme.Back
			}
			if cell.Faint {
				text = half(text, back)
			}
			at := image.Rect(0, 0, cellWidth, cellHeight).Add(image.Pt(margin+x*cellWidth, margin+y*cellHeight))
			fill(canvas, at, back)
			if part, ok := block(cell.Char, at); ok {
				fill(canvas, part, text)
				continue
			}
			use := regular
			if cell.Bold {
				use = bold
			}
			drawer := font.Drawer{Dst: canvas, Src: image.NewUniform(rgba(text)), Face: use, Dot: fixed.P(at.Min.X, at.Min.Y+baseline)}
			if cell.Char > ' ' {
				drawer.DrawString(string(cell.Char))
			}
		}
	}
	return png.Encode(w, canvas)
}

func face(ttf []byte) (font.Face, error) {
	parsed, err := opentype.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("cannot read the font: %w", err)
	}
	return opentype.NewFace(parsed, &opentype.FaceOptions{Size: 16.6, DPI: 72, Hinting: font.HintingFull})
}

// block returns the part of a cell that a block element fills, as terminals draw them themselves.
func block(r rune, at image.Rectangle) (image.Rectangle, bool) {
	switch {
	case r == '▀':
		at.Max.Y -= cellHeight / 2
	case r >= '▁' && r <= '█':
		at.Min.Y = at.Max.Y - int(r-'▁'+1)*cellHeight/8
	case r > '█' && r <= '▏':
		at.Max.X = at.Min.X + int('▏'-r+1)*cellWidth/8
	default:
		return at, false
	}
	return at, true
}

func fill(canvas *image.RGBA, where image.Rectangle, c Color) {
	draw.Draw(canvas, where, image.NewUniform(rgba(c)), image.Point{}, draw.Src)
}

func half(a, b Color) Color {
	mix := func(a, b uint8) uint8 { return uint8((int(a) + int(b)) / 2) }
	return Color{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), true}
}

func rgba(c Color) color.RGBA { return color.RGBA{c.R, c.G, c.B, 255} }
