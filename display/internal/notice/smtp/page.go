package smtp

import (
	"bytes"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"io"
	"sync"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

// page is the HTML part: no style but what every mail program keeps.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("mail").Parse(`<!DOCTYPE html>
<html><body style="font-family:sans-serif;max-width:40em">
<h2 style="font-size:1.2em">{{.Subject}}</h2>
{{range .Lines}}<p>{{.}}</p>
{{end}}{{if .Bars}}<p><img src="cid:{{.Picture}}" alt="{{.Bars}}" style="width:100%;max-width:40em"></p>
{{end}}{{range .Tables}}<h3 style="font-size:1em">{{.Title}}</h3>
<table>{{range .Rows}}<tr><td align="right">{{.Count}}</td><td>{{.Name}}</td></tr>
{{end}}</table>
{{end}}{{if .Link}}<p><a href="{{.Link}}">{{.Link}}</a></p>
{{end}}</body></html>
`))
})

const pictureName = "attempts.png"

// render writes the HTML part, and the picture that it shows, if any.
func render(m *channel.Message) (string, io.Reader, error) {
	var out bytes.Buffer
	err := page().Execute(&out, struct {
		*channel.Message
		Picture string
	}{m, pictureName})
	if err != nil || m.Bars == nil {
		return out.String(), nil, err
	}
	picture, err := draw(m.Bars.Counts)
	return out.String(), picture, err
}

// Measures of the picture, in pixels.
const (
	barWidth, barGap = 20, 4
	pictureHeight    = 80
)

var (
	barColor  = color.RGBA{0xc6, 0x28, 0x28, 0xff}
	baseColor = color.RGBA{0xbd, 0xbd, 0xbd, 0xff}
)

// draw draws the counts as bars on a line, the highest as high as the picture.
func draw(counts []uint64) (io.Reader, error) {
	picture := image.NewRGBA(image.Rect(0, 0, max(len(counts), 1)*(barWidth+barGap), pictureHeight))
	var highest uint64
	for _, n := range counts {
		highest = max(highest, n)
	}
	const floor = pictureHeight - 2
	for x := range picture.Rect.Dx() {
		n := uint64(0)
		if i := x / (barWidth + barGap); i < len(counts) && x%(barWidth+barGap) < barWidth {
			n = counts[i]
		}
		high := 0
		if n > 0 {
			high = max(2, int(float64(n)/float64(highest)*floor))
		}
		for y := floor - high; y < floor; y++ {
			picture.Set(x, y, barColor)
		}
		picture.Set(x, floor+1, baseColor)
	}
	var out bytes.Buffer
	err := png.Encode(&out, picture)
	return &out, err
}
