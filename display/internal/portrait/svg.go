package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
)

// page is what the picture lies on.
type page struct {
	file             string
	text, faint, bar string
}

var pages = []page{
	{"device-dark.svg", "#e6e6e6", "#8b949e", "#21262d"},
	{"device-light.svg", "#1f2328", "#59636e", "#eaeef2"},
}

// Lengths, in SVG units. The case is drawn from its front, wider than deep, so that it fits above
// the fold.
const (
	width, height = 720, 372
	caseX, caseY  = 110, 92
	caseW, caseH  = 500, 256
	ledY          = caseY + 62
	ledX          = caseX + 58 // of the first
	ledPitch      = (caseW - 116.0) / (animate.Pixels - 1)
	digitW        = 52
	digitH        = 88
	digitGap      = 26
	digitsY       = caseY + 138
)

// svg draws the film. What changes is animated in steps: a value for each frame that differs from
// the one before.
func (f film) svg(p page) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace">
<title>The device: a log line of an attack lets its colour sweep over eight lights, and a total counts up</title>
<defs>
<linearGradient id="body" x2="0" y2="1"><stop stop-color="#3d4048"/><stop offset=".06" stop-color="#2b2d33"/><stop offset="1" stop-color="#1d1f23"/></linearGradient>
<radialGradient id="fall"><stop stop-color="#fff" stop-opacity=".85"/><stop offset=".25" stop-color="#fff" stop-opacity=".42"/><stop offset=".6" stop-color="#fff" stop-opacity=".1"/><stop offset="1" stop-color="#fff" stop-opacity="0"/></radialGradient>
<radialGradient id="shadow"><stop offset=".4" stop-opacity=".45"/><stop offset="1" stop-opacity="0"/></radialGradient>
<mask id="glow" maskContentUnits="objectBoundingBox"><rect width="1" height="1" fill="url(#fall)"/></mask>
<clipPath id="case"><rect x="%d" y="%d" width="%d" height="%d" rx="22"/></clipPath>
</defs>
`, width, height, width, height, caseX, caseY, caseW, caseH)
	f.lines(&b, p)
	fmt.Fprintf(&b, `<ellipse cx="%d" cy="%d" rx="%d" ry="16" fill="url(#shadow)"/>
<g clip-path="url(#case)">
<rect x="%d" y="%d" width="%d" height="%d" fill="url(#body)"/>
<rect x="%d" y="%d" width="%d" height="34" rx="17" fill="#fff" opacity=".05"/>
<rect x="%d" y="%d" width="%d" height="%d" rx="10" fill="#0c0708"/>
`, width/2, caseY+caseH, caseW/2+10, caseX, caseY, caseW, caseH, caseX+36, ledY-17, caseW-72,
		caseX+74, digitsY-20, caseW-148, digitH+40)
	f.lights(&b)
	f.digits(&b)
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

// lines shows each line of a log from its event on until the next.
func (f film) lines(b *bytes.Buffer, p page) {
	fmt.Fprintf(b, `<rect x="30" y="18" width="%d" height="44" rx="8" fill="%s"/>`+"\n", width-60, p.bar)
	for i, e := range story {
		until := length - 100*time.Millisecond
		if i+1 < len(story) {
			until = story[i+1].at - 100*time.Millisecond
		}
		fmt.Fprintf(b, `<text x="46" y="45" font-size="14" fill="%s" visibility="hidden"><tspan fill="%s">%s  </tspan><tspan>%s</tspan><animate attributeName="visibility" calcMode="discrete" dur="%gs" repeatCount="indefinite" values="hidden;visible;hidden" keyTimes="0;%s;%s"/></text>`+"\n",
			p.text, p.faint, e.server, escape(e.line), length.Seconds(), share(e.at), share(until))
	}
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;").Replace

// lights draws the LEDs and their glow, which have one colour.
func (f film) lights(b *bytes.Buffer) {
	for i := range animate.Pixels {
		x := ledX + float64(i)*ledPitch
		colors := make([]string, len(f))
		for n, frame := range f {
			colors[n] = onPage(frame.Pixels[i])
		}
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="22" height="22" rx="5" fill="#15161a"/><g fill="%s" style="mix-blend-mode:screen"><circle cx="%.1f" cy="%d" r="74" mask="url(#glow)"/><rect x="%.1f" y="%d" width="20" height="20" rx="4"/>`,
			x-11, ledY-11, colors[0], x, ledY, x-10, ledY-10)
		animation(b, "fill", colors)
		b.WriteString("</g>\n")
	}
}

// onPage is how an LED looks: its duty cycles as a screen's values.
func onPage(p animate.Pixel) string {
	if p.Brightness == 0 {
		return "#000"
	}
	value := func(duty uint8) int { return int(math.Round(255 * math.Pow(float64(duty)/255, 1/2.2))) }
	return fmt.Sprintf("#%02x%02x%02x", value(p.R)&^3, value(p.G)&^3, value(p.B)&^3)
}

// shapes are the segments A to G in a cell, as polygons of the form that such displays have.
var shapes = func() (all [7]string) {
	const w, h, t = digitW, digitH, 11.0 // thickness
	flat := func(y float64) string {
		return fmt.Sprintf("%g,%g %g,%g %g,%g %g,%g %g,%g %g,%g", t/2+1.5, y, t+1, y-t/2, w-t-1, y-t/2, w-t/2-1.5, y, w-t-1, y+t/2, t+1, y+t/2)
	}
	upright := func(x, top, bottom float64) string {
		return fmt.Sprintf("%g,%g %g,%g %g,%g %g,%g %g,%g %g,%g", x, top+1.5, x+t/2, top+t/2+1, x+t/2, bottom-t/2-1, x, bottom-1.5, x-t/2, bottom-t/2-1, x-t/2, top+t/2+1)
	}
	const left, right, top, middle, bottom = t / 2, w - t/2, t / 2, h / 2, h - t/2
	return [7]string{
		flat(top), upright(right, top, middle), upright(right, middle, bottom), flat(bottom),
		upright(left, middle, bottom), upright(left, top, middle), flat(middle),
	}
}()

// digits draws the segments, which are there when they are not lit, too.
func (f film) digits(b *bytes.Buffer) {
	const total = animate.Cells*digitW + (animate.Cells-1)*digitGap
	for place := range animate.Cells {
		x := (width-total)/2 + place*(digitW+digitGap)
		fmt.Fprintf(b, "<g transform=\"translate(%d %d) skewX(-5)\">\n", x+4, digitsY)
		for segment, shape := range shapes {
			colors := make([]string, len(f))
			for n, frame := range f {
				colors[n] = "#2a0d0c"
				if frame.Digits.Cells[place]>>segment&1 == 1 && frame.Digits.Brightness > 0 {
					colors[n] = "#ff2a1c"
				}
			}
			fmt.Fprintf(b, `<polygon points="%s" fill="%s">`, shape, colors[0])
			animation(b, "fill", colors)
			b.WriteString("</polygon>\n")
		}
		b.WriteString("</g>\n")
	}
}

// animation steps an attribute through values, one for each frame. A value that stays has none.
func animation(b *bytes.Buffer, attribute string, values []string) {
	var kept, times []string
	for i, value := range values {
		if i > 0 && value == values[i-1] {
			continue
		}
		kept, times = append(kept, value), append(times, share(time.Duration(i)*step))
	}
	if len(kept) < 2 {
		return
	}
	fmt.Fprintf(b, `<animate attributeName="%s" calcMode="discrete" dur="%gs" repeatCount="indefinite" values="%s" keyTimes="%s"/>`,
		attribute, length.Seconds(), strings.Join(kept, ";"), strings.Join(times, ";"))
}

// share is a time as a part of the film.
func share(at time.Duration) string {
	if at == 0 {
		return "0"
	}
	return strings.TrimPrefix(fmt.Sprintf("%.4f", float64(at)/float64(length)), "0")
}
