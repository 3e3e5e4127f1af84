package cli

import (
	"encoding/json"
	"io"

	"github.com/pialert/pialert/pkg/escape"
)

// WriteJSON prints a value as JSON that is fit for a terminal.
func WriteJSON(out io.Writer, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = out.Write(append(escape.JSON(text), '\n'))
	return err
}

// NewEncoder returns what prints one value after another, as [WriteJSON] does but each on a line.
func NewEncoder(out io.Writer) *json.Encoder { return json.NewEncoder(escape.JSONWriter{To: out}) }
