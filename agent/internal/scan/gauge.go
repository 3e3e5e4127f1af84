package scan

import "strings"

// eighths are blocks from the left that fill a part of a column, and blocks from below.
var (
	eighthsLeft  = []rune(" ▏▎▍▌▋▊▉█")
	eighthsBelow = []rune(" ▁▂▃▄▅▆▇█")
)

// gauge draws a share of most, in a width of columns. What is not 0 is seen.
func gauge(n, most uint64, width int) string {
	if most == 0 || width <= 0 {
		return ""
	}
	parts := max(int(float64(n)/float64(most)*float64(width*8)+0.5), int(min(n, 1)))
	text := strings.Repeat("█", parts/8)
	if parts%8 > 0 {
		text += string(eighthsLeft[parts%8])
	}
	return text
}
