package lamp

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Color is a colour as a screen shows it: 255 is the brightest, and steps look equal (sRGB).
type Color struct{ R, G, B uint8 }

// colors are the words for colours, in the one table that there is of them. They are chosen to be told apart on LEDs, where a mixed
// colour needs less of green than it does on a screen.
var colors = map[string]Color{
	"red":     {255, 0, 0},
	"orange":  {255, 110, 0},
	"yellow":  {255, 210, 0},
	"green":   {0, 255, 0},
	"cyan":    {0, 230, 255},
	"blue":    {0, 60, 255},
	"purple":  {170, 0, 255},
	"magenta": {255, 0, 150},
	"white":   {255, 255, 255},
}

// RGB returns the lamp's colour; white where it has none that can be read, which Validate refuses.
func (c Config) RGB() Color {
	color, err := ParseColor(c.Color)
	if err != nil {
		return colors["white"]
	}
	return color
}

// ParseColor reads a colour's name or "#rrggbb".
func ParseColor(text string) (Color, error) {
	if color, ok := colors[text]; ok {
		return color, nil
	}
	if digits, ok := strings.CutPrefix(text, "#"); ok && len(digits) == 6 {
		if n, err := strconv.ParseUint(digits, 16, 32); err == nil {
			if n == 0 {
				return Color{}, errors.New("a black lamp cannot be seen")
			}
			return Color{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
		}
	}
	return Color{}, fmt.Errorf("use \"#rrggbb\" or one of %s", strings.Join(slices.Sorted(maps.Keys(colors)), ", "))
}
