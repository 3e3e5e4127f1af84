package page

import (
	"encoding/hex"
	"encoding/json"
	"math"

	"github.com/pialert/pialert/display/internal/animate"
)

// picture is a frame as the page draws it.
type picture struct {
	Lights string `json:"lights"` // "rrggbb" for each LED, as it looks
	Cells  string `json:"cells"`  // two hexadecimal digits per cell: its segments
	Colon  bool   `json:"colon"`
	Bright uint8  `json:"bright"` // of the digits, 0 to [animate.MaxDigits]
}

// lit is how a value of a dark screen looks on a page, which may be white around it: as an LED does
// by day, where the faint ones would not be seen.
var lit = func() (values [256]uint8) {
	for i := range values {
		values[i] = uint8(math.Round(255 * math.Pow(float64(i)/255, 0.6)))
	}
	return values
}()

func pictureOf(f animate.Frame) picture {
	var lights [3 * animate.Pixels]byte
	for i, pixel := range f.Pixels {
		seen := pixel.Seen()
		copy(lights[3*i:], []byte{lit[seen.R], lit[seen.G], lit[seen.B]})
	}
	return picture{
		Lights: hex.EncodeToString(lights[:]), Cells: hex.EncodeToString(f.Digits.Cells[:]),
		Colon: f.Digits.Colon, Bright: f.Digits.Brightness,
	}
}

// totals are what the lamps count, in their order, and all attempts.
type totals struct {
	All   uint64   `json:"all"`
	Lamps []uint64 `json:"lamps"`
}

// message is one of a stream of events (https://html.spec.whatwg.org/multipage/server-sent-events.html):
// data must have no line break.
func message(name string, id, data []byte) []byte {
	var m []byte
	if len(id) > 0 {
		m = append(append(append(m, "id: "...), id...), '\n')
	}
	m = append(append(append(m, "event: "...), name...), '\n')
	m = append(append(m, "data: "...), data...)
	return append(m, '\n', '\n')
}

// jsonMessage is a message of a value that JSON can hold.
func jsonMessage(name string, value any) []byte {
	data, _ := json.Marshal(value) // the types above cannot fail
	return message(name, nil, data)
}
