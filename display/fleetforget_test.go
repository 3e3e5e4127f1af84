package main

import (
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/broker"
)

// What is to be forgotten is one display's, and not one's own.
func TestTheDisplayThatIsGone(t *testing.T) {
	all := []broker.Waiting{{Display: "D1", Name: "desk"}, {Display: "D2", Name: "office"}, {Display: "D3", Name: "twin"}, {Display: "D4", Name: "twin"}}
	for display, want := range map[string]string{"office": "D2", "D2": "D2", "D4": "D4", "desk": "this display", "D1": "this display", "twin": "several", "hall": "nothing for"} {
		id, err := chosenDisplay(all, display, "D1")
		if got := string(id); err == nil && got != want || err != nil && (got != "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s is %q, %v; want %s", display, id, err, want)
		}
	}
}
